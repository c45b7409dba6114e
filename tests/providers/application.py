"""
A program in which somebody else's telemetry and ours are set up one after the other, and then both are used.

``python application.py PEER FIRST END``: PEER is a module below ``providers`` that sets theirs up; FIRST is who is set
up first, ``theirs`` or ``ours``; END is who is told to end first, or ``nobody``: then the end of the process has to do.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time

from opentelemetry import metrics, trace

from tta_observe import configure, shutdown, stats, traced_primitive, workflow


@traced_primitive(type="tool", action="inside")
def inside():
    """A leaf."""


@traced_primitive(type="processor", action="around")
def around(peer):
    with peer.span("theirs.inside"):
        inside()


@traced_primitive(type="llm", action="generate")
def ask():
    import openai  # of some environments

    with openai.OpenAI(api_key="none") as client:
        return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello!"}])


def work(peer):
    """Two traces, of which one begins with theirs and one with ours; a third asks a model, if there is one."""
    with peer.span("theirs.root"), workflow("ours.job"):
        around(peer)
    with workflow("ours.batch"), peer.span("theirs.middle"):
        inside()
    if "OPENAI_BASE_URL" in os.environ:
        with workflow("ours.chat"):
            ask()


def providers():
    return trace.get_tracer_provider(), metrics.get_meter_provider()


def main(name, first, end):
    peer = importlib.import_module(f"providers.{name}")
    if first == "ours":
        configure(service_name="ours")
    peer.set_up()
    theirs = providers()
    if first == "theirs":
        configure(service_name="ours")
    work(peer)
    facts = {
        "kept": providers() == theirs,
        "tracers": type(theirs[0]).__module__.partition(".")[0],
        "recorded": [lane.recorded for lane in stats().exporters],
        "errors": dict(stats().internal_errors),
    }
    ends = {"theirs": peer.end, "ours": lambda: shutdown(5)}
    for who in sorted(ends, key=lambda who: who != end) if end != "nobody" else ():
        ends[who]()
    print("facts", json.dumps(facts))
    print("the last line", time.monotonic(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
