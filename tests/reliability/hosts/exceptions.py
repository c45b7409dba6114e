"""
Every exception through every shape of function: what the caller gets is what was raised.

Prints the failures as texts; an empty list is a pass. Peers are driven through the plain shape alone.
"""

import traceback

from subject import NAME, SUBJECT, say

SUBJECT.configure()


class StrRaisesError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class ReprRaisesError(Exception):
    def __repr__(self):
        raise RuntimeError("no repr")


class ArgsRaisesError(Exception):
    @property
    def args(self):
        raise RuntimeError("no args")


class BothRaiseError(Exception):
    def __str__(self):
        raise SystemExit("no text")

    __repr__ = __str__


class SlottedError(Exception):
    __slots__ = ()


class NamelessMeta(type):
    @property
    def __name__(cls):
        raise RuntimeError("no name")


class NamelessError(Exception, metaclass=NamelessMeta):
    pass


class EqualRaisesError(Exception):
    def __eq__(self, other):
        raise RuntimeError("not comparable")

    __hash__ = None

    def __bool__(self):
        raise RuntimeError("neither true nor false")


def made():
    cause = KeyError("cause")
    noted = ValueError("noted")
    noted.add_note("a note")
    return [
        ValueError("plain"),
        StrRaisesError(),
        ReprRaisesError(),
        ArgsRaisesError(),
        BothRaiseError(),
        SlottedError("slots"),
        NamelessError("nameless"),
        EqualRaisesError(),
        ExceptionGroup("group", [ValueError(1), KeyError(2)]),
        StopIteration("of a plain function"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "surrogates \ud800"),
        OSError(5, "with errno"),
        RecursionError("deep"),
        noted,
        cause,
    ]


current = {}


@SUBJECT.traced
def plain():
    raise current["error"] from current["cause"]


def observed(tta):
    @SUBJECT.traced
    async def coroutine():
        raise current["error"] from current["cause"]

    @SUBJECT.traced
    def generator():
        yield 1
        raise current["error"] from current["cause"]

    @SUBJECT.traced
    async def async_generator():
        yield 1
        raise current["error"] from current["cause"]

    @tta.workflow("chat")
    def in_workflow():
        raise current["error"] from current["cause"]

    def in_blocks():
        with tta.agent("coder"), tta.step("one"), tta.primitive("parse"):
            raise current["error"] from current["cause"]

    async def drained():
        async for _ in async_generator():
            pass

    return {
        "coroutine": lambda: drive(coroutine()),
        "generator": lambda: list(generator()),
        "async generator": lambda: drive(drained()),
        "workflow": in_workflow,
        "blocks": in_blocks,
    }


def drive(coroutine):
    """Run it without an event loop, which has its own ways with exceptions."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        if stop is current["error"]:
            raise


def shapes():
    found = {"plain": plain}
    if NAME == "ours":
        import tta_observe

        found |= observed(tta_observe)
    return found


def judge(shape, call, error):
    """What is wrong with how *error* came out of *call*."""
    cause = error.__cause__
    context = LookupError("context")
    current.update(error=error, cause=cause)
    notes = list(getattr(error, "__notes__", ()))
    try:
        try:
            raise context
        except LookupError:
            call()
    except BaseException as caught:  # noqa: BLE001 - it is looked at
        if isinstance(error, StopIteration) and shape in ("coroutine", "generator", "async generator"):
            return []  # Python turns it into a RuntimeError by itself
        if caught is not error:
            return [f"{shape}: {type(error).__qualname__} became {type(caught).__qualname__}"]
        found = []
        frames = [f for f in traceback.extract_tb(caught.__traceback__) if not f.filename.endswith("exceptions.py")]
        ours = [f for f in frames if "asyncio" not in f.filename and "contextlib" not in f.filename]
        if len(ours) > 2:
            found.append(f"{shape}: {len(ours)} extra frames")
        if caught.__cause__ is not cause:
            found.append(f"{shape}: another cause")
        if list(getattr(caught, "__notes__", ())) != notes:
            found.append(f"{shape}: other notes")
        if shape in ("plain", "workflow") and caught.__context__ is not context:
            found.append(f"{shape}: another context")
        return found
    return [f"{shape}: {type(error).__qualname__} was lost"]


problems, cases = [], 0
for shape, call in shapes().items():
    for error in made():
        cases += 1
        problems += judge(shape, call, error)
say(problems=problems, cases=cases)
