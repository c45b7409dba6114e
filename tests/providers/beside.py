"""Runs ``application.py`` beside somebody else's telemetry, and reads what arrived at whose place."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from http_receiver import receiving_http
from receiver import attributes_of, spans_of

from tta_observe.instruments import EXECUTIONS, LLM_TOKENS

ROOT = Path(__file__).parents[2]

JOB = {
    "theirs.root": None,
    "workflow.ours.job.execute": "theirs.root",
    "primitive.processor.around": "workflow.ours.job.execute",
    "theirs.inside": "primitive.processor.around",
    "primitive.tool.inside": "theirs.inside",
}
BATCH = {
    "workflow.ours.batch.execute": None,
    "theirs.middle": "workflow.ours.batch.execute",
    "primitive.tool.inside": "theirs.middle",
}
WHOLE = (BATCH, JOB)
"""Both traces of the application: each span's name, and its parent's."""

RUNS = 5
"""Executions of our workflows and primitives in it."""

INPUT, OUTPUT = 2006, 300
"""Tokens of the documented answer of the model."""

DELTA = 1


class Span(NamedTuple):
    trace: str
    id: str
    parent: str | None
    name: str
    tokens: int = 0
    """What backends add up as input."""


@dataclass(frozen=True)
class Place:
    """What arrived at one place."""

    spans: tuple[Span, ...]
    executions: int
    """By our metrics."""
    services: frozenset[str] = frozenset()
    tokens: int = 0
    """By our metrics; of our store alone."""

    @property
    def traces(self):
        """Names of spans and of their parents, ``lost`` where that did not arrive, in the order of :data:`WHOLE`."""
        names = {span.id: span.name for span in self.spans}
        found = {}
        for span in self.spans:
            found.setdefault(span.trace, {})[span.name] = names.get(span.parent, "lost") if span.parent else None
        return tuple(sorted(found.values(), key=len))

    @property
    def twice(self):
        """Names of spans that arrived more than once."""
        counts = Counter(self.spans)
        return [span.name for span, times in counts.items() if times > 1]


NOTHING = Place((), 0)


@dataclass(frozen=True)
class Outcome:
    """How the application ended, and what arrived: at *their* own server, at the *collector* and in our *store*."""

    status: int
    errors: str
    facts: dict
    ran_s: float
    """Until its last line."""
    exit_s: float
    their: Place
    collector: Place
    store: Place


def application(peer, first, directory, *, end="nobody", collector=False, launcher=(), **variables):
    """
    Run it in an environment that says nothing of telemetry, or names one *collector* for everybody.

    *launcher*: what is started in the place of the interpreter.
    """
    with receiving_http() as cloud, receiving_http() as common:
        named = {"OTEL_EXPORTER_OTLP_ENDPOINT": common.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        surroundings = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TTA_OBSERVE_STORE": str(directory / "store.db"),
            "CLOUD": cloud.endpoint,
            **(named if collector else {}),
            **variables,
        }
        program = [ROOT / "tests/providers/application.py", peer, first, end]
        begun = time.monotonic()
        done = subprocess.run(
            [*(launcher or [sys.executable]), *program],
            cwd=directory, env=surroundings, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        ended = time.monotonic()
        places = _arrived(cloud), _arrived(common), _stored(directory / "store.db")
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("facts ", "the ")))
    facts = json.loads(said.get("facts", "{}"))
    last = float(said.get("the", "0").split()[-1])
    return Outcome(done.returncode, done.stderr, facts, last - begun, ended - last, *places)


def check_ended_well(outcome):
    """Nobody's provider was replaced, nobody said a word, and nobody kept the program from ending."""
    assert (0, "") == (outcome.status, outcome.errors)
    assert outcome.facts["kept"]
    assert {} == outcome.facts["errors"]
    assert outcome.exit_s < max(2.0, outcome.ran_s)  # on a machine that is busy with other things, all takes its time


def check_one_bill(outcome, their_span):
    """One call, two spans: ours knows what it is in, theirs has the tokens that backends add up."""
    chat = {
        "workflow.ours.chat.execute": None,
        "primitive.llm.generate": "workflow.ours.chat.execute",
        their_span: "primitive.llm.generate",
    }

    assert chat in outcome.their.traces
    assert {their_span: INPUT} == {span.name: span.tokens for span in outcome.their.spans if span.tokens}
    assert INPUT + OUTPUT == outcome.store.tokens


def check_arrived(place, *, traces=WHOLE, executions=RUNS):
    """Each span and each execution is there once, under its parent."""
    assert [] == place.twice
    assert traces == place.traces
    assert executions == place.executions


def _arrived(receiver):
    spans, services = [], set()
    for request in receiver.of("traces"):
        for resource, _, span in spans_of(request.message):
            services.add(resource["service.name"])
            ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex() or None
            spans.append(Span(*ids, span.name, _input_tokens(attributes_of(span))))
    return Place(tuple(spans), _executions(receiver.of("metrics")), frozenset(services))


def _input_tokens(attributes):
    return attributes.get("gen_ai.usage.input_tokens", 0) or attributes.get("llm.token_count.prompt", 0)


def _executions(requests):
    """Their sum over all who sent some: two that send the same count twice."""
    newest, sum_of_deltas = {}, 0
    for request in requests:
        for of_resource in request.message.resource_metrics:
            sender = repr(of_resource.resource)
            for metric in (metric for scope in of_resource.scope_metrics for metric in scope.metrics):
                for point in metric.sum.data_points if metric.name == EXECUTIONS.name else ():
                    if metric.sum.aggregation_temporality == DELTA:
                        sum_of_deltas += point.as_int
                    else:
                        newest[sender, repr(sorted(attributes_of(point).items()))] = point.as_int
    return sum_of_deltas + sum(newest.values())


def _stored(path):
    if not path.exists():
        return NOTHING
    with sqlite3.connect(path) as store:
        spans = store.execute("SELECT trace_id, span_id, parent_id, name FROM spans").fetchall()
        executions, tokens = (_counted(store, spec.name) for spec in (EXECUTIONS, LLM_TOKENS))
    return Place(tuple(Span(*row) for row in spans), executions, tokens=tokens)


def _counted(store, instrument):
    newest = store.execute(
        "SELECT max(value) FROM points JOIN series ON series.id = points.series WHERE instrument = ? GROUP BY series",
        [instrument],
    )
    return sum(int(value) for (value,) in newest)
