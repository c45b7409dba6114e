"""The whole protocol of generators, and a hundred asynchronous ones that are left after their first item."""

import asyncio
import gc
import io
import logging

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from subject import NAME, SUBJECT, say

lines = io.StringIO()
logging.basicConfig(level=logging.WARNING, stream=lines)
telemetry = SUBJECT.configure(exporter="none") if NAME == "ours" else SUBJECT.configure()
finished = InMemorySpanExporter()
provider = telemetry.tracer_provider if NAME == "ours" else trace.get_tracer_provider()
provider.add_span_processor(SimpleSpanProcessor(finished))
tracer = SUBJECT.tracer()


@SUBJECT.traced
def conversation():
    heard = yield "first"
    try:
        heard = yield f"heard {heard}"
    except KeyError as error:
        heard = yield f"caught {error.args[0]}"
    return f"done {heard}"


@SUBJECT.traced
def closing(seen):
    try:
        yield 1
    finally:
        seen.append("closed")


@SUBJECT.traced
async def numbers(count):
    for number in range(count):
        with tracer.start_as_current_span("inner"):
            pass
        yield number


def protocol():
    """What differs from a bare generator."""
    problems = []

    def expect(what, expected, got):
        if expected != got:
            problems.append(f"{what}: expected {expected!r}, got {got!r}")

    talk = conversation()
    expect("next", "first", next(talk))
    expect("consumer's span", trace.INVALID_SPAN, trace.get_current_span())
    expect("send", "heard 7", talk.send(7))
    try:
        expect("throw", "caught k", talk.throw(KeyError("k")))
        talk.send("end")
    except StopIteration as stop:
        expect("return", "done end", stop.value)
    except KeyError:
        problems.append("throw: escaped")
    seen = []
    left = closing(seen)
    next(left)
    left.close()
    expect("close", ["closed"], seen)
    return problems


async def breaks():
    for _ in range(100):
        async for _number in numbers(5):
            break
    await asyncio.sleep(0.05)
    gc.collect()
    await asyncio.sleep(0.05)
    return trace.get_current_span().is_recording()


try:
    problems = protocol()
except BaseException as error:  # noqa: BLE001 - it is looked at
    problems = [f"the protocol broke: {error!r}"]
finished.clear()
left_current = asyncio.run(breaks())
spans = finished.get_finished_spans()
inner = [span for span in spans if span.name == "inner"]
outer = [span for span in spans if span.name != "inner"]
say(
    problems=problems,
    left_current=left_current,
    lines=lines.getvalue().count("\n"),
    ended=len(outer),
    traces=len({span.context.trace_id for span in outer}),
    parented=sum(span.parent is not None for span in inner),
)
