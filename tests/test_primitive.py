"""``traced_primitive``, ``primitive`` and ``step``: names, code attributes, and mistakes told where they are made."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap
from unittest import mock

import pytest

from tta_observe import primitive, step, traced_primitive
from tta_observe._primitive import _relative
from tta_observe.errors import ConfigurationError
from tta_observe.instruments import EXECUTIONS
from tta_observe.semconv import (
    CODE_FILE_PATH,
    CODE_FUNCTION_NAME,
    CODE_LINE_NUMBER,
    PRIMITIVE_ACTION,
    PRIMITIVE_NAME,
    PRIMITIVE_TYPE,
)

DEADLINE = 30


def load(path="a"):
    return path


class Loader:
    def __call__(self, path="a"):
        return path

    def load(self, path="a"):
        return path

    @classmethod
    def of_class(cls):
        return cls

    @staticmethod
    def static():
        return None

    class Inner:  # noqa: D106 - it is a name
        def __call__(self):
            return None


class Nameless:
    """Answers every attribute, as proxies do."""

    def __getattr__(self, name):
        if name.startswith("__") and name != "__qualname__":
            raise AttributeError(name)
        return 42

    def __call__(self):
        return None


def local():
    def inner():
        return None

    class Local:
        def method(self):
            return None

        def __call__(self):
            return None

    return inner, Local


INNER, LOCAL = local()

NAMES = {
    "load": load,
    "Loader.load": Loader().load,
    "Loader.of_class": Loader.of_class,
    "Loader.static": Loader.static,
    "Loader": Loader(),
    "Loader.Inner": Loader.Inner(),
    "Nameless": Nameless(),
    "local.inner": INNER,
    "local.Local.method": LOCAL().method,
    "local.Local": LOCAL(),
    "len": functools.partial(len, ()),
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_name_is_the_qualified_one(telemetry, name):
    """
    Names are read by people on the map: no memory addresses, no ``<locals>``, a class for its objects.
    """
    traced_primitive(NAMES[name])()

    (span,) = telemetry.spans
    assert name == span.attributes[PRIMITIVE_NAME]
    assert {name: 1} == telemetry.counts(EXECUTIONS, by=PRIMITIVE_NAME)


def test_a_partial_is_called_what_its_function_is(telemetry):
    """
    A partial is the function with its first arguments filled in.
    """
    for partial in (
        functools.partial(load, "b"),
        functools.partial(functools.partial(load), path="b"),
        functools.partial(Loader().load, "b"),
        functools.partial(Loader(), "b"),
    ):
        traced_primitive(partial)()

    assert ["load", "load", "Loader.load", "Loader"] == telemetry.tree()


def test_a_given_name_wins(telemetry):
    """
    Who wants another name on the map says so, for functions that have none too.
    """
    traced_primitive(name="pick model")(lambda: None)()
    traced_primitive(name="pick model")(load)()

    assert ["pick model", "pick model"] == telemetry.tree()


def test_two_sites_with_one_name_are_one_primitive(telemetry):
    """
    The name is what they are told apart by; the same function decorated twice is no second node.
    """
    traced_primitive(load)()
    traced_primitive(load)()

    assert {"load": 2} == telemetry.counts(EXECUTIONS, by=PRIMITIVE_NAME)


def test_type_and_action_make_the_name_of_the_span(telemetry):
    """
    Backends search by them; they come from where the decorator was written.
    """
    traced_primitive(type="router", action="select", name="pick")(load)()
    with primitive("parse", type="processor", action="process"):
        pass
    traced_primitive(load)()

    assert ["primitive.router.select", "primitive.processor.process", "primitive.function.execute"] == [
        span.name for span in telemetry.spans
    ]
    assert ("router", "select") == (
        telemetry.span("pick").attributes[PRIMITIVE_TYPE],
        telemetry.span("pick").attributes[PRIMITIVE_ACTION],
    )


def test_attributes_are_on_every_span(telemetry):
    """
    What is said once, where it is written, is on each of its spans; a list that changes later changes none.
    """
    tags = {"team": "search", "tags": ["a", "b"], "nothing": None}
    observed = traced_primitive(attributes=tags)(load)
    tags["team"] = "other"
    tags["tags"].append("c")
    observed()
    with primitive("block", attributes={"team": "search"}):
        pass

    assert ("search", ("a", "b")) == tuple(telemetry.span("load").attributes[key] for key in ("team", "tags"))
    assert "nothing" not in telemetry.span("load").attributes
    assert "search" == telemetry.span("block").attributes["team"]


@pytest.mark.parametrize(
    "target",
    [
        load,
        functools.partial(load),
        functools.lru_cache(load),
        traced_primitive(load),
        functools.wraps(load)(lambda *_: None),
    ],
)
def test_where_the_code_is(telemetry, target):
    """
    From a slow span to the line of code, through whatever other decorators are in between.
    """
    traced_primitive(name="found")(target)()

    attributes = telemetry.span("found").attributes
    assert f"{__name__}.load" == attributes[CODE_FUNCTION_NAME]
    assert attributes[CODE_FILE_PATH].endswith("test_primitive.py")
    assert load.__code__.co_firstlineno == attributes[CODE_LINE_NUMBER]


def test_where_the_code_of_methods_and_objects_is(telemetry):
    """
    A method's, and a callable object's ``__call__``.
    """
    traced_primitive(name="method")(Loader().load)()
    traced_primitive(name="object")(Loader())()

    assert [Loader.load.__code__.co_firstlineno, Loader.__call__.__code__.co_firstlineno] == [
        span.attributes[CODE_LINE_NUMBER] for span in telemetry.spans
    ]


def test_code_that_is_no_python_has_no_place(telemetry):
    """
    A function written in C is observed all the same.
    """
    assert 2 == traced_primitive(name="length")(len)([1, 2])
    assert {CODE_FILE_PATH, CODE_LINE_NUMBER} & set(telemetry.span("length").attributes) == set()


def test_paths_are_relative_to_what_was_imported_from(tmp_path):
    """
    Absolute paths tell user names and directories of the machine; and two machines could not be compared.
    """
    package = tmp_path / "lib" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_OBSERVED.format(name="home"))
    (package / "cart.py").write_text(_OBSERVED.format(name="total"))
    (package / "cart_too.py").write_text(_OBSERVED.format(name="tax"))
    main = tmp_path / "run.py"
    main.write_text(
        textwrap.dedent(
            f"""
            import pathlib, sys
            from tta_observe import traced_primitive
            from tta_observe.testing import captured_telemetry
            before = sys.path[:]
            sys.path[1:1] = [{str(tmp_path / "lib")!r}, {str(package)!r}, "", 7, None, b"x", pathlib.Path("y"), "gone"]
            import cart_too, shop.cart

            @traced_primitive(name="main")
            def main():
                pass

            namespace = {{}}
            exec("def made(): pass", namespace)
            made = traced_primitive(namespace["made"])
            sys.path[:] = before  # OpenTelemetry's own look-ups stumble over such entries
            with captured_telemetry() as telemetry:
                for function in (shop.home, shop.cart.total, cart_too.tax, main, made):
                    function()
            for span in telemetry.spans:
                print(span.attributes["code.function.name"], span.attributes["code.file.path"])
            """
        )
    )
    ran = subprocess.run(
        [sys.executable, main], capture_output=True, text=True, timeout=DEADLINE, check=False, cwd=tmp_path
    )

    assert "" == ran.stderr
    assert [
        "shop.home shop/__init__.py",
        "shop.cart.total shop/cart.py",
        "cart_too.tax cart_too.py",
        "__main__.main run.py",
        "made <string>",
    ] == ran.stdout.splitlines()


_OBSERVED = """
from tta_observe import traced_primitive

@traced_primitive
def {name}():
    pass
"""


def test_a_file_outside_of_the_path_is_told_by_its_name_alone():
    """
    Code that was compiled elsewhere still must not tell where that was.
    """
    assert "model.py" == _relative("/home/somebody/secret/model.py", "model")


@pytest.mark.parametrize(
    "wrong", ["", "LLM", "my type", "1st", "größe", "a-b", "a.b", " llm", "llm\n", None, 5, b"llm"]
)
@pytest.mark.parametrize("option", ["type", "action"])
@pytest.mark.parametrize("make", [traced_primitive, functools.partial(primitive, "p")])
def test_a_type_or_action_that_is_no_identifier(make, option, wrong):
    """
    They stand in the names of spans, which are searched by prefix.
    """
    with pytest.raises(ConfigurationError, match=rf"{option}=.* is no identifier.* Write {option}='[a-z]") as caught:
        make(**{option: wrong})

    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(
    ("make", "option", "hint"),
    [
        (traced_primitive, {"typ": "llm"}, "'type'"),
        (traced_primitive, {"actions": "x"}, "'action'"),
        (traced_primitive, {"nmae": "x"}, "'name'"),
        (traced_primitive, {"attribute": {}}, "'attributes'"),
        (functools.partial(primitive, "p"), {"typ": "llm"}, "'type'"),
        (traced_primitive, {"zzz": 1}, "It takes: action"),
    ],
)
def test_an_unknown_option_proposes_a_known_one(make, option, hint):
    """
    A misspelled option that is taken in silence is found weeks later.
    """
    with pytest.raises(ConfigurationError, match=rf"has no option '{next(iter(option))}'.*{hint}"):
        make(**option)


@pytest.mark.parametrize("wrong", ["", "   ", "\n", 5, b"name", ["a"]])
def test_a_name_that_says_nothing(wrong):
    """
    An empty label would be a nameless node on the map.
    """
    for make in (lambda: traced_primitive(name=wrong), lambda: primitive(wrong), lambda: step(wrong)):
        with pytest.raises(ConfigurationError, match="name must be a string that says something"):
            make()


@pytest.mark.parametrize("wrong", [5, "team=search", ["team"]])
def test_attributes_that_are_no_mapping(wrong):
    """
    Told where they are written, not at the first call in production.
    """
    for make in (lambda: traced_primitive(attributes=wrong), lambda: primitive("p", attributes=wrong)):
        with pytest.raises(ConfigurationError, match=r"is no mapping\. Write attributes="):
            make()


def test_a_class_cannot_be_decorated():
    """
    ``isinstance`` and subclassing would break; the methods are what people want to see.
    """
    with pytest.raises(ConfigurationError, match=r"cannot decorate the class Loader\. Decorate the methods"):
        traced_primitive(Loader)
    with pytest.raises(ConfigurationError, match="cannot decorate the class Loader"):
        traced_primitive(type="llm")(Loader)


@pytest.mark.parametrize("wrong", [5, "select", ["load"], property(load), object()])
def test_what_cannot_be_called_cannot_be_decorated(wrong):
    """
    Among them the name given without ``name=``, and a decorator that stands above ``@property``.
    """
    with pytest.raises(ConfigurationError, match=r"decorates functions, not .* Write @traced_primitive above a def\."):
        traced_primitive(wrong)


@pytest.mark.parametrize("target", [lambda: None, functools.partial(lambda one: one, 1)])
def test_a_lambda_must_be_named(target):
    """
    All lambdas are called the same: they would be one node.
    """
    with pytest.raises(ConfigurationError, match=r"A lambda has no name to show\. Write traced_primitive\(name="):
        traced_primitive(target)


def test_a_name_of_any_length_and_alphabet_is_kept_short(telemetry):
    """
    Names are labels: they go into every series.
    """
    traced_primitive(name="é" * 100_000)(load)()
    traced_primitive(name="\ud800 lone")(load)()

    sizes = [len(span.attributes[PRIMITIVE_NAME].encode()) for span in telemetry.spans]
    assert max(sizes) <= 8 * 1024
    assert "? lone" == telemetry.spans[1].attributes[PRIMITIVE_NAME]


def test_a_double_can_be_decorated(telemetry):
    """
    Tests decorate mocks; a mock answers every question with another mock.
    """
    double = mock.MagicMock(return_value=5)

    assert 5 == traced_primitive(name="double")(double)()
    assert 5 == traced_primitive(mock.create_autospec(load, return_value=5))()
    assert ["double", "load"] == telemetry.tree()


def test_the_yielded_span_takes_anything(telemetry):
    """
    What people put on a span must never break their program.
    """
    with primitive("p") as span:
        span.set_attribute("number", 5)
        span.set_attributes({"list": [1, "a"], "nothing": None, 5: "no key", "object": object()})
        span.add_event("cached", {"key": b"\xff"})
        span.add_event(None)
        span.set_attributes(None or {})
    with step("s") as inner:
        inner.set_attribute("number", 6)

    attributes = telemetry.span("p").attributes
    assert (5, ("1", "a"), "<object>") == tuple(attributes[key] for key in ("number", "list", "object"))
    assert "nothing" not in attributes
    assert "cached" == telemetry.span("p").span.events[0].name
    assert 6 == telemetry.span("s").attributes["number"]
