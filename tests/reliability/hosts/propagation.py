"""Twelve ways to run code elsewhere: which span becomes its parent."""

import asyncio
import contextvars
import functools
import threading
from concurrent.futures import ThreadPoolExecutor

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from subject import SUBJECT, say

import tta_observe

telemetry = SUBJECT.configure(exporter="none")
finished = InMemorySpanExporter()
telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(finished))
pool = ThreadPoolExecutor(2)
list(pool.map(lambda _: None, range(8)))  # its threads are older than what runs in them


@tta_observe.traced_primitive(name="leaf")
def leaf(_=None):
    pass


@tta_observe.traced_primitive(name="leaf")
async def async_leaf():
    pass


async def gather():
    await asyncio.gather(async_leaf(), async_leaf())


async def create_task():
    await asyncio.create_task(async_leaf())


async def task_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(async_leaf())


async def to_thread():
    await asyncio.to_thread(leaf)


async def call_soon():
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(lambda: (leaf(), done.set()))
    await done.wait()


async def wait_for():
    await asyncio.wait_for(async_leaf(), 5)


async def run_in_executor():
    await asyncio.get_running_loop().run_in_executor(pool, leaf)


def submit():
    pool.submit(leaf).result()


def pool_map():
    list(pool.map(leaf, range(2)))


def thread():
    started = threading.Thread(target=leaf)
    started.start()
    started.join()


def timer():
    started = threading.Timer(0, leaf)
    started.start()
    started.join()


def copied_context():
    pool.submit(functools.partial(contextvars.copy_context().run, leaf)).result()


INHERIT = [gather, create_task, task_group, to_thread, call_soon, wait_for, copied_context]
ORPHAN = [run_in_executor, submit, pool_map, thread, timer]


def parents(way):
    """Names of the parents that the leaves got; None for a new trace."""
    finished.clear()
    with tta_observe.primitive("outer"):
        if asyncio.iscoroutinefunction(way):
            asyncio.run(way())
        else:
            way()
    spans = finished.get_finished_spans()
    by_id = {span.context.span_id: span.attributes["primitive.name"] for span in spans}
    leaves = [span for span in spans if span.attributes["primitive.name"] == "leaf"]
    return {by_id.get(span.parent.span_id, "unknown") if span.parent else None for span in leaves}


problems = []
for ways, expected in ((INHERIT, {"outer"}), (ORPHAN, {None})):
    for way in ways:
        found = parents(way)
        if found != expected:
            problems.append(f"{way.__name__}: parents {found}, expected {expected}")
if trace.get_current_span().is_recording():
    problems.append("a span was left current")
say(problems=problems, cases=len(INHERIT) + len(ORPHAN))
