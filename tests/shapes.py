"""Functions of every shape, and scripts that drive them: a bare function and an observed one must not differ."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import inspect
import logging
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tta_observe import agent, bound_context, primitive, step, traced_primitive, workflow
from tta_observe.context import POSITION

SHAPES = ("plain", "coroutine", "generator", "async generator")

DECORATORS = {
    "traced_primitive": lambda: traced_primitive,
    "traced_primitive()": lambda: traced_primitive(type="llm", action="complete"),
    "sequential": lambda: traced_primitive(type="sequential"),
    "workflow": lambda: workflow("review"),
    "agent": lambda: agent("coder"),
    "step": lambda: step("check"),
    "primitive": lambda: primitive("parse"),
    "bound_context": lambda: bound_context(session_id="s-1"),
}


class StrRaisesError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class ReprRaisesError(Exception):
    def __repr__(self):
        raise RuntimeError("no repr")


class StrEndsError(Exception):
    def __str__(self):
        raise SystemExit(1)


class NotTextError(Exception):
    def __str__(self):
        return 5  # noqa: PLE0307 - on purpose


class HollowError(Exception):
    """Nearly nothing of it can be read."""

    @property
    def args(self):
        raise RuntimeError("no arguments")


class FalsyError(Exception):
    def __bool__(self):
        return False

    def __len__(self):
        return 0


ERRORS = {
    "ValueError": lambda: ValueError("wrong"),
    "KeyError": lambda: KeyError("missing"),
    "StrRaises": StrRaisesError,
    "ReprRaises": ReprRaisesError,
    "StrEnds": StrEndsError,
    "NotText": NotTextError,
    "Hollow": HollowError,
    "Falsy": FalsyError,
    "StopIteration": lambda: StopIteration("value"),
    "StopAsyncIteration": StopAsyncIteration,
    "ExceptionGroup": lambda: ExceptionGroup("several", [ValueError(1), StrRaisesError()]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError(1)]),
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit 0": lambda: SystemExit(0),
    "SystemExit 3": lambda: SystemExit(3),
    "CancelledError": lambda: asyncio.CancelledError("stop"),
    "GeneratorExit": GeneratorExit,
}

Label = str


@dataclass(frozen=True)
class Fault:
    """An exception yet to be made: each run gets one of its own, told apart from others by *label*."""

    kind: str
    label: Label
    cause: str | None = None
    note: str | None = None

    def make(self) -> BaseException:
        error = ERRORS[self.kind]()
        error.label = self.label
        if self.cause is not None:
            error.__cause__ = ERRORS[self.cause]()
        if self.note is not None:
            error.add_note(self.note)
        return error


@dataclass(frozen=True)
class Pause:
    """Where a body yields: *then* is what it does with an exception that is thrown in."""

    value: int
    then: str = "raise"


@dataclass(frozen=True)
class Plan:
    """What a body does: it pauses, then returns *result* or raises *fault*."""

    pauses: tuple[Pause, ...] = ()
    result: Any = None
    fault: Fault | None = None


@dataclass(frozen=True)
class Op:
    """What the consumer does next: ``next``, ``send``, ``throw`` or ``close``."""

    name: str
    value: int = 0
    fault: Fault | None = None


@dataclass
class Log:
    """What the body and its consumer saw, and how many frames each exception came with."""

    seen: list[Any] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)


class Wait:
    """Suspends a coroutine once; what resumes it is what it returns."""

    def __init__(self, value):
        self.value = value

    def __await__(self):
        return (yield ("waits", self.value))


def faults():
    kinds = st.sampled_from(sorted(ERRORS))
    return st.builds(
        Fault, kinds, st.uuids().map(str), st.none() | kinds, st.none() | st.sampled_from(["a note", "another"])
    )


def plans():
    pauses = st.lists(
        st.builds(Pause, st.integers(0, 9), st.sampled_from(["raise", "go on", "other", "return"])), max_size=4
    )
    return st.builds(
        Plan, pauses.map(tuple), st.sampled_from([None, 0, "", "done", (), StopIteration]), st.none() | faults()
    )


def scripts():
    plain = st.builds(Op, st.sampled_from(["next", "next", "send", "close"]), st.integers(0, 9))
    throw = st.builds(Op, st.just("throw"), fault=faults())
    return st.lists(st.one_of(plain, plain, throw), max_size=8)


def body(shape, plan, log):
    """A function of *shape* that does what *plan* says and writes down what it sees."""

    def end():
        if plan.fault is not None:
            raise plan.fault.make()
        return plan.result

    def react(pause, error):
        log.seen.append(("caught", describe(error)))
        if pause.then == "other":
            raise LookupError("another error")
        return pause.then

    def plain(*args, **kwargs):
        log.seen.append(("called", _shown(args), kwargs))
        return end()

    async def coroutine(*args, **kwargs):
        log.seen.append(("called", _shown(args), kwargs))
        for pause in plan.pauses:
            try:
                log.seen.append(("got", await Wait(pause.value)))
            except BaseException as error:
                # Going on after GeneratorExit is lost in any coroutine that is awaited by another one.
                if (then := react(pause, error)) == "raise" or isinstance(error, GeneratorExit):
                    raise
                if then == "return":
                    return "early"
        return end()

    def generator(*args, **kwargs):
        log.seen.append(("called", _shown(args), kwargs))
        for pause in plan.pauses:
            try:
                log.seen.append(("got", (yield pause.value)))
            except BaseException as error:
                if (then := react(pause, error)) == "raise":
                    raise
                if then == "return":
                    return "early"
        return end()

    async def async_generator(*args, **kwargs):
        log.seen.append(("called", _shown(args), kwargs))
        for pause in plan.pauses:
            try:
                log.seen.append(("awaited", await Wait(pause.value)))
                log.seen.append(("got", (yield pause.value)))
            except BaseException as error:
                # One that goes on after GeneratorExit cannot be closed a second time, not even by us.
                if (then := react(pause, error)) == "raise" or (then == "go on" and isinstance(error, GeneratorExit)):
                    raise
                if then == "return":
                    return
        end()

    return {"plain": plain, "coroutine": coroutine, "generator": generator, "async generator": async_generator}[shape]


class Holder:
    """Its objects and subclasses are alike, so that what two runs were called with can be compared."""


def _shown(args):
    return tuple("holder" if isinstance(arg, Holder) or arg.__class__ is type else arg for arg in args)


def _method(function, decorate):
    class Owner(Holder):
        run = decorate(function)

    return Owner().run


def _unbound(function, decorate):
    class Owner(Holder):
        run = decorate(function)

    return functools.partial(Owner.run, "in place of self")


def _classmethod(function, decorate):
    class Owner(Holder):
        run = classmethod(decorate(function))

    return Owner.run


def _over_classmethod(function, decorate):
    class Owner(Holder):
        run = decorate(classmethod(function))

    return Owner().run


def _staticmethod(function, decorate):
    class Owner(Holder):
        run = staticmethod(decorate(function))

    return Owner.run


def _over_staticmethod(function, decorate):
    class Owner(Holder):
        run = decorate(staticmethod(function))

    return Owner().run


def _callable_object(function, decorate):
    class Owner(Holder):
        __call__ = function

    return decorate(Owner())


HOLDERS = {
    "function": lambda function, decorate: decorate(function),
    "method": _method,
    "method through its class": _unbound,
    "decorated, then classmethod": _classmethod,
    "classmethod, then decorated": _over_classmethod,
    "decorated, then staticmethod": _staticmethod,
    "staticmethod, then decorated": _over_staticmethod,
    "partial": lambda function, decorate: decorate(functools.partial(function, "first")),
    "partial of partial": lambda function, decorate: decorate(
        functools.partial(functools.partial(function, "first"), second=2)
    ),
    "partial of decorated": lambda function, decorate: functools.partial(decorate(function), "first"),
    "callable object": _callable_object,
    "decorated twice": lambda function, decorate: decorate(decorate(function)),
}


def undecorated(target):
    """In place of a decorator."""
    return target


def describe(error, depth=3):
    """
    What must not change about an exception: its class, which one it is, what it was caused by, its notes.
    """
    if error is None or not depth:
        return None
    text = error.args if type(error) in (RuntimeError, TypeError) else None
    return (
        type(error).__name__,
        error.__dict__.get("label"),
        text,
        error.__suppress_context__,
        error.__dict__.get("__notes__"),
        describe(error.__cause__, depth - 1),
        describe(error.__context__, depth - 1),
    )


def surroundings():
    """
    Every context variable there is, by identity. The position on the service map is meant to move.
    """
    return {
        variable.name: id(value)
        for variable, value in contextvars.copy_context().items()
        if variable is not POSITION.context_var
    }


@contextlib.contextmanager
def silent(caplog):
    """
    Nothing may be logged: OpenTelemetry tells there of contexts that were not restored, asyncio of failed clean-ups.
    """
    with caplog.at_level(logging.DEBUG, "opentelemetry"), caplog.at_level(logging.WARNING):
        yield
        gc.collect()

    assert [] == [record.getMessage() for record in caplog.records]


def drive(made, shape, script, log):
    """
    Do to what a function of *shape* returned what *script* says, and write down what comes of it.

    A coroutine runs in a context of its own, as in a task: there nobody sees the context of one that is suspended.
    """
    before = surroundings()
    task = contextvars.copy_context()
    run = task.run if shape == "coroutine" else lambda function, *args: function(*args)
    for op in script:
        if shape == "coroutine" and op.fault is not None and op.fault.kind == "GeneratorExit":
            continue  # reaches the innermost of several coroutines as another object, with and without us
        log.seen.append((op.name, run(_operate, made, shape, op, log)))

        assert before == surroundings(), "the consumer's context changed"
    run(_finish, made, shape)

    assert before == run(surroundings), "the context changed"


def call(function, shape, log, args=(), kwargs=None, script=()):
    """
    Call *function* and use what it returns to its end.
    """
    before = surroundings()
    if shape == "plain":
        log.seen.append(_outcome(lambda: function(*args, **(kwargs or {})), log))
    else:
        made = function(*args, **(kwargs or {}))
        log.seen.append(("names", made.__name__, made.__qualname__, inspect.isawaitable(made)))
        drive(made, shape, script, log)

    assert before == surroundings(), "the caller's context changed"
    return log


def _operate(made, shape, op, log):
    if shape == "async generator":
        return _operate_async(made, op, log)
    if op.name == "throw":
        return _outcome(lambda: made.throw(op.fault.make()), log)
    if op.name == "close":
        return _outcome(made.close, log)
    return _outcome(lambda: made.send(op.value if op.name == "send" else None), log)


def _operate_async(made, op, log):
    if op.name == "throw":
        return _outcome(lambda: _await(made.athrow(op.fault.make()), log), log)
    if op.name == "close":
        return _outcome(lambda: _await(made.aclose(), log), log)
    return _outcome(lambda: _await(made.asend(op.value if op.name == "send" else None), log), log)


def _await(awaitable, log):
    """
    Run *awaitable* without an event loop; every third wait fails.
    """
    iterator = awaitable.__await__()
    sent = None
    while True:
        try:
            waits = iterator.send(sent)
        except StopIteration as stop:
            return stop.value
        log.seen.append(waits)
        sent = waits[1]
        if sent % 3 == 2:
            try:
                waits = iterator.throw(Fault("CancelledError", "while waiting").make())
            except StopIteration as stop:
                return stop.value
            log.seen.append(waits)


def _outcome(act, log):
    try:
        return "returned", act()
    except BaseException as error:  # noqa: BLE001 - each kind is thrown in turn
        log.frames.append(_depth(error.__traceback__))
        return "raised", describe(error), getattr(error, "value", None)


def _depth(traceback):
    count = 0
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count


def _finish(made, shape):
    """
    Close *made*, however often it refuses to.
    """
    for _ in range(10):
        with contextlib.suppress(BaseException):
            _close(made, shape)
            return


def _close(made, shape):
    try:
        if shape == "async generator":
            _await(made.aclose(), Log())
        else:
            made.close()
    except RuntimeError:
        raise  # it went on: once more
    except BaseException:  # noqa: BLE001 - it failed, and so it ended
        return
