"""
BaseExceptions through every shape: the span is ended with the right status, and the context is put back.

Prints "what: problem" texts.
"""

import asyncio
import logging

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from subject import SUBJECT, say

import tta_observe

logging.getLogger("asyncio").setLevel(logging.CRITICAL)
telemetry = SUBJECT.configure(exporter="none")
finished = InMemorySpanExporter()
telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(finished))

STATUS = {
    "ValueError": (lambda: ValueError("no"), "error"),
    "CancelledError": (asyncio.CancelledError, "cancelled"),
    "KeyboardInterrupt": (KeyboardInterrupt, "cancelled"),
    "SystemExit(0)": (lambda: SystemExit(0), "success"),
    "SystemExit()": (SystemExit, "success"),
    "SystemExit(2)": (lambda: SystemExit(2), "error"),
    "GeneratorExit": (GeneratorExit, "success"),
    "BaseException": (lambda: BaseException("odd"), None),
}
current = {}


def made():
    return current["make"]()


@tta_observe.traced_primitive
def plain():
    raise made()


@tta_observe.traced_primitive
async def coroutine():
    raise made()


@tta_observe.traced_primitive
def generator():
    yield 1
    raise made()


@tta_observe.traced_primitive
async def async_generator():
    yield 1
    raise made()


def drive(awaitable):
    """Run a coroutine without an event loop, which would react to some of these by itself."""
    try:
        while True:
            awaitable.send(None)
    except StopIteration:
        pass


async def drained():
    async for _ in async_generator():
        pass


def block():
    with tta_observe.workflow("chat"):
        raise made()


SHAPES = {
    "plain": plain,
    "coroutine": lambda: drive(coroutine()),
    "generator": lambda: list(generator()),
    "async generator": lambda: drive(drained()),
    "workflow": block,
}

problems, cases = [], 0
for shape, call in SHAPES.items():
    for kind, (make, status) in STATUS.items():
        cases += 1
        current["make"] = make
        finished.clear()
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is looked at
            if type(error) is not type(make()):
                problems.append(f"{shape}: {kind} became {type(error).__name__}")
        else:
            problems.append(f"{shape}: {kind} was lost")
        spans = finished.get_finished_spans()
        said = [span.attributes.get("execution.status") for span in spans]
        if len(said) != 1 or (status is not None and said != [status]):
            problems.append(f"{shape}: {kind} ended as {said}, not [{status}]")
        if trace.get_current_span().is_recording() or tta_observe.current_workflow() is not None:
            problems.append(f"{shape}: {kind} left a context behind")
say(problems=problems, cases=cases)
