"""Programs run as before where OpenTelemetry, or its SDK, is not installed."""

from __future__ import annotations

import pytest
from programs import run

MISSING = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {name!r} or name.startswith({name!r} + "."):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""

PROGRAM = """
import asyncio
import tta_observe
from tta_observe import *

@traced_primitive
def plain(x):
    return x + 1

@traced_primitive(type="llm")
async def coroutine(x):
    record_llm_usage(provider="openai", model="gpt-4o", prompt_tokens=1, completion_tokens=1)
    return x + 1

@traced_primitive
def generator(n):
    yield from range(n)

@traced_primitive
async def async_generator(n):
    for i in range(n):
        yield i

@workflow("decorated")
def inside():
    return current_workflow().workflow_name

class Host:
    @traced_primitive
    def method(self):
        return self

async def main():
    return [await coroutine(1), [i async for i in async_generator(3)]]

def everything():
    host = Host()
    with workflow("chat", session_id="s1", agent_type="reviewer") as context:
        seen = [context.session_id, current_workflow().workflow_name]
        with agent("writer") as writer, step("one") as first, primitive("p", type="tool") as span:
            for yielded in (writer, first, span):
                yielded.set_attribute("a", object())
                yielded.set_attributes({"c": 3})
                yielded.add_event("e", {"b": 1})
            set_attributes({"d": 4})
            seen.append(current_workflow().agent_type)
        with bound_context(session_id="s2"):
            seen.append(current_workflow().session_id)
        seen += [plain(1), asyncio.run(main()), list(generator(3)), host.method() is host, inside()]
        record_cache_operation(hit=True, name="c", saved_usd=1.0)
        record_connection("a", "b")
        record_execution("a", "tool", 5.0, "success")
        record_llm_tokens("openai", "gpt-4o", "prompt", 3)
        usage = record_llm_usage(provider="openai", model="gpt-4o", prompt_tokens=2, completion_tokens=3)
        seen.append(usage.total_tokens)
    try:
        with workflow("w"), primitive("p"):
            raise LookupError("mine")
    except LookupError as error:
        seen.append(str(error))
    return seen + [current_workflow()]

print(everything())
"""

EXPECTED = "['s1', 'chat', 'writer', 's2', 2, [2, [0, 1, 2]], [0, 1, 2], True, 'decorated', 5, 'mine', None]"

CONFIGURED = """
telemetry = configure(service_name="checkout")
print(everything() == everything(), flush(), shutdown(), telemetry.flush(), stats().configured)
configure(); shutdown(); configure()
"""


@pytest.mark.parametrize("name", ["opentelemetry", "opentelemetry.sdk"])
def test_observed_code_works_and_blocks_bind_their_context(tmp_path, name):
    """
    Code that is decorated is shipped to places where nobody installed telemetry.
    """
    ended = run(MISSING.format(name=name) + PROGRAM, tmp_path)

    assert (0, EXPECTED + "\n", "") == (ended.code, ended.out, ended.err)


@pytest.mark.parametrize("name", ["opentelemetry", "opentelemetry.sdk"])
def test_configure_gives_one_warning_and_does_not_raise(tmp_path, name):
    """
    It says what to install, once, and the program goes on.
    """
    ended = run(MISSING.format(name=name) + PROGRAM + CONFIGURED, tmp_path)

    assert (0, [EXPECTED, "True True True True False"]) == (ended.code, ended.out.splitlines())
    assert 1 == len(ended.err.splitlines())
    assert "pip install opentelemetry-sdk" in ended.err


@pytest.mark.parametrize("name", ["opentelemetry", "opentelemetry.sdk"])
def test_context_goes_to_threads_and_callers_are_listened_to_in_vain(tmp_path, name):
    """
    A service that is not traced does not stand in the way of what it does.
    """
    source = """
import pickle
from concurrent.futures import ThreadPoolExecutor
from tta_observe.web import TTAMiddleware, httpx_hooks

def who():
    found = current_workflow()
    return found and found.workflow_name

headers = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "baggage": "tta.workflow=chat"}
with workflow("here"), ThreadPoolExecutor(1) as pool:
    print(pool.submit(propagate(who)).result(), pickle.loads(pickle.dumps(propagate(who)))())
    inject_context({})
with bound_context(session_id="s1"), remote_context(headers) as caller:
    print(who(), caller.workflow_name)
TTAMiddleware(who), httpx_hooks()
print(who())
"""
    ended = run(MISSING.format(name=name) + "from tta_observe import *\n" + source, tmp_path)

    assert ("here here\nchat chat\nNone\n", "") == (ended.out, ended.err)


def test_wrong_arguments_are_refused_all_the_same(tmp_path):
    """
    A mistake must not hide until the day that OpenTelemetry is installed.
    """
    source = """
try:
    configure(endpoint="localhost:4317")
except ConfigurationError as error:
    print("refused", "Write" in str(error))
try:
    traced_primitive(type="no identifier")
except ConfigurationError:
    print("refused")
"""
    ended = run(MISSING.format(name="opentelemetry") + "from tta_observe import *\n" + source, tmp_path)

    assert ["refused True", "refused"] == ended.out.splitlines()


def test_providers_of_the_bare_api_are_used_without_the_sdk(tmp_path):
    """
    Vendors ship implementations of their own; ``configure()`` without the SDK must not switch them off.
    """
    source = """
from opentelemetry import trace

class Tracer(trace.NoOpTracer):
    def start_span(self, name, *args, **kwargs):
        print("span", name)
        return super().start_span(name, *args, **kwargs)

class Provider(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        return Tracer()

trace.set_tracer_provider(Provider())
import tta_observe
with tta_observe.primitive("p"):
    pass
tta_observe.configure()
with tta_observe.primitive("p"):
    pass
"""
    ended = run(MISSING.format(name="opentelemetry.sdk") + source, tmp_path)

    assert ["span primitive.function.execute"] * 2 == ended.out.splitlines()
    assert 1 == len(ended.err.splitlines())


def test_exporter_whose_packages_are_missing_is_left_out_with_one_warning(tmp_path):
    """
    Slim images leave out gRPC; the other exporters work.
    """
    source = """
import tta_observe
tta_observe.configure(exporter=("otlp", "local"))
with tta_observe.primitive("p"):
    pass
print(tta_observe.flush(), [(row.exporter, row.delivered) for row in tta_observe.stats().exporters])
"""
    ended = run(MISSING.format(name="grpc") + source, tmp_path)

    assert "False [('local', 1)]" == ended.out.strip()
    assert 1 == len(ended.err.splitlines())


def test_import_loads_the_api_only(tmp_path):
    """
    Every command line tool that is decorated pays for this.
    """
    source = """
import sys
import tta_observe
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "pydantic", "rich", "sqlite3", "grpc", "google")
print([name for name in sys.modules if name.startswith(heavy)])
tta_observe.configure
print("opentelemetry.sdk" in sys.modules, "grpc" in sys.modules, "sqlite3" in sys.modules)
"""

    assert ["[]", "False False False"] == run(source, tmp_path).out.splitlines()


def test_only_what_is_exported_to_is_loaded(tmp_path):
    """
    Whoever writes to the store does not pay 20 MB for gRPC.
    """
    source = """
import sys
import tta_observe
tta_observe.configure(exporter="local")
print("grpc" in sys.modules, "sqlite3" in sys.modules)
"""

    assert "False True" == run(source, tmp_path).out.strip()
