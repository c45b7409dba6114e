"""
Generators, observed from their first step to their last: what stands between one and its consumer.

Everything goes through: what is sent and thrown, what is yielded and returned, closing early.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from tta_observe import _garbage, _otel_context, context

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence


class Opened(Protocol):
    """Something that was opened in the current context and has to be closed. Neither method raises."""

    def unbind(self) -> None:
        """Make the context what it was before."""

    def finish(self, error: BaseException | None) -> None:
        """Record how it ended."""

    @property
    def watches(self) -> Sequence[object]:
        """Who wants to be told of its result or items; nobody, as a rule."""

    @property
    def is_llm(self) -> bool:
        """Whether streams that it returns are followed to their end."""

    @property
    def outside(self) -> Any:
        """Where on the service map the context was before."""

    def returned(self, result: object) -> None:
        """Tell them what it returned."""

    def streamed(self) -> None:
        """Tell them that it returned a stream."""

    def yielded(self, item: object) -> None:
        """Tell them what it yielded."""


Opener: TypeAlias = "Callable[[tuple[Any, ...], Mapping[str, Any]], Opened | None]"
"""Called with the arguments of the call."""


class Inside:
    """
    The context of a generator: swapped in for each of its steps, out again at each yield.

    So its consumer never sees it, and nothing is held across a ``yield``.
    """

    __slots__ = ("_opened", "_otel", "_otel_token", "_state", "_tokens", "is_watched")

    def __init__(self, opened: Opened | None, outside: Any) -> None:
        """*opened* in this context; *outside* is where that was on the service map before."""
        self._opened = opened
        self._tokens: list[Any] | None = None
        self.is_watched = opened is not None and bool(opened.watches)
        if opened is not None:
            self._capture()
            _garbage.safely(opened.unbind)
            _garbage.safely(context.POSITION.set, outside)

    def yielded(self, item: object) -> None:
        """Tell who follows the call that the generator gave *item*."""
        if self._opened is not None:
            self._opened.yielded(item)

    def __enter__(self) -> None:
        self._tokens = None
        if self._opened is not None and not _garbage.collecting():
            self._tokens = context.swap_in(self._state)
            self._otel_token = _otel_context.swap_in(self._otel)

    def __exit__(self, *_: object) -> None:
        if self._tokens is None:
            return
        try:
            self._capture()
        finally:
            # Another context is not ours to change: a task that was never finished is collected there.
            if context.swap_out(self._tokens):
                _otel_context.swap_out(self._otel_token)

    def throw(self, generator: Generator[Any, Any, Any], error: BaseException) -> Any:
        """Throw *error* into *generator*, in its context."""
        with self:
            return generator.throw(error)

    def finish(self, error: BaseException | None) -> None:
        """The generator has ended; its consumer's context is current."""
        if self._opened is not None:
            _garbage.safely(self._opened.finish, error)

    def _capture(self) -> None:
        self._state, self._otel = context.capture(), _otel_context.current()


class Held(Inside):
    """The context of a call that has returned a stream: the call ends when that does, or is thrown away."""

    __slots__ = ("_open",)

    def __init__(self, opened: Opened) -> None:
        self._open = [True]
        super().__init__(opened, opened.outside)

    def finish(self, error: BaseException | None) -> None:
        """The stream has ended; the second time does nothing."""
        try:
            self._open.pop()
        except IndexError:
            return
        super().finish(error)

    def close(self) -> None:
        """Its consumer wants no more of it."""
        self.finish(GeneratorExit())

    def __del__(self) -> None:
        self.close()


def opening(
    opener: Opener, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, is_watched: bool = True
) -> Callable[[], Inside]:
    """What opens a call with these arguments, at the first step of its generator; what that yields may be watched."""

    def open_() -> Inside:
        outside = context.POSITION.get_raw()
        inside = Inside(_garbage.safely(opener, args, kwargs), outside)
        inside.is_watched = inside.is_watched and is_watched
        return inside

    return open_


def drive(generator: Generator[Any, Any, Any], start: Callable[[], Inside]) -> Generator[Any, Any, Any]:
    """Stand between *generator* and its consumer; *start* is called at the first step."""
    inside = start()
    sent: Any = None
    thrown: BaseException | None = None
    try:
        while True:
            try:
                if thrown is not None and _garbage.collecting():
                    item = _garbage.safely(inside.throw, generator, thrown)
                else:
                    with inside:
                        item = generator.send(sent) if thrown is None else generator.throw(thrown)
            except StopIteration as stop:
                result = stop.value
                break
            sent = thrown = None
            if inside.is_watched:
                inside.yielded(item)
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the generator
                thrown = _without_our_frame(error)
    except BaseException as error:
        thrown = None
        inside.finish(error)
        raise
    inside.finish(_closed_early(thrown))
    return result


async def drive_async(generator: AsyncGenerator[Any, Any], start: Callable[[], Inside]) -> AsyncGenerator[Any, Any]:
    """The same for an asynchronous one."""
    inside = start()
    thrown: BaseException | None = None
    try:
        step = _first_step(generator)
        while True:
            try:
                with inside:
                    item = await step
            except StopAsyncIteration:
                break
            thrown = None
            if inside.is_watched:
                inside.yielded(item)
            try:
                step = generator.asend((yield item))
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the generator
                thrown = _without_our_frame(error)
                step = generator.athrow(thrown)
    except BaseException as error:
        thrown = None
        inside.finish(error)
        raise
    inside.finish(_closed_early(thrown))


def _first_step(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """
    The first step of *generator*, hidden from the event loop.

    The loop closes the generators it knows of when it ends, or when they are collected. It knows of ours, which
    closes *generator*: doing it twice at once fails.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=_nobody)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _nobody(_generator: object) -> None:
    """Finalizes no generator; without any, the garbage collector would close it, before ours does."""


def named(made: Any, original: Any) -> Any:
    """Give *made* the name of *original*, which warnings and task lists show."""
    made.__name__ = getattr(original, "__name__", made.__name__)
    made.__qualname__ = getattr(original, "__qualname__", made.__qualname__)
    return made


def _without_our_frame(error: BaseException) -> BaseException:
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)


def _closed_early(thrown: BaseException | None) -> BaseException | None:
    """How a generator ended that returned: it may have done so because its consumer closed it."""
    return thrown if isinstance(thrown, GeneratorExit) else None
