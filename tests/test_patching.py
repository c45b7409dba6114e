"""Observing code that may not be edited, and taking that back."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pickle
import sys
import textwrap
import threading

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tta_observe import ConfigurationError, instrument, traced_primitive, uninstrument
from tta_observe._patching import without_effect
from tta_observe.instruments import EXECUTIONS

SOURCES = {
    "shop/__init__.py": "from shop.stock import count\n",
    "shop/stock.py": """
        import functools
        import math

        def count(n=1):
            return n

        async def fetch(n):
            return n + 1

        def fetch_all(n):
            yield from range(n)

        async def stream(n):
            for i in range(n):
                yield i

        def _secret():
            return "s"

        shout = lambda text: text.upper()
        LIMIT = 3

        @functools.lru_cache
        def cached(n):
            return n * 2

        class Base:
            def inherited(self):
                return type(self).__name__

        class Client(Base):
            Self = None

            def __init__(self, n=2):
                self.n = n

            def __call__(self):
                return self.n

            def get(self):
                return self.n

            @classmethod
            def make(cls):
                return cls(5)

            @staticmethod
            def add(a, b):
                return a + b

            @property
            def size(self):
                return self.n

            def _hidden(self):
                return -self.n

            class Inner:
                def deep(self):
                    return "deep"

        Client.Self = Client
        Alias = Client
        ready = Client(7)
    """,
    "shop/desk.py": """
        from shop.stock import Client, count

        def sell():
            return count(4)

        class Desk(Client):
            def open(self):
                return self.inherited()
    """,
    "shop/late.py": "def arrive():\n    return 'late'\n",
}


@pytest.fixture(autouse=True)
def shop(tmp_path, monkeypatch):
    for name, source in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    uninstrument()
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


def stock():
    return importlib.import_module("shop.stock")


def executed(telemetry):
    return dict(telemetry.counts(EXECUTIONS, by="primitive.name"))


def test_a_function_is_observed_under_its_name(telemetry):
    """
    The whole point: code that nobody edited shows up.
    """
    module = stock()

    instrument("shop.stock:count", type="tool", action="count")

    assert 3 == module.count(3)
    assert {"count": 1} == executed(telemetry)
    assert ["primitive.tool.count"] == [span.name for span in telemetry.spans]


@pytest.mark.parametrize(
    ("target", "call", "result", "name"),
    [
        ("shop.stock:Client.get", lambda m: m.Client(3).get(), 3, "Client.get"),
        ("shop.stock:Client.make", lambda m: m.Client.make().n, 5, "Client.make"),
        ("shop.stock:Client.add", lambda m: m.Client.add(1, 2), 3, "Client.add"),
        ("shop.stock:Client.__call__", lambda m: m.Client(4)(), 4, "Client.__call__"),
        ("shop.stock:Client.Inner.deep", lambda m: m.Client.Inner().deep(), "deep", "Client.Inner.deep"),
        ("shop.stock:Client._hidden", lambda m: m.Client(1)._hidden(), -1, "Client._hidden"),
        ("shop.stock:Client.inherited", lambda m: m.Client().inherited(), "Client", "Base.inherited"),
        ("shop.stock:fetch", lambda m: asyncio.run(m.fetch(1)), 2, "fetch"),
        ("shop.stock:fetch_all", lambda m: list(m.fetch_all(3)), [0, 1, 2], "fetch_all"),
        ("shop.stock:_secret", lambda m: m._secret(), "s", "_secret"),
        ("shop.stock:cached", lambda m: (m.cached(2), m.cached.cache_info().misses), (4, 1), "cached"),
        ("shop.stock:ready", lambda m: m.ready(), 7, "Client"),
        ("shop.stock.count", lambda m: m.count(), 1, "count"),
        ("shop.stock.Client.get", lambda m: m.Client().get(), 2, "Client.get"),
    ],
)
def test_every_shape_keeps_its_result_and_is_counted_once(telemetry, target, call, result, name):
    """
    Whatever the descriptor, what is written is what is found: no shape is worth a special syntax.
    """
    module = stock()

    instrument(target)

    assert result == call(module)
    assert {name: 1} == executed(telemetry)


def test_an_async_generator_is_observed(telemetry):
    """
    Streams are what language models answer with.
    """
    module = stock()
    instrument("shop.stock:stream")

    async def consume():
        return [item async for item in module.stream(2)]

    assert [0, 1] == asyncio.run(consume())
    assert {"stream": 1} == executed(telemetry)


def test_a_class_stands_for_its_own_public_functions():
    """
    Naming a class is shorter than ten patterns; what it inherits belongs to others.
    """
    module = stock()
    before = dict(vars(module.Client))

    instrument("shop.stock:Client")

    changed = {name for name, raw in vars(module.Client).items() if before.get(name) is not raw}

    assert {"get", "make", "add"} == changed


def test_a_module_stands_for_its_functions_and_classes():
    """
    One line for a whole module is what somebody in a hurry writes.
    """
    module = stock()

    instrument("shop.stock")

    observed = {name for name in vars(module) if hasattr(getattr(module, name), "_self_again")}

    assert {"count", "fetch", "fetch_all", "stream", "cached"} == observed
    assert hasattr(module.Client.__dict__["get"], "_self_again")
    assert hasattr(module.Client.Inner.__dict__["deep"], "_self_again")


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("shop.stock:fetch*", {"fetch", "fetch_all"}),
        ("shop.*:fetch_?ll", {"fetch_all"}),
        ("shop.stock:_*", {"_secret"}),
        ("shop.*:Client.*", set()),
    ],
)
def test_a_glob_means_what_it_matches(target, names):
    """
    A pattern that reaches further than it says would observe, and count, what nobody asked for.
    """
    module = stock()

    instrument(target)

    observed = {name for name in vars(module) if hasattr(getattr(module, name), "_self_again")}

    assert names == observed


def test_a_module_that_is_not_imported_yet_is_observed_when_it_is(telemetry):
    """
    Instrumenting comes first in a program: what it uses is imported later, and must not be imported for it.
    """
    instrument("shop.late:arrive")

    assert "shop.late" not in sys.modules
    assert ["shop.late:arrive"] == without_effect()

    assert "late" == importlib.import_module("shop.late").arrive()
    assert {"arrive": 1} == executed(telemetry)
    assert [] == without_effect()


def test_a_glob_over_modules_follows_later_imports(telemetry):
    """
    A package imports its parts when it needs them: a glob that knew only today's would miss half.
    """
    instrument("shop.*:arrive")

    assert "late" == importlib.import_module("shop.late").arrive()
    assert {"arrive": 1} == executed(telemetry)


def test_a_package_above_the_module_is_not_run():
    """
    Looking whether a module exists must not have the effects of importing its package.
    """
    instrument("shop.late:arrive")

    assert "shop" not in sys.modules


def test_what_others_took_from_the_module_is_exchanged_and_put_back(telemetry):
    """
    ``from shop.stock import count`` ran long before: a call through that name would be missing from every figure.
    """
    desk = importlib.import_module("shop.desk")
    original = desk.count

    instrument("shop.stock:count")
    desk.sell()
    sys.modules["shop"].count()

    assert {"count": 2} == executed(telemetry)

    uninstrument("shop.stock:count")

    assert [original] * 3 == [desk.count, sys.modules["shop"].count, stock().count]


def test_two_patterns_for_one_function_observe_it_once(telemetry):
    """
    Figures that double because two lines of a file overlap are worse than none.
    """
    module = stock()
    instrument("shop.stock:Client")
    instrument("shop.stock:Client.get")
    instrument("shop.stock:Client.*")

    module.Client().get()

    assert {"Client.get": 1} == executed(telemetry)


def test_what_is_decorated_already_stays_as_it_is(telemetry):
    """
    Its author gave it a name and a type.
    """
    module = stock()
    module.count = traced_primitive(name="mine")(module.count)
    instrument("shop.stock:count", name="yours")

    module.count()

    assert {"mine": 1} == executed(telemetry)


def test_taking_back_restores_the_very_objects():
    """
    Nothing of us may be left: identity, descriptors and inheritance as before.
    """
    module = importlib.import_module("shop.desk") and stock()
    before = {owner: dict(vars(owner)) for owner in (module.Client, module.Client.Inner, module.Base)}
    globals_before = dict(vars(module))
    instrument("shop.stock")
    instrument("shop.stock:Client.inherited")

    uninstrument("shop.stock")
    uninstrument("shop.stock:Client.inherited")
    uninstrument("shop.stock")

    assert all(vars(owner) == found for owner, found in before.items())
    assert all(vars(module)[name] is value for name, value in globals_before.items())


def test_a_pattern_that_is_left_takes_over_what_was_exchanged_for_another(telemetry):
    """
    Taking one of two back must not take both back.
    """
    module = stock()
    instrument("shop.stock:count", name="first")
    instrument("shop.*:count", name="second")

    uninstrument("shop.stock:count")
    module.count()

    assert {"second": 1} == executed(telemetry)


def test_what_somebody_else_wrapped_meanwhile_is_left_alone():
    """
    Putting the old function back would silently undo the work of others.
    """
    module = stock()
    instrument("shop.stock:count")
    ours = module.count
    module.count = lambda: ours() + 1
    theirs = module.count

    uninstrument("shop.stock:count")

    assert theirs is module.count


def test_taking_back_before_the_import_leaves_the_module_alone(telemetry):
    """
    A hook cannot be taken from wrapt, but it must do nothing.
    """
    instrument("shop.late:arrive")
    uninstrument("shop.late:arrive")

    importlib.import_module("shop.late").arrive()

    assert {} == executed(telemetry)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("shop.stok:count", "Did you mean 'shop.stock'"),
        ("shoq.stock:count", "There is no module 'shoq'"),
        ("shop.stock:cuont", "Did you mean 'shop.stock:count'"),
        ("shop.stock:Client.gett", "Did you mean 'shop.stock:Client.get'"),
        ("shop.stock:zzz*", "Nothing in 'shop.stock' matches 'zzz*'"),
        ("shop.stock:LIMIT", "is no function but 3"),
        ("shop.stock:Client.size", "Name a function or a method"),
        ("shop.stock:shout", "lambda"),
        ("builtins:str.upper", "cannot be exchanged"),
        ("shop stock", "names no function"),
        ("", "names no function"),
        (None, "names no function"),
        ("shop.stock:", "names no function"),
    ],
)
def test_a_target_that_means_nothing_gets_an_answer_where_it_is_written(target, says):
    """
    A typo that is silently ignored looks like a program that never calls the function.
    """
    stock()

    with pytest.raises(ConfigurationError) as caught:
        instrument(target)

    assert says in str(caught.value)
    assert [] == without_effect()


def test_a_wrong_option_is_answered_where_it_is_written():
    """
    The options are those of the decorator, and so are the answers.
    """
    with pytest.raises(ConfigurationError, match="Did you mean 'action'"):
        instrument("shop.stock:count", aktion="x")


def test_taking_back_what_was_never_instrumented_is_answered():
    """
    A typo here would leave something observed that its owner believes is not.
    """
    stock()
    instrument("shop.stock:count")

    with pytest.raises(ConfigurationError, match=r"Did you mean 'shop\.stock:count'"):
        uninstrument("shop.stock:coutn")


def test_a_name_that_is_missing_after_the_import_is_a_warning(caplog):
    """
    Whoever imports the module has not written the pattern: raising there would break a program that is right.
    """
    instrument("shop.late:arrrive")

    importlib.import_module("shop.late")

    assert 1 == len(caplog.records)
    assert "Did you mean 'shop.late:arrive'" in caplog.text


def test_an_exchanged_function_can_be_pickled_and_inspected():
    """
    Process pools send functions by name, and frameworks look at signatures.
    """
    module = stock()
    signature = inspect.signature(module.count)

    instrument("shop.stock")

    assert signature == inspect.signature(module.count)
    assert inspect.iscoroutinefunction(module.fetch)
    assert module.count is pickle.loads(pickle.dumps(module.count))


def test_many_threads_instrument_once(telemetry):
    """
    Servers start their workers side by side.
    """
    module = stock()
    threads = [threading.Thread(target=instrument, args=("shop.stock:count",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    module.count()

    assert {"count": 1} == executed(telemetry)


TARGETS = ("shop.stock", "shop.stock:Client", "shop.stock:Client.*", "shop.*:count", "shop:count", "shop.desk:Desk.*")


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(TARGETS)), max_size=12))
def test_after_any_sequence_everything_can_be_put_back(steps):
    """
    Patterns come and go in any order, in tests above all: what was there first must come back.
    """
    importlib.import_module("shop.desk")
    modules = [sys.modules[name] for name in ("shop", "shop.stock", "shop.desk")]
    owners = [*modules, modules[1].Client, modules[1].Base, modules[2].Desk]
    before = [dict(vars(owner)) for owner in owners]
    active = set()

    for add, target in steps:
        if add:
            instrument(target)
            active.add(target)
        elif target in active:
            uninstrument(target)
            active.discard(target)
    counted = hasattr(modules[1].count, "_self_again")
    expected = bool(active & {"shop.stock", "shop.*:count", "shop:count"})
    uninstrument()

    assert expected == counted
    assert all(vars(owner) == found for owner, found in zip(owners, before, strict=True))
