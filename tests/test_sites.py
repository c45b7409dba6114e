"""What is constant about a primitive, and who follows its calls."""

import pytest

from tta_observe import _call, _guard, _shells
from tta_observe._sites import Watch, primitive_site, workflow_site
from tta_observe.testing import captured_telemetry


class Diary(Watch):
    """Writes down what it is told."""

    def __init__(self, told, args, kwargs):
        self.told = told
        told.append(("called", args, dict(kwargs)))

    def attributes(self):
        return {"diary": True}

    def returned(self, live, result):
        self.told.append(("returned", result, live.span.is_recording()))

    def yielded(self, live, item):
        self.told.append(("yielded", item))

    def left(self, live, error):
        self.told.append(("left", error, live.span.is_recording()))


class Broken(Watch):
    """Fails at everything."""

    def __init__(self, *_):
        pass

    def returned(self, live, result):
        raise RuntimeError

    def yielded(self, live, item):
        raise RuntimeError

    def left(self, live, error):
        raise RuntimeError


def followed(function, *watchers):
    """*function*, observed, with these who follow it."""
    site = primitive_site("call", "function", "execute", {})
    site = type(site)(site.name, site.type, site.span_name, site.attributes, watchers)
    return _shells.observe(function, lambda args, kwargs: _call.enter(site, args, kwargs), None)


def test_who_follows_a_call_is_told_of_it_from_its_arguments_to_its_end():
    """
    The span is still open then, so that what is known can stand on it.
    """
    told = []
    with captured_telemetry() as telemetry:
        followed(lambda a, b: a + b, lambda _slot, args, kwargs: Diary(told, args, kwargs))(1, b=2)

        assert telemetry.span("call").attributes["diary"] is True
    assert [("called", (1,), {"b": 2}), ("returned", 3, True), ("left", None, True)] == told


def test_a_generator_tells_its_items():
    """
    A stream has no result.
    """
    told = []

    def items():
        yield 1
        yield 2

    with captured_telemetry():
        list(followed(items, lambda _slot, args, kwargs: Diary(told, args, kwargs))())

    assert ["called", "yielded", "yielded", "left"] == [event[0] for event in told]


def _refuse(*_):
    raise RuntimeError


@pytest.mark.swallowed
@pytest.mark.parametrize("watcher", [Broken, _refuse])
def test_who_fails_while_following_harms_nobody(watcher):
    """
    Neither the call nor its span.
    """

    def items():
        yield 1

    with captured_telemetry() as telemetry:
        assert 3 == followed(lambda: 3, watcher)()
        assert [1] == list(followed(items, watcher)())

        assert ["success"] * 2 == [span.attributes["execution.status"] for span in telemetry.spans]
    assert _guard.STATE.errors


def test_what_a_site_is_follows_from_its_type():
    """
    Asked at every call, so it is found once.
    """
    tool, llm, run = (
        primitive_site("t", "tool", "execute", {}),
        primitive_site("l", "llm", "chat", {}),
        workflow_site("w"),
    )

    assert [(False, False, True), (False, True, True), (True, False, True)] == [
        (site.is_workflow, site.is_llm, site.is_genai) for site in (tool, llm, run)
    ]
    assert not primitive_site("f", "function", "execute", {}).is_genai
    assert ((), 1) == (tool.watchers, len(llm.watchers))
