"""
Dashboards as TypeScript, for Grafana's own types to be checked against.

Values are written as object literals with a type: only there does the compiler refuse a key that the type has not.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass

from dashboard_files import panels

from grafana.node import HERE, program


@dataclass(frozen=True)
class Schema:
    """A package with the types of one Grafana, and how its files are called from outside."""

    package: str
    suffix: str = ""

    def panel(self, visual):
        """Where the options of a visual are."""
        name = f"{_PANELS[visual]}PanelCfg_types.gen{self.suffix}"
        return f"{self.package}/dist/esm/raw/composable/{visual.lower()}/panelcfg/x/{name}"


NEWEST = Schema("@grafana/schema")
SCHEMAS = {"12.0": Schema("grafana-schema-12.0", ".d.ts"), "12.4": Schema("grafana-schema-12.4"), "13.2": NEWEST}

_PANELS = {
    "gauge": "Gauge",
    "heatmap": "Heatmap",
    "nodeGraph": "NodeGraph",
    "piechart": "PieChart",
    "stat": "Stat",
    "table": "Table",
    "timeseries": "TimeSeries",
}
_TRANSFORMATIONS = {
    "calculateField": ("calculateField", "CalculateFieldTransformerOptions"),
    "filterFieldsByName": ("filterByName", "FilterFieldsByNameTransformerOptions"),
    "joinByField": ("joinByField", "JoinByFieldOptions"),
    "organize": ("organize", "OrganizeFieldsTransformerOptions"),
}

_TRANSFORMERS = "./node_modules/@grafana/data/dist/types/transformations/transformers"

_PRELUDE = """
import type { PromQuery } from './node_modules/@grafana/prometheus/dist/types/types';
import type { DataLink } from './node_modules/@grafana/data/dist/types/types/dataLink';

// What a type looks like in JSON: an enumeration of texts is one of the texts.
type Plain<T> = 0 extends 1 & T ? T : T extends string ? `${T}` : T extends object ? Members<T> : T;
type Members<T> = { [K in keyof T]: Plain<T[K]> };
// Options that a newer Grafana has as well: an older one passes over them.
type Known<Old, New> = Plain<Old> & Partial<Omit<Plain<New>, keyof Old>>;
// The links of a panel are those of its fields, in every Grafana; the schema names those of a dashboard.
type Linked<Panel> = Omit<Plain<Panel>, 'links'> & { links: DataLink[] };
"""
_COMPILER = {
    "strict": True,
    "noEmit": True,
    "skipLibCheck": True,  # Grafana's own files refer to packages that are not there
    "module": "esnext",
    "moduleResolution": "bundler",
    "target": "es2022",
    "types": [],
}
_ERROR = re.compile(r"^(?P<file>[^(\n]+)\(\d+,\d+\): error (?P<text>.*(?:\n  .*)*)$", re.MULTILINE)


def classic(dashboard, schema):
    """A classic dashboard, each panel on its own, for the compiler to name the one that is wrong."""
    whole = dashboard | {"panels": []}
    rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
    return _source(
        f"import type {{ Dashboard, FieldConfig, Panel, RowPanel }} from '{schema.package}';",
        _constant("dashboard", "Plain<Dashboard>", whole),
        *(_constant(f"row_{row['id']}", "Plain<RowPanel>", row) for row in rows),
        *(_constant(f"panel_{panel['id']}", "Linked<Panel>", panel) for panel in panels(dashboard)),
        *_parts(dashboard, schema),
    )


def tabs(resource):
    """A resource with tabs, as somebody writes it: Grafana itself adds the namespace and the rest of the metadata."""
    api = "dashboard.grafana.app/v2"
    types = f"{{ apiVersion: '{api}'; kind: 'Dashboard'; metadata: {{ name: string }}; spec: Plain<Spec> }}"
    return _source(
        f"import type {{ FieldConfig, Spec }} from '{NEWEST.package}/apis/{api}';",
        _constant("resource", types, resource),
        *_parts(resource, NEWEST),
    )


def errors(directory, sources):
    """What the compiler says about each of the *sources*, by their names."""
    for name, text in sources.items():
        (directory / f"{name}.ts").write_text(text, encoding="utf-8")
    project = {"compilerOptions": _COMPILER, "files": [f"{name}.ts" for name in sources]}
    (directory / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
    (directory / "node_modules").symlink_to(HERE / "node_modules")
    command = [program("node"), "node_modules/typescript/bin/tsc", "--pretty", "false"]
    said = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, encoding="utf-8").stdout
    found = {name: [] for name in sources}
    for error in _ERROR.finditer(said):
        found[error["file"].removesuffix(".ts")].append(error["text"])
    assert said.count("error TS") == sum(map(len, found.values())), said
    return found


def _source(*parts):
    return "\n".join([_PRELUDE, *parts])


def _constant(name, type_, value):
    return f"export const {name}: {type_} = {json.dumps(value, ensure_ascii=False)};"


def _parts(dashboard, schema):
    """What the types of a dashboard leave open: options, fields, links, transformations, queries."""
    for visual in _PANELS:
        yield f"import type * as {visual} from '{schema.panel(visual)}';"
        yield f"import type * as newest_{visual} from '{NEWEST.panel(visual)}';"
    for module, name in _TRANSFORMATIONS.values():
        yield f"import type {{ {name} }} from '{_TRANSFORMERS}/{module}';"
    for panel in panels(dashboard):
        yield from _parts_of(panel)


def _parts_of(panel):
    number, visual, config = panel["id"], panel["type"], panel["fieldConfig"]
    yield _constant(f"options_{number}", f"Known<{visual}.Options, newest_{visual}.Options>", panel["options"])
    yield _constant(f"targets_{number}", "Plain<PromQuery>[]", panel["targets"])
    yield _constant(f"links_{number}", "DataLink[]", config["defaults"].get("links", []))
    if "custom" in config["defaults"]:
        yield _constant(f"custom_{number}", f"Plain<{visual}.FieldConfig>", config["defaults"]["custom"])
    for index, each in enumerate(panel["transformations"]):
        name = f"transformation_{number}_{index}"
        yield _constant(name, f"Plain<{_TRANSFORMATIONS[each['id']][1]}>", each["options"])
    for index, override in enumerate(config["overrides"]):
        for each in override["properties"]:
            yield _constant(f"{_identifier(each['id'])}_{number}_{index}", _property(visual, each["id"]), each["value"])


def _property(visual, name):
    """The type of what an override sets."""
    if name == "links":
        return "DataLink[]"
    if name.startswith("custom."):
        return f"Plain<{visual}.FieldConfig>['{name.removeprefix('custom.')}']"
    return f"Plain<FieldConfig>['{name}']"


def _identifier(name):
    return name.replace(".", "_")
