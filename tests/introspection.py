"""
What other code asks of functions, and what it gets from observed ones.

Collected by ``tests/test_observed.py``; run as a program under other versions of wrapt: prints what fails.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import copy
import dataclasses
import functools
import gc
import inspect
import pickle
import sys
import traceback
import types
import typing
import weakref
from unittest import mock

import wrapt

from tta_observe import primitive, traced_primitive, workflow

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


@traced_primitive
def plain(one, two: int = 2, *rest: str, three: float = 3.0, **more: bytes) -> list[int]:
    """Adds up."""
    return [one, two]


@traced_primitive(type="llm")
async def coroutine(one):
    return one


@workflow("review")
def generator(one):
    yield one


@primitive("stream")
async def async_generator(one):
    yield one


@traced_primitive
@functools.lru_cache(maxsize=8)
def cached(one):
    return [one]


def bare(one):
    return one


observed_under_another_name = traced_primitive(bare)
of_partial = traced_primitive(functools.partial(bare, 5))


class Adder:
    def __init__(self, number=1):
        self.number = number

    def __call__(self, one):
        return one + self.number

    def __eq__(self, other):
        return isinstance(other, Adder) and self.number == other.number

    __hash__ = None


adder = traced_primitive(Adder())
block_adder = workflow("adding")(Adder(2))


class Base:
    def __init__(self, number=1):
        self.number = number

    def __eq__(self, other):
        return type(other) is type(self) and self.number == other.number

    def __hash__(self):
        return hash(self.number)

    @traced_primitive
    def method(self, one=1):
        """Of an object."""
        return "base", self.number, one

    @traced_primitive
    @classmethod
    def of_class(cls, one):
        return cls.__name__, one

    @classmethod
    @traced_primitive
    def of_class_too(cls, one):
        return cls.__name__, one

    @traced_primitive
    @staticmethod
    def static(one):
        return one

    @staticmethod
    @traced_primitive
    def static_too(one):
        return one


class Derived(Base):
    @traced_primitive
    def __init__(self, number=1):
        super().__init__(number)

    @traced_primitive
    def __new__(cls, *args):
        return super().__new__(cls)

    @traced_primitive
    def method(self, one=1):
        return "derived", *super().method(one)

    @traced_primitive
    def __call__(self, one):
        return self.number + one

    @traced_primitive
    def __iter__(self):
        yield self.number

    @traced_primitive
    def __enter__(self):
        return self

    @traced_primitive
    def __exit__(self, *raised):
        return True

    @traced_primitive
    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return name

    @functools.cached_property
    @traced_primitive
    def lazily(self):
        return object()

    @property
    @traced_primitive
    def current(self):
        return self.number

    @current.setter
    @traced_primitive
    def current(self, number):
        self.number = number

    @traced_primitive
    @functools.lru_cache  # noqa: B019 - it is what people do
    def cached(self, one):
        return [one]

    partly = functools.partialmethod(Base.method, 7)

    @functools.singledispatchmethod
    @traced_primitive
    def kind(self, one):
        return "object"

    @kind.register
    @traced_primitive
    def _(self, one: int):
        return "integer"


class Registry:
    def __init_subclass__(cls, **options):
        cls.options = options

    @traced_primitive
    def __class_getitem__(cls, item):
        return cls.__name__, item


class Plugin:
    @traced_primitive
    def __init_subclass__(cls, **options):
        cls.options = options


@dataclasses.dataclass
class Data:
    number: int
    action: typing.Callable = plain

    @traced_primitive
    def method(self):
        return self.number


@typing.runtime_checkable
class HasMethod(typing.Protocol):
    def method(self): ...


@check
def signature():
    """Web frameworks build their routes from it."""
    assert "(one, two: 'int' = 2, *rest: 'str', three: 'float' = 3.0, **more: 'bytes') -> 'list[int]'" == str(
        inspect.signature(plain)
    )
    assert "(one=1)" == str(inspect.signature(Base().method))
    assert "(self, one=1)" == str(inspect.signature(Base.method))
    assert ["(one)"] * 4 == [
        str(inspect.signature(function))
        for function in (Base.of_class, Base.of_class_too, Base.static, Base.static_too)
    ]
    assert ("(one)", "()", "(one)") == tuple(str(inspect.signature(f)) for f in (adder, of_partial, cached))


@check
def full_argument_specification():
    """Older frameworks ask for it this way, and do not follow ``__wrapped__``."""
    spec = inspect.getfullargspec(plain)

    assert (["one", "two"], "rest", "more", (2,), ["three"]) == (
        spec.args,
        spec.varargs,
        spec.varkw,
        spec.defaults,
        spec.kwonlyargs,
    )
    assert {"self": Base(), "one": 4} == inspect.getcallargs(Base().method, 4)


@check
def code_and_defaults():
    """The oldest ones look at the code object."""
    assert (2, (2,), {"three": 3.0}) == (plain.__code__.co_argcount, plain.__defaults__, plain.__kwdefaults__)
    assert plain.__globals__ is globals()
    assert plain.__closure__ is None


@check
def kind_of_function():
    """Whoever calls has to know whether to await, and whether to iterate."""
    kinds = (inspect.isfunction, inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)

    assert [True, False, False, False] == [kind(plain) for kind in kinds]
    assert [True, True, False, False] == [kind(coroutine) for kind in kinds]
    assert [True, False, True, False] == [kind(generator) for kind in kinds]
    assert [True, False, False, True] == [kind(async_generator) for kind in kinds]
    assert inspect.isroutine(plain)
    assert (True, True, False) == (
        inspect.ismethod(Base().method),
        inspect.ismethod(Base.of_class),
        inspect.ismethod(plain),
    )


@check
def kind_of_what_is_returned():
    """And what is returned is the real thing, under the function's name."""
    awaitable, items, stream = coroutine(1), generator(1), async_generator(1)

    assert (True, True, True) == (
        inspect.iscoroutine(awaitable),
        inspect.isgenerator(items),
        inspect.isasyncgen(stream),
    )
    assert ["coroutine", "generator", "async_generator"] == [made.__qualname__ for made in (awaitable, items, stream)]
    awaitable.close()


@check
def type_hints():
    """Validators are built from them."""
    expected = {"two": int, "rest": str, "three": float, "more": bytes, "return": list[int]}

    assert expected == typing.get_type_hints(plain)


@check
def names_and_documentation():
    """Help pages, logs and command lines show them."""
    assert ("plain", "plain", "Adds up.", __name__) == (
        plain.__name__,
        plain.__qualname__,
        plain.__doc__,
        plain.__module__,
    )
    assert ("method", "Base.method", "Of an object.") == (
        Base().method.__name__,
        Base.method.__qualname__,
        inspect.getdoc(Derived.method),
    )


@check
def source():
    """Debuggers and documentation builders show it."""
    assert inspect.getsource(plain).startswith("@traced_primitive\ndef plain(")
    assert inspect.getsourcefile(Base().method).endswith("introspection.py")


@check
def undecorated():
    """Tests want to get at the function below."""
    assert bare is observed_under_another_name.__wrapped__
    assert bare is inspect.unwrap(observed_under_another_name)


@check
def attributes():
    """Frameworks mark functions by setting attributes on them."""
    plain.mark = "here"

    assert ("here", {"mark": "here"}) == (plain.__wrapped__.mark, plain.__dict__)
    del plain.mark
    assert not hasattr(plain, "mark")


@check
def wrapping_it_further():
    """Other decorators go on top."""

    @functools.wraps(plain)
    def above(*args, **kwargs):
        return plain(*args, **kwargs)

    assert ([1, 2], "Adds up.", inspect.signature(plain)) == (above(1), above.__doc__, inspect.signature(above))


@check
def abstract_methods():
    """A class that does not implement what was decorated as abstract must not be instantiated."""

    class Interface(abc.ABC):
        @traced_primitive
        @abc.abstractmethod
        def outside(self): ...

        @abc.abstractmethod
        @traced_primitive
        def inside(self): ...

    assert {"outside", "inside"} == Interface.__abstractmethods__


@check
def single_dispatch():
    """The decorated implementation is found by the type of the argument."""

    @functools.singledispatch
    @traced_primitive
    def kind(one):
        return "object"

    @kind.register
    @traced_primitive
    def _(one: int):
        return "integer"

    assert ("integer", "object") == (kind(1), kind(""))
    assert ("integer", "object") == (Derived().kind(1), Derived().kind(""))


@check
def properties():
    """``property`` and ``cached_property`` above the decorator; the latter needs to be told its name."""
    made = Derived(3)
    made.current = 4

    assert (4, True) == (made.current, made.lazily is made.lazily)


@check
def cache_below():
    """What ``lru_cache`` adds stays reachable."""
    cached.cache_clear()

    assert cached(1) is cached(1)
    assert (1, 1, 8) == cached.cache_info()[:3]
    made = Derived()
    assert made.cached(1) is made.cached(1)
    assert 1 == Derived.cached.cache_info().hits


@check
def partial_methods():
    """A method with arguments filled in."""
    assert ("base", 1, 7) == Derived().partly()


@check
def automatic_specification():
    """Mocks made after a decorated function refuse the same wrong calls."""
    double = mock.create_autospec(plain)
    double(1, three=2.0)
    with contextlib.suppress(TypeError):
        double()
        raise AssertionError("a call without arguments was accepted")
    assert mock.create_autospec(Base, instance=True).method(1) is not None
    assert asyncio.iscoroutinefunction(mock.create_autospec(coroutine))


@check
def patching():
    """Tests replace decorated functions, and put them back."""
    before = Base.__dict__["method"]
    with mock.patch.object(Base, "method", return_value=5):
        assert 5 == Base().method()
    assert Base.__dict__["method"] is before
    with mock.patch(f"{__name__}.plain") as double:
        assert plain is double
    assert [1, 2] == plain(1)


@check
def methods_of_all_kinds():
    """Through the object, through the class, and with ``super()``."""
    made = Derived(3)

    assert ("derived", "base", 3, 1) == made.method() == Derived.method(made) == Derived.method(self=made)
    assert ("base", 3, 2) == Base.method(made, 2)
    assert ("Derived", 1) == made.of_class(1) == Derived.of_class(1) == made.of_class_too(1) == Derived.of_class_too(1)
    assert 1 == made.static(1) == Derived.static(1) == made.static_too(1) == Derived.static_too(1)
    assert Base.method is Base.method
    assert types.MethodType(bare, 6)() == types.MethodType(observed_under_another_name, 6)()


@check
def callables_that_are_no_functions():
    """As attributes of a class, objects are bound in the way of their own, or not at all."""

    class Greeting:
        def __get__(self, instance, owner):
            return functools.partial(self, type(instance).__name__)

        def __call__(self, name, greeting="hello"):
            return greeting, name

    class Page:
        greeting = traced_primitive(Greeting())
        adder = traced_primitive(Adder(3))

    assert ("hello", "Page") == Page().greeting()
    assert ("welcome", "Page") == Page().greeting("welcome")
    assert (5, 5) == (Page().adder(2), Page.adder(2))


@check
def special_methods():
    """Python itself looks them up, on the class."""
    made = Derived(3)

    assert (8, [3], "unknown") == (made(5), list(made), made.unknown)
    with made as entered:
        assert entered is made
        raise LookupError


@check
def methods_that_are_classmethods_by_themselves():
    """Python makes ``__init_subclass__`` and ``__class_getitem__`` classmethods, if they are functions of its own."""

    class Shipped(Plugin, kind="shipped"):
        pass

    assert {"kind": "shipped"} == Shipped.options
    assert ("Registry", int) == Registry[int]


@check
def protocols_and_dataclasses():
    """Decorated methods count as methods, decorated functions as values."""
    assert isinstance(Data(1), HasMethod)
    assert (1, [1, 2]) == (Data(1).method(), Data(1).action(1))
    assert Data(1) == copy.deepcopy(Data(1)) == dataclasses.replace(Data(2), number=1)


@check
def names_are_told_to_descriptors():
    """A decorated callable with ``__set_name__`` hears of its class, as it would without."""

    class Field:
        def __set_name__(self, owner, name):
            self.name = name

        def __call__(self):
            return self.name

    class Form:
        field = traced_primitive(Field())

    assert "field" == Form.__dict__["field"].name


@check
def weak_references():
    """Signals hold their receivers weakly: functions, and methods by function and object."""
    owner = Base(3)
    method = weakref.WeakMethod(owner.method)

    assert plain is weakref.ref(plain)()
    assert ("base", 3, 1) == method()()
    assert method == weakref.WeakMethod(owner.method)
    assert ("Base", 2) == weakref.WeakMethod(Base.of_class)()(2)
    del owner
    gc.collect()
    assert method() is None


@check
def equality_and_hash():
    """Callbacks are removed from lists and sets by being compared."""
    owner = Base()

    assert owner.method == owner.method
    assert hash(owner.method) == hash(owner.method)
    assert Base(1).method != Derived(2).method
    assert {plain: 1}[plain] == 1
    assert plain in [bare, plain]


@check
def methods_know_their_object_and_function():
    """Schedulers take methods apart, and put them together again."""
    owner = Base(3)

    assert owner.method.__self__ is owner
    assert ("base", 3, 1) == owner.method.__func__(owner)
    assert Base.of_class.__self__ is Base
    assert not hasattr(Base.static, "__func__")


@check
def pickling():
    """Process pools and task queues send functions by name, methods by object and name."""
    for function in (plain, coroutine, generator, async_generator, cached):
        assert function is _round_trip(function)
    for method in (Base(3).method, Derived(3).method, Base.of_class, Derived.of_class, Derived(3).of_class_too):
        copied = _round_trip(method)
        assert (method.__self__, method.__func__) == (copied.__self__, copied.__func__)
    for function in (Base.method, Derived.method, Base.static, Derived(3).static, Base.static_too):
        assert function is _round_trip(function)


@check
def pickling_what_has_no_name():
    """Partials and callable objects are pickled by value, and stay observed."""
    assert (5, 2, 3) == (_round_trip(of_partial)(), _round_trip(adder)(1), _round_trip(block_adder)(1))
    for function in (of_partial, adder, block_adder, observed_under_another_name):
        assert type(function) is type(_round_trip(function))
    assert 4 == _round_trip(observed_under_another_name)(4)


@check
def pickling_inside_of_others():
    """A job is a function and its arguments, in a partial or an object."""
    assert [1, 2] == _round_trip(functools.partial(plain, 1))()
    assert Data(1) == _round_trip(Data(1))


@check
def pickling_what_cannot_be_found():
    """A function inside of another one cannot be pickled; it is told as of any function."""

    @traced_primitive
    def local():
        pass

    with contextlib.suppress(pickle.PicklingError, AttributeError):
        pickle.dumps(local)
        raise AssertionError("it was pickled")


@check
def copying():
    """Copies of functions are the functions, copies of methods those of the copied object."""
    owner = Base(3)

    assert plain is copy.copy(plain) is copy.deepcopy(plain)
    assert owner.method == copy.copy(owner.method)
    assert owner is not copy.deepcopy(owner.method).__self__
    assert ("base", 3, 1) == copy.deepcopy(owner.method)()
    assert Base.static == copy.deepcopy(Base.static)
    assert {"function": plain} == copy.deepcopy({"function": plain})
    again = copy.deepcopy(adder)
    again.number = 10
    assert (11, 2) == (again(1), adder(1))
    assert (2, 5) == (copy.copy(adder)(1), copy.copy(of_partial)())


def _round_trip(value):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copied = pickle.loads(pickle.dumps(value, protocol))
    return copied


def main():
    failed = 0
    for function in CHECKS:
        try:
            function()
        except Exception:  # noqa: BLE001 - all are run, then all that failed are told
            failed += 1
            print(f"{function.__name__}: {traceback.format_exc()}")
    print(f"wrapt {wrapt.__version__}: {len(CHECKS) - failed} of {len(CHECKS)} checks hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
