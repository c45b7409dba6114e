"""How a call ended: its status, and what may be told about a failure."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Final, NamedTuple

from tta_observe import semconv
from tta_observe._guard import quietly
from tta_observe._values import MAX_BYTES, class_name, clean_text

if TYPE_CHECKING:
    from tta_observe._values import AttributeValue

MESSAGE_BYTES: Final = {"type": 0, "message": 1024, "full": MAX_BYTES}
"""``configure(error_detail=)``: how much of a message is kept, in bytes."""

_CANCELLATIONS: Final = frozenset({"CancelledError", "Cancelled", "KeyboardInterrupt"})
_FRAMES: Final = 64


class Outcome(NamedTuple):
    """*status* is one of :data:`tta_observe.semconv.STATUSES`; *error_type* is None unless it is an error."""

    status: str
    error_type: str | None = None
    closed_early: bool = False


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
    if isinstance(error, Exception):
        return _failed(error)
    if isinstance(error, GeneratorExit):
        return _CLOSED_EARLY
    if isinstance(error, SystemExit):
        return _SUCCESS if error.code in (None, 0) else _failed(error)
    return _CANCELLED if _CANCELLATIONS & {kind.__name__ for kind in type(error).__mro__} else _failed(error)


def message_of(error: BaseException, detail: str) -> str | None:
    """The message of *error* as far as *detail* allows; None when there is none to tell."""
    limit = MESSAGE_BYTES[detail]
    text = quietly(str, error) if limit else None
    return clean_text(text, limit) if isinstance(text, str) and text else None


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


def _stacktrace(error: BaseException) -> str:
    lines = quietly(_format, error) or ()
    text = "".join(lines).encode("utf-8", "replace")
    return text[-MAX_BYTES:].decode("utf-8", "ignore")


def _format(error: BaseException) -> list[str]:
    # The last frames say where it broke; formatting a thousand of a recursion would cost the caller milliseconds.
    return traceback.format_exception(type(error), error, error.__traceback__, limit=-_FRAMES)
