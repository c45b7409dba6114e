"""Lookups of caches that other libraries put around functions."""

import asyncio
import copy
import functools
import gc
import importlib
import inspect
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe import (
    ConfigurationError,
    primitive,
    record_llm_usage,
    traced_cache,
    traced_primitive,
    workflow,
)
from tta_observe.instruments import CACHE_HITS, CACHE_LOOKUPS, CACHE_SAVINGS, EXECUTIONS, LLM_COST
from tta_observe.testing import captured_telemetry

# diskcache leaves the connections of threads that have ended to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <sqlite3:pytest.PytestUnraisableExceptionWarning")


def library(name):
    """
    One of the libraries that caches are made with.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"needs {name}")


def ask(cost_usd=0.25):
    with primitive("ask", type="llm"):
        record_llm_usage(model="m", prompt_tokens=1, cost_usd=cost_usd)


def lru(_tmp_path):
    return functools.lru_cache(maxsize=1000)


def unbounded(_tmp_path):
    return functools.cache


def plain_cachetools(_tmp_path):
    return library("cachetools").cached({})


def locked_cachetools(_tmp_path):
    return library("cachetools").cached(library("cachetools").TTLCache(1000, 60), lock=threading.Lock(), info=True)


def diskcache(tmp_path):
    return library("diskcache").Cache(tmp_path).memoize()


CACHES = [lru, unbounded, plain_cachetools, locked_cachetools, diskcache]


def alru(_tmp_path):
    return library("async_lru").alru_cache(maxsize=1000)


def aiocache(_tmp_path):
    return library("aiocache").cached()


ASYNC_CACHES = [alru, aiocache]


def counted(telemetry):
    lookups, hits = telemetry.total(CACHE_LOOKUPS), telemetry.total(CACHE_HITS)
    return int(hits), int(lookups - hits)


@pytest.mark.parametrize("make", CACHES)
def test_calls_are_hits_or_misses(telemetry, tmp_path, make):
    """
    And what the caller gets is what it got before.
    """

    @traced_cache
    @make(tmp_path)
    def answer(question, *, tone="dry"):
        ask()
        return question + tone

    with workflow("w"):
        answers = [answer("a"), answer("b"), answer("a"), answer("a", tone="wry"), answer("b")]

    assert ["adry", "bdry", "adry", "awry", "bdry"] == answers
    assert (2, 3) == counted(telemetry)
    assert 5 == telemetry.total(EXECUTIONS, {"primitive.type": "cache"})
    assert 0.5 == telemetry.total(CACHE_SAVINGS)


@pytest.mark.parametrize("make", ASYNC_CACHES)
def test_awaited_calls_are_hits_or_misses(telemetry, tmp_path, make):
    """
    The span ends with the answer, not with the coroutine.
    """

    @traced_cache
    @make(tmp_path)
    async def answer(question):
        await asyncio.sleep(0.02)
        ask()
        return question

    async def main():
        with workflow("w"):
            return [await answer("a"), await answer("a"), await answer("b")]

    assert ["a", "a", "b"] == asyncio.run(main())
    assert (1, 2) == counted(telemetry)
    assert 0.25 == telemetry.total(CACHE_SAVINGS)

    first = next(span for span in telemetry.spans if "answer" in span.shown)

    assert first.attributes["execution.duration_ms"] > 15
    assert ["ask"] == [child.shown for child in first.children]


def test_savings_and_cost_are_the_cost_without_a_cache():
    """
    To the cent, once the cost of a miss is known; and here it is known from the first one on.
    """
    workload = [1, 2, 1, 3, 2, 1, 1, 3]

    def compute(question):
        ask(0.013)
        return question

    with captured_telemetry() as without, workflow("w"):
        [compute(question) for question in workload]
    with captured_telemetry() as cached, workflow("w"):
        answer = traced_cache(functools.lru_cache(compute))
        [answer(question) for question in workload]

    assert round(without.total(LLM_COST), 9) == round(cached.total(LLM_COST) + cached.total(CACHE_SAVINGS), 9)


@pytest.mark.parametrize("make", CACHES)
def test_threads_are_told_apart(telemetry, tmp_path, make):
    """
    The library's own counters say how many there were, not whose.
    """
    computed = []

    @traced_cache
    @make(tmp_path)
    def answer(question):
        computed.append(question)
        return question

    start = threading.Barrier(8)

    def work(_):
        start.wait()
        for question in range(40):
            answer(question % 20)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert (320 - len(computed), len(computed)) == counted(telemetry)


@pytest.mark.parametrize("make", ASYNC_CACHES)
def test_tasks_are_told_apart(telemetry, tmp_path, make):
    """
    Two hundred ask at once; async_lru has those wait that come second, which spares the call.
    """
    computed = []

    @traced_cache
    @make(tmp_path)
    async def answer(question):
        computed.append(question)
        await asyncio.sleep(0)
        return question

    async def main():
        with workflow("w"):
            await asyncio.gather(*(answer(number % 20) for number in range(200)))

    asyncio.run(main())

    assert (200 - len(computed), len(computed)) == counted(telemetry)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_counts_are_those_of_the_library(questions):
    """
    Whatever is asked, in whatever order; with recursion, as in a cache of parts.
    """

    @traced_cache
    @functools.lru_cache(maxsize=3)
    def parts(number):
        return 1 if not number else parts(number - 1) + 1

    with captured_telemetry() as telemetry, workflow("w"):
        answers = [parts(number) for number in questions]
        info = parts.cache_info()

        assert [number + 1 for number in questions] == answers
        assert (info.hits, info.misses) == counted(telemetry)


def test_functions_that_use_each_other_are_told_apart(telemetry):
    """
    A hit in one inside a miss of the other.
    """

    @traced_cache(name="inner")
    @functools.cache
    def inner(question):
        return question

    @traced_cache(name="outer")
    @functools.cache
    def outer(question):
        return inner(question // 2)

    with workflow("w"):
        [outer(question) for question in (0, 1, 0)]

    assert {"outer": 3, "inner": 2} == telemetry.counts(CACHE_LOOKUPS, by="primitive.name")
    assert {"outer": 1, "inner": 1} == telemetry.counts(CACHE_HITS, by="primitive.name")


def test_a_miss_without_a_call_owns_nothing_else(telemetry):
    """
    A cached configuration file is not what the next call to a model was made for.
    """

    @traced_cache
    @functools.cache
    def settings():
        return {}

    with workflow("w"):
        settings()
        ask()
        settings()

    assert [] == telemetry.points(CACHE_SAVINGS)


def test_a_failing_computation_is_a_miss(telemetry):
    """
    It was looked up, and it cost what it cost.
    """

    @traced_cache
    @functools.cache
    def answer():
        raise KeyError("model")

    with pytest.raises(KeyError):
        answer()

    assert (0, 1) == counted(telemetry)


def test_arguments_without_a_hash_are_no_lookup(telemetry):
    """
    The caller gets its own error; hits and misses stay what they are.
    """
    answer = _cached()

    with pytest.raises(TypeError, match="unhashable"):
        answer([])

    assert (0, 0) == counted(telemetry)


def _cached():
    @traced_cache
    @functools.cache
    def answer(question):
        return question

    return answer


class Model:
    """
    With cached methods.
    """

    def __init__(self, cache=None):
        self.cache = {} if cache is None else cache

    @traced_cache
    @functools.lru_cache  # noqa: B019 - what it does to the instance is the test's business
    def answer(self, question):
        """Answer it."""
        return question

    @classmethod
    @traced_cache
    @functools.lru_cache
    def of_class(cls, question):
        return cls, question

    @traced_cache
    @staticmethod
    @functools.lru_cache
    def of_nobody(question):
        return question


def test_methods_stay_methods(telemetry):
    """
    On an object, on a class, on nobody.
    """
    model = Model()
    answers = [model.answer(1), model.answer(1), Model.answer(model, 1)]
    answers += [Model.of_class(1), model.of_class(1), Model.of_nobody(1), model.of_nobody(1)]

    assert [1, 1, 1, (Model, 1), (Model, 1), 1, 1] == answers
    assert (4, 3) == counted(telemetry)
    assert {"Model.answer": 3, "Model.of_class": 2, "Model.of_nobody": 2} == telemetry.counts(
        CACHE_LOOKUPS, by="primitive.name"
    )


@pytest.mark.parametrize("options", [{}, {"lock": lambda self: self.lock}, {"info": True}])
def test_cached_methods_of_cachetools(telemetry, options):
    """
    Each object has a cache of its own.
    """
    cachetools = library("cachetools")
    if "info" in options and int(cachetools.__version__.split(".")[0]) < 7:
        pytest.skip("needs cachetools 7")

    class Local:
        def __init__(self):
            self.cache, self.lock = {}, threading.Lock()

        @traced_cache
        @cachetools.cachedmethod(lambda self: self.cache, **options)
        def answer(self, question):
            return question

    one, other = Local(), Local()

    assert [1, 1, 1, 2] == [one.answer(1), one.answer(1), other.answer(1), one.answer(2)]
    assert (1, 3) == counted(telemetry)


def test_methods_of_async_lru(telemetry):
    """
    They are bound by an object of the library's own.
    """
    alru_cache = library("async_lru").alru_cache

    class Local:
        @traced_cache
        @alru_cache
        async def answer(self, question):
            return question

    async def main():
        one = Local()
        return [await one.answer(1), await one.answer(1)]

    assert [1, 1] == asyncio.run(main())
    assert (1, 1) == counted(telemetry)


def test_the_function_stays_what_it_is(telemetry):
    """
    Who inspects, clears or pickles it sees no difference.
    """
    answer = Model.answer
    answer(None, 1)

    assert ("answer", "Answer it.") == (answer.__name__, answer.__doc__)
    assert "(self, question)" == str(inspect.signature(answer))
    assert {"maxsize": 128, "typed": False} == answer.cache_parameters()
    assert answer.cache_info().currsize >= 1

    answer.cache_clear()

    assert 0 == answer.cache_info().currsize
    assert answer is pickle.loads(pickle.dumps(answer)) is copy.deepcopy(answer)


def test_what_hung_on_the_function_still_does(telemetry):
    """
    Frameworks mark functions.
    """
    function = _named()
    cached = functools.cache(function)
    cached.route = "/answer"
    traced = traced_cache(cached)

    assert ("/answer", function) == (traced.route, inspect.unwrap(traced))


def _named():
    def answer(question):
        return question

    return answer


def test_name_type_and_time_to_live(telemetry):
    """
    They are the labels and attributes of every other lookup.
    """

    @traced_cache(name="answers", cache_type="redis", ttl_seconds=60)
    @functools.cache
    def answer(question):
        return question

    answer(1)
    found = telemetry.span("answers")

    assert "primitive.cache.lookup" == found.name
    assert (False, "redis", 60) == tuple(found.attributes[f"cache.{key}"] for key in ("hit", "type", "ttl_seconds"))
    assert 1 == telemetry.total(CACHE_LOOKUPS, {"primitive.name": "answers", "cache.type": "redis"})


def test_a_cache_on_disk_is_called_one(telemetry, tmp_path):
    """
    It is slower than memory, and the label says why.
    """

    @traced_cache
    @diskcache(tmp_path)
    def answer(question):
        return question

    answer(1)

    assert {"disk": 1} == telemetry.counts(CACHE_LOOKUPS, by="cache.type")


def test_without_telemetry_the_cache_is_a_cache():
    """
    And nothing else happens.
    """
    answer = _cached()

    assert [1, 1] == [answer(1), answer(1)]
    assert (1, 1) == answer.cache_info()[:2]


def plain():
    """
    No cache at all.
    """


def wrapped_without_a_cache():
    @functools.wraps(plain)
    def outer():
        return plain()

    return outer


@pytest.mark.parametrize("target", [plain, wrapped_without_a_cache(), traced_primitive(functools.cache(plain)), len])
def test_without_a_cache_it_says_what_to_write(target):
    """
    A decorator that never counts anything would be found out in production.
    """
    with pytest.raises(ConfigurationError, match="finds no cache directly under it"):
        traced_cache(target)


def test_a_cache_that_is_in_use_is_not_thrown_away():
    """
    The one of functools cannot be observed, only made anew.
    """
    cached = functools.cache(_named())
    cached(1)

    with pytest.raises(ConfigurationError, match="directly above @lru_cache"):
        traced_cache(cached)


def test_a_class_is_refused():
    """
    Its methods have caches.
    """
    with pytest.raises(ConfigurationError, match="cannot decorate the class Model"):
        traced_cache(Model)


@pytest.mark.parametrize("options", [{"ttl": 1}, {"name": ""}])
def test_options_that_are_wrong_are_refused(options):
    """
    ``ttl=60`` would be lost.
    """
    with pytest.raises(ConfigurationError):
        traced_cache(**options)


def test_nothing_is_imported_for_it():
    """
    Caches are known by their shape.
    """
    code = "import sys, tta_observe; print({'cachetools', 'async_lru', 'aiocache', 'diskcache'} & set(sys.modules))"

    assert "set()\n" == subprocess.check_output([sys.executable, "-c", code], text=True)


def test_a_cached_object_is_not_kept_by_us(telemetry):
    """
    What the cache forgets is free.
    """

    class Answer:
        """Can be counted."""

    @traced_cache
    @functools.lru_cache(maxsize=1)
    def answer(_question):
        return Answer()

    with workflow("w"):
        [answer(number) for number in range(20)]
    gc.collect()

    assert 1 == sum(type(thing) is Answer for thing in gc.get_objects())
