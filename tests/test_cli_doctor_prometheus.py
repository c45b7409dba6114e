"""The doctor at a Prometheus: do our names arrive as panels and rules ask for them, and if not, who changed them?"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receiver import black_hole, refusing

from tta_observe.cli.doctor import panels, prometheus, routes, series, server
from tta_observe.cli.doctor.arrivals import Arrived, targets_of
from tta_observe.cli.doctor.fetch import Base, base_of
from tta_observe.cli.doctor.names import SELECTORS, expected, variant
from tta_observe.cli.doctor.panels import Shown
from tta_observe.cli.doctor.server import Server
from tta_observe.instruments import EXECUTION_DURATION, EXECUTIONS, INSTRUMENTS

EXACT = [name for spec in INSTRUMENTS for name in expected(spec)]
"""The twelve names of the ten instruments: a histogram has three."""


def of(findings, name):
    """The one finding called *name*."""
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def states(findings):
    return {finding.name: finding.state for finding in findings}


# Names


@pytest.mark.parametrize(
    ("wanted", "arrived"),
    [
        ("primitive_execution_count", "primitive_execution_count_total"),
        ("primitive_execution_count", "primitive.execution.count"),
        ("primitive_execution_count", "primitive.execution.count_total"),
        ("primitive_execution_count", "primitive_execution_count_execution_total"),
        ("primitive_execution_duration_bucket", "primitive_execution_duration_milliseconds_bucket"),
        ("primitive_execution_duration_sum", "primitive.execution.duration_sum"),
        ("primitive_execution_duration_count", "primitive_execution_duration"),
        ("primitive_connection_count", "primitive_connection_count_total"),
        ("cache_hits", "cache_hits_total"),
        ("llm_tokens_total", "llm_tokens_token_total"),
        ("agent_workflows_active", "agent_workflows_active_ratio"),
        ("llm_cost_total", "llm_cost_USD_total"),
    ],
)
def test_every_known_change_of_a_name_is_recognised(wanted, arrived):
    """
    Each of these is what some exporter makes of the name when nobody tells it not to.
    """
    spec = next(spec for spec in INSTRUMENTS if wanted in expected(spec))

    assert arrived == variant(spec, wanted, [arrived])
    assert any(re.fullmatch(re.search(r'"(.+?)"', selector)[1], arrived) for selector in SELECTORS)


@pytest.mark.parametrize(
    "name", [*EXACT, "cache_hits_ratio_5m", "tta:cache_hits:ratio_5m", "primitive_execution_counter"]
)
def test_right_names_and_other_peoples_names_are_no_change_of_ours(name):
    """
    A doctor that finds trouble where there is none is not asked twice.
    """
    assert [None] * len(EXACT) == [variant(spec, wanted, [name]) for spec in INSTRUMENTS for wanted in expected(spec)]


# Judging

FLAGS = {"web.enable-otlp-receiver": "false", "web.enable-remote-write-receiver": "false", "enable-feature": ""}
PUSHED = {"web.enable-remote-write-receiver": "true"}
OLD_OTLP = {"enable-feature": "otlp-write-receiver"}
SCRAPING = "scrape_configs:\n- job_name: collector\n  honor_labels: true\n"
TAKES_OTLP = Server("http://p", version="3.14.0", flags={**FLAGS, "web.enable-otlp-receiver": "true"})
LABELS = {
    "primitive_name": "ask", "primitive_type": "llm", "execution_status": "success", "le": "1",
    "source_primitive": "a", "target_primitive": "b", "job": "shop", "instance": "i",
}  # fmt: skip
RIGHT = Arrived(
    recent=dict.fromkeys(EXACT, 3.0),
    ever=frozenset(EXACT),
    labels=dict.fromkeys(EXACT, LABELS),
    asked="primitive_execution_count",
    age_s=5.0,
    points_5m=20.0,
    points_1h=240.0,
    targets=1,
)
SUFFIXED = replace(
    RIGHT,
    recent={"primitive_execution_count_total": 3.0, "cache_total": 1.0},
    labels={"primitive_execution_count_total": LABELS},
    asked="primitive_execution_count_total",
)


def judged(arrived, at=TAKES_OTLP):
    return list(series.judge(arrived, at))


def test_right_names_are_right():
    """
    Twelve names, each as panels ask for it, and nothing to say but that.
    """
    findings = judged(RIGHT)

    assert {"ok"} == {finding.state for finding in findings}
    assert [*EXACT, "samples"] == [finding.name for finding in findings]


def test_only_what_was_recorded_arrives():
    """
    A program without LLM calls and caches has no series of them, which is no problem.
    """
    few = {"primitive_execution_count": 1.0, **dict.fromkeys(expected(EXECUTION_DURATION), 1.0)}
    findings = judged(replace(RIGHT, recent=few, ever=frozenset(few)))

    assert {"ok", "warning"} == {finding.state for finding in findings}
    assert "not seen: nothing was recorded for it" == of(findings, "cache_hits").found


def test_series_that_ended_are_told_from_those_that_never_were():
    """
    It worked an hour ago is another trouble than it never worked.
    """
    few = {name: 1.0 for name in EXACT if name != "cache_hits"}

    assert "seen earlier, not in the last 10 min" == of(judged(replace(RIGHT, recent=few)), "cache_hits").found
    assert "ours were seen earlier, not in the last 10 min" == of(judged(Arrived(ever=frozenset(EXACT))), "names").found


def test_name_that_every_call_leaves_is_missed():
    """
    When the others arrive, something on the way drops this one.
    """
    recent = {"cache_total": 1.0, "primitive_connection_count": 1.0}
    findings = judged(replace(RIGHT, recent=recent, ever=frozenset(recent)))

    assert "problem" == states(findings)["primitive_execution_count"]


@pytest.mark.parametrize(
    ("arrived", "at", "line"),
    [
        (replace(SUFFIXED, from_python=True), TAKES_OTLP, "    replacement: primitive_execution_duration_${1}"),
        (replace(SUFFIXED, scraped=True), TAKES_OTLP, f"  {routes._STRATEGY}"),
        (SUFFIXED, TAKES_OTLP, "  otlp:"),
        (SUFFIXED, replace(TAKES_OTLP, flags={**FLAGS, **PUSHED}), "  add_metric_suffixes: false"),
        (SUFFIXED, replace(TAKES_OTLP, flags={**FLAGS, **PUSHED, **OLD_OTLP}), "Grafana Mimir, under limits:"),
        (SUFFIXED, replace(TAKES_OTLP, kind="Grafana Mimir", flags=None), "    otel_metric_suffixes_enabled: false"),
        (SUFFIXED, replace(TAKES_OTLP, flags=None), "Grafana Mimir, under limits:"),
        (SUFFIXED, replace(TAKES_OTLP, flags=FLAGS, config=SCRAPING), f"  {routes._STRATEGY}"),
    ],
    ids=["python", "collector", "otlp", "remote write", "both", "mimir", "silent", "honoured labels"],
)  # fmt: skip
def test_wrong_names_lead_to_the_line_of_whoever_changed_them(arrived, at, line):
    """
    Five ways lead to a Prometheus, and each has a switch of its own, in a file of its own.
    """
    found = of(judged(arrived, at), "primitive_execution_count")

    assert ("problem", "as primitive_execution_count_total") == (found.state, found.found)
    assert line in found.remedy.splitlines()
    assert "  prometheus/rules/optional/tta_aliases.yml" in found.remedy.splitlines()


def test_names_with_dots_are_no_case_for_the_aliases():
    """
    The alias rules know suffixes, not dots.
    """
    dotted = replace(RIGHT, recent={"primitive.execution.count": 1.0}, asked="primitive.execution.count", labels={})
    found = of(judged(dotted), "primitive_execution_count")

    assert "as primitive.execution.count" == found.found
    assert "tta_aliases" not in found.remedy


def test_receiver_that_is_set_right_is_not_blamed():
    """
    Its configuration says so; then it was somebody else.
    """
    told = replace(TAKES_OTLP, config=f"otlp:\n  {routes._STRATEGY}\n")

    assert ("otlp", "unknown") == (routes.route(SUFFIXED, TAKES_OTLP), routes.route(SUFFIXED, told))


def test_native_histogram_is_told_from_a_missing_one():
    """
    Panels ask for buckets; a conversion on arrival leaves none.
    """
    recent = {"primitive_execution_count": 1.0, "primitive_execution_duration": 1.0}
    found = of(judged(replace(RIGHT, recent=recent)), "primitive_execution_duration_bucket")

    assert "as a native histogram" == found.found
    assert "  convert_histograms_to_nhcb: false" in found.remedy.splitlines()


@pytest.mark.parametrize(
    ("arrived", "at", "line"),
    [
        (Arrived(ahead=frozenset(EXACT)), TAKES_OTLP, "  timedatectl set-ntp true"),
        (Arrived(down={"shop": "connection refused"}), TAKES_OTLP, "  - targets: ['127.0.0.1:9464']"),
        (Arrived(down={"shop": "cache_hits does not support exemplars"}), TAKES_OTLP, "  enable_open_metrics: false"),
        (Arrived(targets=0), replace(TAKES_OTLP, flags=FLAGS), "  --web.enable-otlp-receiver"),
        (Arrived(targets=1), replace(TAKES_OTLP, flags=FLAGS), f"  {series._SCRAPE}"),
        (Arrived(), TAKES_OTLP, "  unset OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"),
        (Arrived(ever=frozenset(EXACT)), TAKES_OTLP, f"  {series._PUSH}"),
    ],
    ids=["clock", "target", "exemplars", "receiver", "scraped", "never", "earlier"],
)  # fmt: skip
def test_no_series_at_all_is_one_problem_with_a_next_step(arrived, at, line):
    """
    An empty Prometheus has many causes; the most likely one by what it says of itself comes first.
    """
    (found,) = judged(arrived, at)

    assert "problem" == found.state
    assert line in found.remedy.splitlines()


@pytest.mark.parametrize(
    ("change", "name", "state"),
    [
        ({"points_5m": 1.0, "points_1h": 12.0}, "samples", "problem"),
        ({"points_5m": None, "points_1h": 12.0}, "samples", "problem"),
        ({"points_5m": 1.0, "points_1h": 1.0}, "samples", "warning"),
        ({"points_5m": 2.0, "points_1h": 2.0}, "samples", "ok"),
        ({"age_s": 240.0}, "age", "warning"),
        ({"resets": 2.0}, "resets", "warning"),
        ({"labels": {"primitive_execution_count": LABELS | {"exported_job": "shop"}}}, "job", "warning"),
        ({"labels": {EXACT[1]: {"primitive_name": "a", "primitive_type": "b"}}}, EXACT[1], "problem"),
        ({"labels": {"primitive_connection_count": {"job": "shop"}}}, "primitive_connection_count", "problem"),
    ],
)  # fmt: skip
def test_series_with_right_names_can_still_be_useless(change, name, state):
    """
    Too seldom, too old, of two processes at once, without the labels that panels group by.
    """
    findings = [finding for finding in judged(replace(RIGHT, **change)) if finding.group == series.SERIES.title]

    assert state == states(findings)[name]


def test_one_reset_is_nothing():
    """
    A program was restarted.
    """
    assert "resets" not in states(judged(replace(RIGHT, resets=1.0)))


def test_targets_are_told_without_their_addresses():
    """
    An address may hold a password.
    """
    target = {"labels": {"job": "shop"}, "health": "down", "lastError": 'Get "http://u:pass@h/metrics?k=v": EOF'}

    assert [("shop", "EOF"), ("", "")] == targets_of({"activeTargets": [target, {"health": "up"}, 7]})
    assert targets_of([]) is None


@pytest.mark.parametrize(
    ("version", "kind", "state"),
    [
        ("2.41.0", "Prometheus", "warning"),
        ("2.42.0+ds", "Prometheus", "ok"),
        ("3.14.0", "Prometheus", "ok"),
        ("", "Prometheus", "ok"),
        ("0.37.2", "a server that speaks its API,", "ok"),
    ],
)
def test_old_versions_are_told(version, kind, state):
    """
    Rules and panels are written for 2.42; what only speaks the API has versions of its own.
    """
    assert state == of(server.judge(Server("http://p", kind, version)), "server").state


@pytest.mark.parametrize(("ahead_s", "told"), [(90.0, "ahead of"), (-90.0, "behind"), (2.0, None), (None, None)])
def test_clock_of_the_server_is_compared_with_ours(ahead_s, told):
    """
    Measurements of a wrong clock land where no panel looks.
    """
    found = [finding.found for finding in server.judge(Server("http://p", ahead_s=ahead_s)) if finding.name == "clock"]

    assert ([] if told is None else [f"its clock is 1.5 min {told} this one"]) == found


KEEPS_THEM = {"enable-feature": "a,exemplar-storage"}
SHOWN = Shown({name: [({}, 1.0)] for name in panels.VERBATIM}, {"tta_primitives": ()}, 3)


@pytest.mark.parametrize(
    ("shown", "at", "name", "state"),
    [
        (SHOWN, TAKES_OTLP, "success rate", "ok"),
        (replace(SHOWN, results={}), TAKES_OTLP, "success rate", "warning"),
        (replace(SHOWN, results={"success rate": []}), TAKES_OTLP, "success rate", "warning"),
        (replace(SHOWN, results={"success rate": [({}, float("nan"))]}), TAKES_OTLP, "success rate", "warning"),
        (replace(SHOWN, groups={}), TAKES_OTLP, "rules", "warning"),
        (replace(SHOWN, exemplars=0), TAKES_OTLP, "exemplars", "warning"),
        (replace(SHOWN, exemplars=0), replace(TAKES_OTLP, flags=KEEPS_THEM), "exemplars", "ok"),
        (SHOWN, TAKES_OTLP, "exemplars", "ok"),
    ],
)  # fmt: skip
def test_queries_rules_and_exemplars_are_told(shown, at, name, state):
    """
    What a panel would show, and whether an alert could fire at all.
    """
    assert state == of(panels.judge(shown, at), name).state


def test_rules_that_fail_are_named():
    """
    A rule that fails says so on a page that nobody opens.
    """
    groups = panels.groups_of(
        {
            "groups": [
                {"name": "tta_primitives", "rules": [{"name": "HighErrorRate", "health": "err"}, {"health": "ok"}]}
            ]
        }
    )
    found = [
        finding for finding in panels.judge(replace(SHOWN, groups=groups), TAKES_OTLP) if finding.state == "problem"
    ]

    assert ["tta_primitives: failing are HighErrorRate"] == [finding.found for finding in found]


def test_verbatim_queries_use_names_that_exist():
    """
    They are promised to work as they stand.
    """
    names = {
        name for query in panels.VERBATIM.values() for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+(?=[\[{)])", query)
    }

    assert 5 == len(panels.VERBATIM)
    assert {"cache_total", "agent_workflows_active"} < names <= set(EXACT)


# Addresses


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h:9090", "http://h:9090"),
        ("http://h:9090/", "http://h:9090"),
        ("https://h/prom/", "https://h/prom"),
        ("http://user:pass@h:9090/prom/graph?g0.expr=up#top", "http://h:9090/prom"),
        ("http://[::1]:9090/query", "http://[::1]:9090"),
    ],
)
def test_address_is_taken_as_people_copy_it(text, url):
    """
    With a slash, a path, the page one was looking at, a user name: what is shown has no secret in it.
    """
    assert url == base_of(text).url
    assert "pass" not in repr(base_of(text))


@given(st.text())
def test_any_text_is_an_address_or_a_sentence(text):
    """
    A mistyped address must not end in a traceback.
    """
    try:
        told = base_of(text).url
    except ValueError as error:
        told = str(error)

    assert told.startswith(("http", "that is no address. Write http://127.0.0.1:9090"))


# A server that answers as it likes


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        parts = urlsplit(self.path)
        self.server.asked.append((parts.path, parse_qs(parts.query), self.headers))
        status, headers, body = self.server.answer(parts.path)
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Whoever asked did not wait for the rest."""


@contextmanager
def answering(answer):
    """A server whose *answer* is a function from a path to status, headers and body; yields it."""
    with _Quiet(("127.0.0.1", 0), _Answering) as http:
        http.answer, http.asked = answer, []
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield http
        finally:
            http.shutdown()
            thread.join()


def address(http, path=""):
    return base_of(f"http://127.0.0.1:{http.server_port}{path}")


def success(data):
    return 200, {}, json.dumps({"status": "success", "data": data}).encode()


def checked(base):
    """What is said about *base*, which must not take long."""
    began = time.monotonic()
    findings = prometheus.check(base)

    assert time.monotonic() - began < prometheus.BUDGET_S + 1
    assert findings
    return findings


MISSING = (404, {}, b"")


def pretending(**answers):
    """A Prometheus of which only the answers to some paths are given; every query gives one row without a name."""

    def answer(path):
        for ending, found in answers.items():
            if path.endswith(ending):
                return found if isinstance(found, tuple) else success(found)
        return success({"resultType": "vector", "result": []}) if path.endswith("/query") else (404, {}, b"no")

    return answer


@pytest.mark.parametrize(
    ("answer", "told", "remedy"),
    [
        (lambda _: (404, {}, b"404 page not found"), "is no Prometheus (HTTP status 404)", "http://127.0.0.1:9090"),
        (lambda _: (200, {}, b"<html>"), "is no Prometheus (HTTP status 200)", "http://127.0.0.1:9090"),
        (lambda _: (401, {}, b""), "asks who you are (HTTP status 401)", "USER:PASSWORD@"),
        (lambda _: (302, {"Location": "http://u:p@sso/in?back=secret"}, b""), "sends on to http://sso/in", "Name"),
        (lambda _: (400, {}, b"Client sent an HTTP request to an HTTPS server."), "speaks TLS", "https:"),
        (pretending(query=MISSING, health=(200, {}, b'{"database": "ok"}')), "is a Grafana", "behind it"),
        (pretending(query=MISSING, buildinfo={"application": "Grafana Mimir"}), "under another path", "/prometheus"),
    ],
    ids=["404", "web page", "401", "redirection", "TLS", "Grafana", "Mimir"],
)  # fmt: skip
def test_what_is_no_prometheus_is_told_for_what_it_is(answer, told, remedy):
    """
    The port next door, the proxy in front of it, the Grafana on top of it.
    """
    with answering(answer) as http:
        (found,) = checked(address(http))

    assert "problem" == found.state
    assert told in found.found
    assert remedy in found.remedy
    assert "secret" not in str(found)


def test_what_only_speaks_the_api_is_asked_like_a_prometheus():
    """
    Thanos, VictoriaMetrics and Mimir say other things of themselves, or nothing.
    """
    with answering(pretending(buildinfo={"version": "2.24.0"})) as http:
        findings = checked(address(http))

    assert "a server that speaks its API, 2.24.0 at http://127.0.0.1" in of(findings, "server").found
    assert "not given, or not in time: status/flags" in of(findings, "answers").found


def test_path_and_password_are_used_and_not_shown():
    """
    A Prometheus behind a proxy has both.
    """
    with answering(pretending()) as http:
        base = base_of(f"http://user:pa%20ss@127.0.0.1:{http.server_port}/prom/")
        findings = checked(base)

    assert {"Basic dXNlcjpwYSBzcw=="} == {headers["Authorization"] for _, _, headers in http.asked}
    assert all(path.startswith(("/prom/api/", "/prom/prometheus/")) for path, _, _ in http.asked)
    assert "pa%20ss" not in str(findings) + repr(base)


def test_password_is_not_carried_to_where_a_server_points():
    """
    A redirection must not be a way to collect passwords.
    """
    with answering(pretending()) as thief:
        target = f"http://127.0.0.1:{thief.server_port}/"
        with answering(lambda _: (302, {"Location": target}, b"")) as http:
            checked(base_of(f"http://user:pass@127.0.0.1:{http.server_port}"))

    assert [] == thief.asked


def test_clock_of_the_server_is_read_from_its_answers():
    """
    The date of an answer is all it takes.
    """
    with answering(lambda _: (200, {"Date": formatdate(time.time() - 600)}, success({"result": []})[2])) as http:
        findings = checked(address(http))

    assert re.fullmatch(r"its clock is 10(\.\d)? min behind this one", of(findings, "clock").found)


def test_loopback_is_asked_without_the_proxy_of_the_environment(monkeypatch):
    """
    A proxy does not know this machine's 127.0.0.1.
    """
    with refusing() as proxy, answering(pretending(buildinfo={"version": "3.0.0", "revision": "x"})) as http:
        for variable in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(variable, proxy)
        findings = checked(address(http))

    assert "Prometheus 3.0.0 at" in of(findings, "server").found


@pytest.mark.parametrize(
    ("nowhere", "told"),
    [(refusing, "nobody listens there"), (black_hole, "no answer within 2 s")],
    ids=["refused", "black hole"],
)
def test_address_where_nobody_answers(nowhere, told):
    """
    In two seconds, with a reason.
    """
    with nowhere() as endpoint:
        (found,) = checked(base_of(endpoint))

    assert told in found.found


def test_host_that_does_not_exist():
    """
    The name of a container is unknown outside of its network.
    """
    (found,) = checked(base_of("http://prometheus.invalid:9090"))

    assert "there is no host of this name" in found.found


def saying(data, pause_s=0.0):
    """A server that says *data* to whoever comes, byte by byte with pauses or at once; yields its address."""

    @contextmanager
    def serving():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            over = threading.Event()
            thread = threading.Thread(target=_say_to_all, args=(listener, data, pause_s, over))
            thread.start()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                over.set()
                thread.join()

    return serving()


def _say_to_all(listener, data, pause_s, over):
    listener.settimeout(0.05)
    while not over.is_set():
        try:
            near, _ = listener.accept()
        except TimeoutError:
            continue
        with near:
            _say(near, data, pause_s, over)


def _say(near, data, pause_s, over):
    try:
        near.recv(65536)
        if not pause_s:
            near.sendall(data)
        for byte in data if pause_s else b"":
            near.sendall(bytes((byte,)))
            if over.wait(pause_s):
                return
    except OSError:  # whoever asked is gone
        return


@pytest.mark.parametrize(
    ("data", "pause_s", "told"),
    [
        (bytes((0, 0, 6, 4, 0, 0, 0, 0, 0)), 0, "it does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b" " * (9 * 2**20), 0, "longer than 8 MiB"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, 0.05, "no answer within 2 s"),
        (b"", 0, "it does not speak HTTP"),
    ],
    ids=["grpc", "huge", "trickle", "hung up"],
)
def test_answers_without_end_and_without_sense_are_given_up(data, pause_s, told):
    """
    No server, however broken, makes the doctor hang or run out of memory.
    """
    with saying(data, pause_s) as endpoint:
        (found,) = checked(base_of(endpoint))

    assert told in found.found


def test_slow_server_is_asked_no_longer_than_the_budget():
    """
    Each answer comes, each takes a second: not all questions can be asked.
    """

    def slowly(path):
        time.sleep(1.0)
        return pretending()(path)

    with answering(slowly) as http:
        findings = checked(address(http))

    assert "not given, or not in time:" in of(findings, "answers").found


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["result", "metric", "value", "groups", "name", "rules", "yaml", "a"]), inner)
    ),
    max_leaves=12,
)
NAME = st.sampled_from([*EXACT, "primitive_execution_count_total", "llm.tokens.total", "other"]) | st.text(max_size=5)
ROWS = st.fixed_dictionaries(
    {"metric": st.dictionaries(st.sampled_from(["__name__", "job", "instance", "le", "exported_job"]), NAME)},
    optional={"value": st.tuples(st.floats(), NAME | st.floats().map(str)) | JSON},
)
DATA = JSON | NAME.map(lambda name: [name]) | st.lists(ROWS, max_size=4).map(lambda rows: {"result": rows})
ANSWERS = st.tuples(
    st.sampled_from([200, 200, 200, 200, 204, 301, 404, 500]),
    st.sampled_from([{}, {"Date": "never"}, {"Location": "\x1b["}]),
    st.binary(max_size=20)
    | DATA.map(lambda data: json.dumps({"status": "success", "data": data}).encode())
    | JSON.map(lambda whole: json.dumps(whole).encode())
    | st.just(b"[" * 100_000),
)


@settings(max_examples=60)
@given(first=ANSWERS, rest=st.lists(ANSWERS, min_size=1, max_size=6))
def test_whatever_a_server_answers_there_is_a_sentence(first, rest):
    """
    Proxies, error pages, other programs, hostile ones: no traceback, no terminal escapes, always a finding.
    """
    left = [first, success({"result": []}), *rest]

    def answer(path):
        left.append(left.pop(0))
        status, headers, body = left[-1]
        return status, headers, b"" if status == 204 else body

    with answering(answer) as http:
        findings = checked(address(http))

    assert all(finding.found and finding.found.isprintable() for finding in findings)
    assert all(finding.remedy for finding in findings if finding.state == "problem")


# A real one


def exposition(rename=lambda name: name):
    """What a program would expose with one run of everything, under names that *rename* gives."""
    lines = []
    for spec in INSTRUMENTS:
        labels = ",".join(f'{label.replace(".", "_")}="x"' for label in spec.labels)
        for name in expected(spec):
            le = ',le="+Inf"' if name.endswith("_bucket") else ""
            lines.append(f"{rename(name)}{{{labels}{le}}} {len(lines)}")
    return "\n".join(lines).replace('llm_model_name="x"', 'llm_model_name="gpt-4o"') + "\n"


def with_suffixes(name):
    name = name.replace("duration_", "duration_milliseconds_")
    return name if name.endswith(("_total", "_bucket", "_sum", "_active")) or "duration" in name else f"{name}_total"


@contextmanager
def real_prometheus(directory, target, *flags):
    """Debian's Prometheus, scraping *target* every second; yields its address."""
    directory.mkdir()
    (directory / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: tta, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n",
        encoding="utf-8",
    )
    log, own = directory / "log", ("--config.file=prometheus.yml", "--storage.tsdb.path=data")
    arguments = ["prometheus", *own, "--web.listen-address=127.0.0.1:0", *flags]
    with log.open("wb") as stream, subprocess.Popen(arguments, cwd=directory, stderr=stream) as child:
        try:
            yield base_of(f"http://127.0.0.1:{told_port(log)}")
        finally:
            child.kill()


def told_port(log):
    """The port that it was given, which it writes into its log."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = re.search(r'msg="?Listening on"? address=127.0.0.1:([1-9]\d*)', log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def wait_until(base: Base, told):
    """Until *told* is among what is found: scraping takes a second or two to begin."""
    deadline = time.monotonic() + 30
    while told not in str(prometheus.check(base)) and time.monotonic() < deadline:
        time.sleep(0.3)


@pytest.fixture(name="real", scope="module")
def _real(tmp_path_factory):
    """Three of them at once: one gets the right names, one gets suffixes, one gets nothing."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs prometheus")
    directory = tmp_path_factory.mktemp("prometheus")
    pages = {"/right": exposition(), "/suffixed": exposition(with_suffixes)}
    with (
        answering(lambda _: (200, {}, pages["/right"].encode())) as right,
        answering(lambda _: (200, {}, pages["/suffixed"].encode())) as suffixed,
        real_prometheus(directory / "right", right.server_port, "--enable-feature=exemplar-storage") as one,
        real_prometheus(directory / "suffixed", suffixed.server_port) as two,
        refusing() as nowhere,
        real_prometheus(directory / "nothing", nowhere.rpartition(":")[2]) as three,
    ):
        for base, told in ((one, "within 5 min"), (two, "within 5 min"), (three, "is down")):
            wait_until(base, told)
        yield {"right": one, "suffixed": two, "nothing": three}


def test_real_prometheus_with_right_names(real):
    """
    Every name, all five queries: the doctor agrees with what panels will show.
    """
    findings = checked(real["right"])

    assert re.match(r"Prometheus \d+\.\d+", of(findings, "server").found)
    assert dict.fromkeys(EXACT, "ok") == {name: state for name, state in states(findings).items() if name in EXACT}
    assert ("ok", "ok") == (of(findings, "samples").state, of(findings, "active workflows").state)
    assert [] == [finding for finding in findings if finding.state == "problem"]
    assert "none yet" == of(findings, "exemplars").found
    assert [] == [finding.found for finding in findings if finding.name == "answers"]


def test_real_prometheus_with_suffixes(real):
    """
    Half of the panels work, which is why it takes people days to find out.
    """
    findings = checked(real["suffixed"])
    wrong = {finding.name: finding.found for finding in findings if finding.state == "problem"}

    assert wrong == {name: f"as {with_suffixes(name)}" for name in EXACT if with_suffixes(name) != name}
    assert {EXECUTIONS.prometheus_name, "cache_hits"} < wrong.keys()
    assert "  translation_strategy: UnderscoreEscapingWithoutSuffixes" in of(findings, "cache_hits").remedy.splitlines()
    assert "no data" == of(findings, "success rate").found
    assert "  --enable-feature=exemplar-storage" in of(findings, "exemplars").remedy.splitlines()


def test_real_prometheus_that_gets_nothing(real):
    """
    Its own page of targets knows why.
    """
    found = of(checked(real["nothing"]), "names")

    assert "none of ours arrives, and the job tta is down: dial tcp 127.0.0.1" in found.found
    assert found.found.endswith("connection refused")


def test_command_line_of_a_real_one_fits_80_columns(real, capsys, monkeypatch):
    """
    Read as people read it: groups, signs, and the lines to copy in one piece.
    """
    from tta_observe.cli import main

    monkeypatch.setenv("COLUMNS", "80")
    code = main(["doctor", "--prometheus", real["suffixed"].url])
    shown = capsys.readouterr().out

    assert 1 == code
    assert [] == [line for line in shown.splitlines() if len(line) > 80]
    assert "\n      translation_strategy: UnderscoreEscapingWithoutSuffixes\n" in shown
    assert 1 == shown.count("or, where that cannot be changed, load the rules in")
