"""The ways in which a program of the table is run: as it is, decorated, and under ``tta-observe run``."""

from __future__ import annotations

import ast
import json
import sys

START = """
import sys

import program
from probe import finish

if __name__ == "__main__":
    code = 0
    try:
        program.main()
    except SystemExit as end:
        code = end.code
    finish()  # when no exception is left that holds what was open
    sys.exit(code)
"""

CONFIGURED = """
import tta_observe

tta_observe.configure(exporter="local", service_name="conformance")
"""


def bare(row, directory):
    """The program alone: what it prints and how it ends is what everybody else must see, too."""
    _write(directory, row.source, START)
    return [sys.executable, "start.py"]


def decorated(row, directory):
    """The same with the decorators written where its functions are defined, as a user would."""
    _write(directory, decorate(row), CONFIGURED + START)
    return [sys.executable, "start.py"]


def under_run(row, directory):
    """The very same program, and a file of patterns beside it."""
    _write(directory, row.source, START)
    (directory / "observed.toml").write_text(config(row), encoding="utf-8")
    return [sys.executable, "-m", "tta_observe", "run", "--config", "observed.toml", "start.py"]


WAYS = {"decorated": decorated, "tta-observe run": under_run}
"""By the title of their half of the table."""


def config(row):
    """What ``tta-observe run`` is told."""
    lines = ["[tool.tta_observe]", 'service_name = "conformance"']
    for name, meant in row.observed.items():
        type_, _, action = meant.partition(".")
        lines += _table("primitives", pattern=f"program:{name}", type=type_, action=action)
    for name, workflow in row.workflows.items():
        lines += _table("workflows", pattern=f"program:{name}", name=workflow)
    return "\n".join(lines) + "\n"


def decorate(row):
    """The source of the program with decorators."""
    tree = _Decorating(row).visit(ast.parse(row.source))
    tree.body.insert(1, ast.parse("from tta_observe import traced_primitive as _traced, workflow as _workflow").body[0])
    return ast.unparse(ast.fix_missing_locations(tree))


class _Decorating(ast.NodeTransformer):
    """Writes a decorator at each definition that is to be observed, and around the value of each such name."""

    def __init__(self, row):
        self._row = row
        self._inside = []

    def visit_ClassDef(self, node):
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()
        return node

    def visit_FunctionDef(self, node):
        found = self._decorator(node.name)
        if found is not None:  # under @classmethod and @staticmethod, as people do; `run` puts it above them
            node.decorator_list.append(found)
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - as ast calls it

    def visit_Assign(self, node):
        found = self._decorator(node.targets[0].id) if isinstance(node.targets[0], ast.Name) else None
        if found is not None:
            node.value = ast.Call(found, [node.value], [])
        return node

    def _decorator(self, name):
        name = ".".join([*self._inside, name])
        if name in self._row.workflows:
            return _expression(f"_workflow({self._row.workflows[name]!r})")
        if name in self._row.observed:
            type_, _, action = self._row.observed[name].partition(".")
            return _expression(f"_traced(type={type_!r}, action={action!r})")
        return None


def _expression(text):
    return ast.parse(text, mode="eval").body


def _table(kind, **values):
    return [f"[[tool.tta_observe.{kind}]]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]


def _write(directory, program, start):
    (directory / "program.py").write_text(program, encoding="utf-8")
    (directory / "start.py").write_text(start, encoding="utf-8")
