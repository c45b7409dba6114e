"""How a call ended: its status, and what may be told about a failure."""

from __future__ import annotations

import traceback
from collections import deque
from types import WrapperDescriptorType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tta_observe import semconv
from tta_observe._guard import quietly
from tta_observe._values import MAX_BYTES, MAX_DEPTH, class_name, clean, clean_text, is_a

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from tta_observe._values import AttributeValue

MESSAGE_BYTES: Final = {"type": 0, "message": 1024, "full": MAX_BYTES}
"""``configure(error_detail=)``: how much of a message is kept, in bytes."""

_CANCELLATIONS: Final = frozenset({"CancelledError", "Cancelled", "KeyboardInterrupt"})
_FRAMES: Final = 64
"""The last ones say where it broke; a thousand of a recursion would cost the caller milliseconds."""

_TYPED: Final = (BaseExceptionGroup, UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)
"""Their arguments after the first are of the types that their messages need, and not written out whole."""

_INT_BITS: Final = 4096  # of much longer ones Python refuses to write the digits
_MEMBERS: Final = 8
"""Exceptions of a group, and notes of an exception, that are written out."""


class Outcome(NamedTuple):
    """*status* is one of :data:`tta_observe.semconv.STATUSES`; *error_type* is None unless it is an error."""

    status: str
    error_type: str | None = None
    closed_early: bool = False

    def attributes(self, duration_ms: float) -> dict[str, AttributeValue]:
        """What its span says of it."""
        found: dict[str, AttributeValue] = {
            semconv.EXECUTION_STATUS: self.status,
            semconv.EXECUTION_DURATION_MS: duration_ms,
        }
        if self.closed_early:
            found[semconv.EXECUTION_CLOSED_EARLY] = True
        return found


_SUCCESS: Final = Outcome(semconv.SUCCESS)
_CANCELLED: Final = Outcome(semconv.CANCELLED)
_CLOSED_EARLY: Final = Outcome(semconv.SUCCESS, closed_early=True)


def classify(error: BaseException | None) -> Outcome:
    """
    Say how a call ended that raised *error*.

    An :class:`Exception` is an error. Of the others, cancellations are told by the names of their classes, so that
    asyncio need not be imported, and trio's counts too; a generator closed early by its consumer did its work.
    """
    if error is None:
        return _SUCCESS
    kind = type(error)  # not isinstance(), which would ask the exception for its __class__
    if issubclass(kind, Exception):
        return _failed(error)
    if issubclass(kind, GeneratorExit):
        return _CLOSED_EARLY
    if issubclass(kind, SystemExit):
        return _SUCCESS if _is_zero(_of(error, SystemExit, "code")) else _failed(error)
    names = {_of(base, type, "__name__") for base in type.mro(kind)}
    return _CANCELLED if _CANCELLATIONS & names else _failed(error)


def message_of(error: BaseException, detail: str) -> str | None:
    """
    The message of *error* as far as *detail* allows; None when there is none to tell.

    A ``__str__`` written in Python is called, as nothing else knows what it says; of an error without one the arguments
    are written out as every other value is.
    """
    limit = MESSAGE_BYTES[detail]
    if not limit:
        return None
    text = quietly(str, error) if _says_so_itself(error) else _written_out(_of(error, BaseException, "args"))
    return clean_text(text, limit) if is_a(text, str) and text else None


def _says_so_itself(error: BaseException) -> bool:
    defined = next(
        vars_["__str__"] for kind in type.mro(type(error)) if "__str__" in (vars_ := _of(kind, type, "__dict__"))
    )
    return type(defined) is not WrapperDescriptorType or all(map(_is_plain, _parts(error)))


def _parts(error: BaseException) -> tuple[object, ...]:
    """What the message of a builtin exception is made of."""
    args: tuple[object, ...] = _of(error, BaseException, "args")
    if is_a(error, _TYPED):
        return args[:1]
    return (*args, _of(error, OSError, "filename"), _of(error, OSError, "filename2")) if is_a(error, OSError) else args


def _is_plain(part: object) -> bool:
    if type(part) is str:
        return len(part) <= MAX_BYTES
    return part is None or type(part) in (bool, float) or (type(part) is int and part.bit_length() < _INT_BITS)


def _written_out(args: tuple[object, ...]) -> str:
    texts = [str(clean(arg)) for arg in args[:_MEMBERS]]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def exception_event(
    error: BaseException, error_type: str, message: str | None, detail: str
) -> dict[str, AttributeValue]:
    """Attributes of the standard ``exception`` event, the stack trace's last 8 KiB included where *detail* allows."""
    event: dict[str, AttributeValue] = {semconv.EXCEPTION_TYPE: error_type}
    if message is not None:
        event[semconv.EXCEPTION_MESSAGE] = message
    if MESSAGE_BYTES[detail]:
        event[semconv.EXCEPTION_STACKTRACE] = _stacktrace(error)
    return event


def _failed(error: BaseException) -> Outcome:
    return Outcome(semconv.ERROR, class_name(type(error)))


def _is_zero(code: object) -> bool:
    return code is None or (type(code) in (int, bool) and not code)


def _of(holder: Any, base: type, name: str) -> Any:
    """The attribute *name* as *base* keeps it, whatever a subclass makes of that name."""
    return base.__dict__[name].__get__(holder)


def _stacktrace(error: BaseException) -> str:
    """What Python would print, from the cause to *error*, its last 8 KiB in whole lines."""
    chain = reversed(list(_chain(error)))
    lines = [line for link, after in chain for line in (*(quietly(_formatted, link) or ()), after)]
    text = "".join(lines)[-MAX_BYTES:].encode("utf-8", "replace")
    kept = text[-MAX_BYTES:].decode("utf-8", "ignore")
    # Half a line could be half a secret, whose beginning is what it is known by.
    return kept if len(kept) == len(text) else kept.partition("\n")[2] or kept


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """*error* and what led to it, at most a few links; with each what stands below its own lines."""
    link: BaseException | None = error
    after = ""
    for _ in range(MAX_DEPTH):
        if link is None:
            return
        yield link, after
        cause = _of(link, BaseException, "__cause__")
        after = _CAUSED if cause is not None else _DURING
        hidden = _of(link, BaseException, "__suppress_context__")
        link = cause if cause is not None or hidden else _of(link, BaseException, "__context__")


_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def _formatted(error: BaseException, depth: int = MAX_DEPTH) -> list[str]:
    message = message_of(error, "full")
    name = class_name(type(error))
    frames = _last_frames(_of(error, BaseException, "__traceback__"))
    head = ["Traceback (most recent call last):\n"] if frames else []
    own = [*head, *traceback.format_list(frames), f"{name}: {message}\n" if message else f"{name}\n", *_notes(error)]
    members = _members(error) if depth else []
    return [*own, *(f"  | {line}" for member in members for line in _formatted(member, depth - 1))]


def _notes(error: BaseException) -> list[str]:
    found = _of(error, BaseException, "__dict__").get("__notes__")
    return [f"{clean_text(note)}\n" for note in found[:_MEMBERS] if type(note) is str] if type(found) is list else []


def _members(error: BaseException) -> list[BaseException]:
    """The first that is in each group inside a group, and all in the innermost, as far as a trace has room."""
    if not is_a(error, BaseExceptionGroup):
        return []
    found: list[BaseException] = list(_of(error, BaseExceptionGroup, "exceptions")[:_MEMBERS])
    plain = [member for member in found if not is_a(member, BaseExceptionGroup)]
    return plain or found[:1]


def _last_frames(found: TracebackType | None) -> traceback.StackSummary:
    last = deque(traceback.walk_tb(found), maxlen=_FRAMES)
    return traceback.StackSummary.extract(iter(last))
