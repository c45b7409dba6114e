"""
A program under test: plays the script through the public functions, then waits until its standard input ends.

It is configured by its environment, as programs are. When everything is recorded it prints one line of JSON: where it
can be scraped, if it can, and the identifiers of its traces.
"""

from __future__ import annotations

import json
import sys
import threading
from contextlib import ExitStack, suppress
from functools import singledispatch

from live import script
from opentelemetry import trace

import tta_observe
from tta_observe import (
    record_cache_operation,
    record_connection,
    record_execution,
    record_llm_usage,
    traced_primitive,
    workflow,
)


@singledispatch
def play(event):
    """Do once what *event* says."""
    raise TypeError(event)


@play.register
def _(event: script.Execution):
    record_execution(event.name, event.type, event.duration_ms, event.status, error_type=event.error)


@play.register
def _(event: script.Connection):
    record_connection(event.source, event.target, event.kind)


@play.register
def _(event: script.Usage):
    tokens = {"prompt_tokens": event.prompt, "completion_tokens": event.completion}
    record_llm_usage(provider=event.provider, model=event.model, cost_usd=event.cost_usd, **tokens)


@play.register
def _(event: script.Lookup):
    record_cache_operation(hit=event.hit, name=event.name, cache_type=event.kind, saved_usd=event.saved_usd)


@traced_primitive(type="processor", action="parse", name="parse")
def parse(fields):
    """Work for a decorator: fails without a title."""
    return fields["title"]


def work():
    """Call what is decorated as the script says: five times well, and once not."""
    for fields in [{"title": "t"}] * 5 + [{}]:
        with suppress(KeyError):
            parse(fields)


def run(nested, told):
    """Open the workflows *nested*, the second inside the first, and play what happens in each; then wait."""
    with ExitStack() as stack:
        for depth in range(1, len(nested) + 1):
            stack.enter_context(workflow(nested[depth - 1], agent_type=script.AGENTS.get(nested[depth - 1])))
            play_in(nested[:depth])
        if nested == script.NIGHTLY:
            work()
        told.trace_ids.append(f"{trace.get_current_span().get_span_context().trace_id:032x}")
        told.played.release()
        told.end.wait()


def play_in(place):
    """Play everything that happens in one place."""
    for event in script.RECORDED:
        if event.place == place:
            for _ in range(event.times):
                play(event)


class Told:
    """What the threads of this program tell each other."""

    def __init__(self):
        self.trace_ids = []
        self.played = threading.Semaphore(0)
        self.end = threading.Event()


def main():
    """Play, say so, wait, and end."""
    telemetry = tta_observe.configure(service_name="workload")
    told = Told()
    places = (script.SEARCH, script.NIGHTLY)
    threads = [threading.Thread(target=run, args=(place, told)) for place in places]
    for thread in threads:
        thread.start()
    play_in(script.NOWHERE)
    for _ in places:
        told.played.acquire()
    scraped = [lane.target for lane in telemetry.stats().exporters if lane.exporter == "prometheus"]
    print(json.dumps({"scraped": scraped, "traces": told.trace_ids}), flush=True)
    sys.stdin.read()
    told.end.set()
    for thread in threads:
        thread.join()
    telemetry.shutdown()


main()
