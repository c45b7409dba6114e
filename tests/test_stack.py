"""The stack as it is shipped: each file parses, each path leads somewhere, and nothing is open to the world."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest
import sizing
import yaml

ROOT = Path(__file__).parent.parent
STACK = ROOT / "examples" / "stack"
COMPOSE = {"local": STACK / "compose.yaml", "scale": STACK / "scale" / "compose.yaml"}
COLLECTORS = [STACK / "otel-collector.yaml", STACK / "scale" / "balancer.yaml", STACK / "scale" / "gateway.yaml"]
SECRETS = {name: f"a-{name}" for name in ("POSTGRES_PASSWORD", "GRAFANA_ADMIN_PASSWORD", "GRAFANA_SECRET_KEY")}

needs_compose = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose")
each_compose = pytest.mark.parametrize("path", COMPOSE.values(), ids=COMPOSE)


def read(path):
    """A file of YAML as plain values."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services(path):
    """The services of a compose file: (name, settings)."""
    return read(path)["services"].items()


def default_of(text):
    """What `${NAME:-default}` stands for when nothing is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def docker_compose(path, *arguments, **variables):
    """Run docker-compose, which needs no engine to read a file."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    command = ["docker-compose", "--file", str(path), *arguments]
    return subprocess.run(command, env=kept | variables, capture_output=True, text=True, timeout=60)


@needs_compose
@each_compose
def test_docker_compose_accepts_the_file(path):
    """
    Keys in the wrong place are the most common fault of a compose file, and the schema finds them.
    """
    found = docker_compose(path, "config", "--quiet", **SECRETS)

    assert (0, "") == (found.returncode, found.stderr)


@needs_compose
@pytest.mark.parametrize("missing", SECRETS)
def test_scale_profile_does_not_start_without_secrets(missing):
    """
    A default password is an open door that looks shut. An empty one, as in the example, is none either.
    """
    given = {name: value for name, value in SECRETS.items() if name != missing}

    for variables in (given, given | {missing: ""}):
        found = docker_compose(COMPOSE["scale"], "config", "--quiet", **variables)
        assert found.returncode
        assert "write one into .env, see env.example" in found.stderr
        assert missing in found.stderr


def test_example_of_settings_has_every_setting_and_no_secret():
    """
    What can be set is found in one place; what must be set has no value there.
    """
    text = (STACK / "scale" / "env.example").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^#?([A-Z0-9_]+)=(.*)$", text, re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", COMPOSE["scale"].read_text(encoding="utf-8")))

    assert used == set(listed)
    assert {""} == {listed[name] for name in (*SECRETS, "S3_SECRET_ACCESS_KEY", "SSO_CLIENT_SECRET")}
    assert set(SECRETS) == set(re.findall(r"^([A-Z0-9_]+)=", text, re.MULTILINE))


@each_compose
def test_images_are_pinned(path):
    """
    What worked yesterday works tomorrow; an upgrade is a decision.
    """
    images = {name: settings["image"] for name, settings in services(path)}

    assert {} == {name: image for name, image in images.items() if not re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image)}


def test_both_profiles_use_the_same_versions():
    """
    Two versions of one program are two sets of bugs.
    """
    found = {
        image.split(":")[0]: {image} for _, settings in services(COMPOSE["local"]) for image in [settings["image"]]
    }
    for _, settings in services(COMPOSE["scale"]):
        found.setdefault(settings["image"].split(":")[0], set()).add(settings["image"])

    assert {} == {name: images for name, images in found.items() if len(images) > 1}


@each_compose
def test_no_port_is_open_to_other_hosts(path):
    """
    OTLP, Prometheus and Jaeger ask for no password.
    """
    ports = [port for _, settings in services(path) for port in settings.get("ports", [])]

    assert ports
    assert [] == [port for port in ports if not port.startswith("127.0.0.1:")]


@each_compose
def test_what_is_mounted_is_there(path):
    """
    Docker makes an empty directory where a file is missing, and the container starts with that.
    """
    volumes = read(path)["volumes"]
    sources = [
        default_of(volume).split(":")[0] for _, settings in services(path) for volume in settings.get("volumes", [])
    ]

    assert [] == [s for s in sources if not ((path.parent / s).exists() if s.startswith(".") else s in volumes)]


@each_compose
def test_what_is_waited_for_can_be_waited_for(path):
    """
    A container that waits for the health of one without a health check never starts.
    """
    settings = dict(services(path))
    waits = {
        (name, other)
        for name, own in settings.items()
        if isinstance(own.get("depends_on"), dict)
        for other, how in own["depends_on"].items()
        if how["condition"] == "service_healthy"
    }

    assert waits
    assert set() == {(name, other) for name, other in waits if "healthcheck" not in settings[other]}
    assert {"unless-stopped"} == {own["restart"] for own in settings.values()}


@pytest.mark.parametrize("path", sorted(STACK.rglob("*.yaml")), ids=lambda path: path.relative_to(STACK).as_posix())
def test_every_file_parses(path):
    """
    A wrong indentation is found here, not in the log of a container that restarts for ever.
    """
    assert isinstance(read(path), dict)


@pytest.mark.parametrize("path", COLLECTORS, ids=lambda path: path.stem)
def test_collector_uses_what_it_defines(path):
    """
    A component that is named and not defined stops the collector; one that is defined and not named does nothing.
    """
    config = read(path)
    pipelines = config["service"]["pipelines"].values()

    for kind in ("receivers", "processors", "exporters"):
        assert set(config[kind]) == {name for pipeline in pipelines for name in pipeline[kind]}
    assert list(config.get("extensions", {})) == config["service"].get("extensions", [])


@pytest.mark.parametrize("path", COLLECTORS, ids=lambda path: path.stem)
def test_memory_is_limited_first(path):
    """
    A collector that runs out of memory loses what everyone sent.
    """
    pipelines = read(path)["service"]["pipelines"].values()

    assert {"memory_limiter"} == {pipeline["processors"][0] for pipeline in pipelines}


def test_traces_are_balanced_whole_and_metrics_by_process():
    """
    A gateway that sees half of a trace decides wrongly; a series that takes two ways arrives out of order.
    """
    exporters = read(STACK / "scale" / "balancer.yaml")["exporters"]

    assert {"load_balancing/traces": "traceID", "load_balancing/metrics": "resource"} == {
        name: settings["routing_key"] for name, settings in exporters.items()
    }


def test_only_traces_are_sampled():
    """
    The dashboard counts from metrics: one that is dropped is money that nobody sees.
    """
    pipelines = read(STACK / "scale" / "gateway.yaml")["service"]["pipelines"]

    assert "tail_sampling" in pipelines["traces"]["processors"]
    assert ["memory_limiter", "batch"] == pipelines["metrics"]["processors"]


def test_names_are_translated_without_suffixes():
    """
    With OpenTelemetry's default four of the seven metrics arrive under other names, and most panels stay empty.
    """
    assert "UnderscoreEscapingWithoutSuffixes" == read(STACK / "prometheus.yaml")["otlp"]["translation_strategy"]
    assert read(STACK / "scale" / "mimir.yaml")["limits"]["otel_metric_suffixes_enabled"] is False


def test_rules_are_found_from_the_tree_and_in_the_container():
    """
    A pattern that matches nothing is no error to Prometheus: it starts, and no alert ever fires.
    """
    (pattern,) = read(STACK / "prometheus.yaml")["rule_files"]
    prometheus = read(COMPOSE["local"])["services"]["prometheus"]
    targets = {volume.split(":")[0]: volume.split(":")[1] for volume in prometheus["volumes"]}
    wanted = os.path.normpath(Path(targets["./prometheus.yaml"]).parent / pattern)

    assert {"tta_alerts.yml", "tta_recording.yml"} <= {path.name for path in STACK.glob(pattern)}
    assert f"{targets['../../prometheus/rules']}/*.yml" == wanted
    assert f"--config.file={targets['./prometheus.yaml']}" in prometheus["command"]


def test_data_sources_are_those_that_dashboards_may_name():
    """
    Links from an exemplar to its trace name the other data source by its identifier.
    """
    sources = {source["uid"]: source for source in read(STACK / "provisioning" / "datasources.yaml")["datasources"]}
    (link,) = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]

    assert {"prometheus": "prometheus", "jaeger": "jaeger"} == {uid: s["type"] for uid, s in sources.items()}
    assert ("trace_id", "jaeger", "15s") == (
        link["name"],
        link["datasourceUid"],
        sources["prometheus"]["jsonData"]["timeInterval"],
    )


@each_compose
def test_grafana_is_given_what_its_files_ask_for(path):
    """
    A variable that is not set becomes an empty address, and a dashboard elsewhere an empty list.
    """
    grafana = read(path)["services"]["grafana"]
    (provider,) = read(STACK / "provisioning" / "dashboards.yaml")["providers"]
    asked = set(re.findall(r"\$\{(\w+)\}", (STACK / "provisioning" / "datasources.yaml").read_text(encoding="utf-8")))

    assert asked <= set(grafana["environment"])
    assert any(default_of(v).split(":")[1].startswith(provider["options"]["path"]) for v in grafana["volumes"])
    assert provider["allowUiUpdates"] is False


def test_address_in_the_quick_start_is_that_of_the_dashboard():
    """
    Four commands, and the last one shows something.
    """
    dashboard = json.loads(
        (ROOT / "grafana" / "dashboards" / "tta_agent_observability.json").read_text(encoding="utf-8")
    )

    for readme in (STACK / "README.md", STACK / "scale" / "README.md"):
        assert f"http://127.0.0.1:3000/d/{dashboard['uid']}>" in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("readme", [STACK / "README.md", STACK / "scale" / "README.md"], ids=["local", "scale"])
def test_links_and_files_that_are_named_exist(readme):
    """
    The reader follows them.
    """
    text = readme.read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)|`((?:\.\./)*[\w/.]+\.(?:yaml|yml|json|sh|conf|example))`", text)
    found = {link or name for link, name in named}

    assert found
    assert [] == [
        name
        for name in found
        if not (readme.parent / name).exists() and not (ROOT / "grafana" / "dashboards" / name).exists()
    ]


def dumping(directory, program):
    """Run the snapshot script with *program* in place of pg_dump."""
    (directory / "bin").mkdir(exist_ok=True)
    (directory / "bin" / "pg_dump").write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
    (directory / "bin" / "pg_dump").chmod(0o755)
    environ = {"PATH": f"{directory / 'bin'}:{os.environ['PATH']}", "SNAPSHOTS": str(directory), "KEEP_DAYS": "14"}
    script = str(STACK / "scale" / "snapshot.sh")
    return subprocess.run(["sh", script], env=environ, capture_output=True, text=True, timeout=30)


def dumps_after(directory, program):
    """Names of the dumps after one run beside an old and a young dump, and how the run ended."""
    for name, days in (("grafana-old.dump", 20), ("grafana-young.dump", 3)):
        (directory / name).touch()
        then = (directory / name).stat().st_mtime - days * 86_400
        os.utime(directory / name, (then, then))
    ended = dumping(directory, program).returncode
    return ended, sorted(path.name for path in directory.iterdir() if path.is_file())


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs sh")
def test_snapshot_replaces_old_ones(tmp_path):
    """
    A disk that is full of snapshots ends them. What is in them is for nobody else to read.
    """
    ended, names = dumps_after(tmp_path, 'for last; do :; done; echo dump > "${last#--file=}"')

    assert (0, "grafana-young.dump") == (ended, names[-1])
    assert re.fullmatch(r"grafana-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.dump", names[0])
    assert 2 == len(names)
    assert 0o600 == (tmp_path / names[0]).stat().st_mode & 0o777


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs sh")
def test_snapshot_that_fails_deletes_none(tmp_path):
    """
    While dumps fail, the old ones are all there is; half a dump must not look like one.
    """
    ended, names = dumps_after(tmp_path, 'for last; do :; done; echo half > "${last#--file=}"; exit 1')

    assert (1, ["grafana-old.dump", "grafana-young.dump"]) == (ended, names)


def test_sizes_are_as_measured():
    """
    Somebody orders disks by these figures.
    """
    found, written = asdict(sizing.measured()), asdict(sizing.written())

    assert written == pytest.approx(found, rel=0.1)


def test_what_follows_from_the_sizes_is_calculated():
    """
    A table that was typed is wrong after the first change.
    """
    text = sizing.README.read_text(encoding="utf-8")

    assert f"<!-- sized -->\n{sizing.sized_table(sizing.written())}\n<!-- end -->" in text
    for assumed in (f"{sizing.KEPT:.1%}".replace("%", " %"), f"{sizing.HELD_SPAN_BYTES / 1000} kB"):
        assert assumed in text
