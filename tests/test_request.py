"""What a call asks of a model."""

import enum
import functools

import pytest
from hostile import RAN, hostile
from hypothesis import given
from hypothesis import strategies as st

from tta_observe._request import Request, request_reader


def ask(prompt, model="default", /, provider="p", *rest, temperature=None, max_tokens=None, **more):
    """Every kind of parameter there is."""


class Client:
    """Calls as methods have them."""

    def ask(self, model, temperature):
        """Ask a model."""

    __call__ = ask


class Model(enum.StrEnum):
    """Names of models as some programs keep them."""

    LARGE = "large"


def read(function, *args, **kwargs):
    """The request of one call."""
    return request_reader(function)(args, kwargs)


@pytest.mark.parametrize(
    ("expected", "function", "args", "kwargs"),
    [
        (Request("p", "default"), ask, ("hi",), {}),
        (Request("q", "m"), ask, ("hi", "m", "q", "rest"), {}),
        (Request("p", "default", 0.5, 7), ask, ("hi",), {"temperature": 0.5, "max_tokens": 7}),
        (Request("p", "default", None, 7), ask, ("hi",), {"max_completion_tokens": 7}),
        (Request("q", "m"), functools.partial(ask, "hi", "m", provider="q"), (), {}),
        (Request("q", "other"), functools.partial(ask, "hi", provider="q"), ("other",), {}),
        (Request(None, "m", 1), Client.ask, (Client(), "m", 1), {}),
        (Request(None, "m", 1), Client().ask, ("m", 1), {}),
        (Request(None, "m", 1), Client(), ("m",), {"temperature": 1}),
        (Request(None, "large"), Client().ask, (Model.LARGE, None), {}),
        (Request(None, "m"), None, (), {"model": "m"}),
        (Request(None, "m"), print, ("positions of builtins are theirs",), {"model": "m"}),
    ],
)
def test_it_is_read_as_python_binds_arguments(expected, function, args, kwargs):
    """
    By position, by keyword, by default: whoever reads keywords alone misses most calls.
    """
    assert expected == read(function, *args, **kwargs)


@pytest.mark.parametrize("bad", [object(), hostile()(), hostile(str)("m"), b"m", 3, ["m"], True], ids=range(7))
def test_no_code_of_an_argument_is_run_and_no_object_becomes_a_label(bad):
    """
    A parameter called ``model`` may hold a client, and its text an address or a key.
    """
    RAN.clear()
    found = read(ask, "hi", temperature=hostile()(), max_tokens=hostile(int)(7), model=bad)

    assert [] == RAN
    assert found.model in ("m", None)
    assert (None, 7) == (found.temperature, found.max_tokens)


def test_a_signature_that_fails_hides_positions_alone():
    """
    A decorator's broken ``__signature__`` must not break ours, where the function is written.
    """

    def call(model):
        pass

    call.__signature__ = "not one"

    assert Request(None, "m") == read(call, model="m")
    assert Request() == read(call, "m")


@given(st.lists(st.integers() | st.text() | st.none(), max_size=4), st.dictionaries(st.text(), st.floats()))
def test_any_arguments_are_taken(args, kwargs):
    """
    Also wrong ones: those are the function's to refuse.
    """
    read(ask, *args, **kwargs)
