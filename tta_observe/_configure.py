"""``configure``, ``flush``, ``shutdown`` and ``stats``: the one writer of the slot."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Never

from tta_observe import _arguments, _guard, _prices, _telemetry
from tta_observe._settings import Settings, resolve
from tta_observe._signals import flush_before_sigterm
from tta_observe._stats import Stats
from tta_observe._values import forget_marked, marked
from tta_observe.errors import unknown_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tta_observe._pipeline import Pipeline
    from tta_observe.pricing import Price

EXIT_S: Final = 1.8
"""
Longest that the end of the process waits, for all signals and exporters together. The promise is 2 s: interrupting
what hangs, and the end of the interpreter, take their part of it.
"""


class Telemetry:
    """What ``configure()`` set up."""

    def __init__(
        self, decided: tuple[Settings, Any, Any], pipeline: Pipeline | None, slot: _telemetry.Slot | None
    ) -> None:
        self.decided = decided
        """The settings and the two providers that were given."""
        self._pipeline = pipeline
        self._slot = slot

    @property
    def tracer_provider(self) -> Any:
        """The provider of our spans; ``trace.set_tracer_provider()`` takes it when your own spans shall join them."""
        return self._pipeline.tracer_provider if self._pipeline is not None else None

    def flush(self, timeout_s: float = 2.0) -> bool:
        """
        Deliver everything recorded so far; after :meth:`shutdown`, say again whether that delivered everything.

        Args:
            timeout_s: return after so many seconds, whatever happened.

        Returns:
            True only when everything recorded before the call was acknowledged or committed.
        """
        return self._pipeline is None or _prices.after_drain(self._pipeline.flush, timeout_s)

    def shutdown(self, timeout_s: float = 2.0) -> bool:
        """
        Deliver, and stop; afterwards ``configure()`` may be called anew. A second call returns the same.

        Args:
            timeout_s: return after so many seconds, whatever happened.

        Returns:
            True only when everything recorded before the call was acknowledged or committed.
        """
        with _STATE.lock:
            if _STATE.telemetry is self:
                _STATE.telemetry = None
                _telemetry.install(None)
                _STATE.stopping.add(self)
        try:
            return self._pipeline is None or _prices.after_drain(self._pipeline.shutdown, timeout_s)
        finally:
            _STATE.stopping.discard(self)

    def renew(self) -> None:
        """
        Start anew in a process that was forked: nothing of the parent's is sent twice, no lock of its is waited for.

        A pipeline like the first is built by the first call that records: with an instance id of its own and its
        metrics at zero.
        """
        pipeline, self._pipeline, self._slot = self._pipeline, None, None
        if pipeline is not None:
            pipeline.abandon()
            _telemetry.install(_telemetry.Later(self._build))

    def _build(self) -> _telemetry.Slot | None:
        self._pipeline = _built(*self.decided)
        self._slot = _guard.guarded(_slot)(self.decided[0], self._pipeline) if self._pipeline is not None else None
        finish_before_multiprocessing()
        return self._slot

    def stats(self) -> Stats:
        """What is known so far."""
        recorders = self._slot.recorders if self._slot is not None else {}
        return Stats(
            configured=self._slot is not None,
            exporters=tuple(lane.stats() for lane in self._pipeline.lanes) if self._pipeline is not None else (),
            overflows=dict(self._slot.bounds.overflows) if self._slot is not None else {},
            rejected={name: recorder.rejected for name, recorder in recorders.items() if recorder.rejected},
            internal_errors=dict(_guard.STATE.errors),
            marked=marked(),
        )


class _State:
    def __init__(self) -> None:
        self.telemetry: Telemetry | None = None
        self.stopping: set[Telemetry] = set()
        """Those whose shutdown another thread is still busy with."""
        self.stand_in: Telemetry | None = None
        """What gives way to a program that calls ``configure()`` itself."""
        self.lock = threading.RLock()
        self.exit_hook = False


_STATE: Final = _State()


def configure(
    *,
    service_name: str | None = None,
    service_version: str | None = None,
    environment: str | None = None,
    exporter: str | Sequence[str] = "auto",
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Mapping[str, str] | None = None,
    insecure: bool | None = None,
    sample_ratio: float | None = None,
    export_interval_s: float | None = None,
    store: str | Path | None = None,
    label_limit: int = 200,
    capture_content: bool | None = None,
    error_detail: str = "message",
    redact: Callable[[str, Any], Any] | None = None,
    prices: Mapping[str, Price] | None = None,
    resource_attributes: Mapping[str, Any] | None = None,
    flush_on_sigterm: bool = False,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    **unknown: Never,
) -> Telemetry:
    """
    Say where the telemetry goes. Everything has a default: without arguments, and with no OTLP endpoint in the
    environment, it goes to the local store that ``tta-observe report`` reads.

    A second call with equal settings returns the same object; with others it warns once and keeps the first. Providers
    of the application are used and never replaced.

    Args:
        service_name: default: ``OTEL_SERVICE_NAME``, else ``unknown_service:`` and the name of the script.
        service_version: version of the service.
        environment: where it runs, e.g. ``"production"``; becomes ``deployment.environment.name``.
        exporter: ``auto``, ``local``, ``otlp``, ``prometheus``, ``console``, ``none``, or a tuple of them. ``auto`` is
            ``otlp`` when an endpoint is known, else ``local``. ``prometheus`` is a page at
            ``http://127.0.0.1:9464/metrics`` to be scraped; it has metrics only, so spans go nowhere unless another
            exporter stands beside it, as in ``("prometheus", "local")``. ``OTEL_EXPORTER_PROMETHEUS_HOST`` and
            ``OTEL_EXPORTER_PROMETHEUS_PORT`` move it; port 0 is any that is free, and ``stats()`` says which.
        endpoint: of an OTLP receiver, with scheme: ``http://`` is plaintext, ``https://`` is TLS.
        protocol: ``grpc``, or ``http/protobuf`` with the extra ``otlp-http``: then ``/v1/traces`` and ``/v1/metrics``
            are added to *endpoint*. Default: ``OTEL_EXPORTER_OTLP_PROTOCOL``, else ``grpc``.
        headers: sent with every OTLP request; never logged.
        insecure: plaintext; the scheme of *endpoint* says the same.
        sample_ratio: share of traces that are recorded, 0 to 1; metrics stay exact.
        export_interval_s: seconds between two collections of metrics. Default: 1 for the local store, 15 for OTLP;
            whoever scrapes decides for ``prometheus``.
        store: file of the local store.
        label_limit: different values of one label before further ones become ``other``.
        capture_content: whether arguments, results, prompts and answers go on spans: up to 8 KiB each, those named like
            secrets left out. Default: ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``, which is about LLM calls,
            tools and agents alone, else not.
        error_detail: what is told of a failure: ``type``, ``message`` (1 KiB of it and the stack trace) or ``full``.
        redact: called as ``redact(key, value)`` for what is about to leave, after our own search for secrets; returns
            what to send, or None to leave it out. Runs in the thread that sends; what it raises drops the value. Names
            of spans and events and the text of a status come as ``span.name``, ``event.name``, ``status.description``.
        prices: USD per million tokens, by model or ``provider/model``.
        resource_attributes: more about this process.
        flush_on_sigterm: deliver, for 2 s at most, before SIGTERM ends the process; then the handler that was there
            before, or the signal itself, has its way. In the main thread only.
        tracer_provider: used as it is, instead of the application's global one.
        meter_provider: likewise.

    Raises:
        ConfigurationError: an argument is wrong or unknown; the message says what to write.
    """
    given = {name: value for name, value in locals().items() if name not in _NOT_SETTINGS}
    if unknown:
        raise unknown_option("configure", unknown, [*given, "tracer_provider", "meter_provider"])
    _arguments.provider("tracer_provider", tracer_provider, "get_tracer")
    _arguments.provider("meter_provider", meter_provider, "get_meter")
    settings, problems = resolve(given, os.environ)
    with _STATE.lock:
        return _configured((settings, tracer_provider, meter_provider), problems)


def stand_in(**keywords: Any) -> Telemetry:
    """
    :func:`configure` for a program that may do so itself, with settings that then take the place of these.

    Raises:
        ConfigurationError: see :func:`configure`.
    """
    with _STATE.lock:
        _STATE.stand_in = configure(**keywords)
        return _STATE.stand_in


_NOT_SETTINGS: Final = ("tracer_provider", "meter_provider", "unknown")


def flush(timeout_s: float = 2.0) -> bool:
    """Deliver everything recorded so far; see :meth:`Telemetry.flush`. True when nothing was configured."""
    telemetry = _STATE.telemetry
    return telemetry is None or telemetry.flush(timeout_s)


def shutdown(timeout_s: float = 2.0) -> bool:
    """Deliver, and stop; see :meth:`Telemetry.shutdown`. True when nothing was configured."""
    telemetry = _STATE.telemetry
    return telemetry is None or telemetry.shutdown(timeout_s)


def stats() -> Stats:
    """What is known of the telemetry of this process so far."""
    telemetry = _STATE.telemetry
    return telemetry.stats() if telemetry is not None else Stats(False, (), {}, {}, dict(_guard.STATE.errors), marked())  # noqa: FBT003


def _configured(decided: tuple[Settings, Any, Any], problems: list[str]) -> Telemetry:
    before = _STATE.telemetry
    if before is not None and before is _STATE.stand_in:
        _guard.warn_once("stand-in", "the program calls configure() itself: its settings count, and no others.")
        before.shutdown()
    elif before is not None:
        if before.decided != decided:
            _guard.warn_once(
                "configured-twice",
                "configure() was called again with other settings: the first ones stay. Call shutdown() in between.",
            )
        return before
    for problem in problems:
        _guard.warn_once(f"environment:{problem}", "%s", problem)
    telemetry = _STATE.telemetry = _made(decided)
    if decided[0].flush_on_sigterm and not decided[0].disabled:
        flush_before_sigterm(flush)
    if not _STATE.exit_hook:
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)
        _STATE.exit_hook = True
    return telemetry


def _made(decided: tuple[Settings, Any, Any]) -> Telemetry:
    if decided[0].disabled:
        _telemetry.install(_telemetry.DISABLED)
        return Telemetry(decided, None, None)
    pipeline = _built(*decided)
    slot = _guard.guarded(_slot)(decided[0], pipeline) if pipeline is not None else None
    _prices.prepare()
    _telemetry.install(slot)  # without one, the providers of the application still get what is recorded
    return Telemetry(decided, pipeline, slot)


def _built(settings: Settings, tracer_provider: Any, meter_provider: Any) -> Pipeline | None:
    try:
        from tta_observe import _pipeline
    except ImportError as error:
        _guard.warn_once("no-sdk", "nothing is recorded: %s. Run: pip install opentelemetry-sdk", error)
        return None
    except Exception as error:  # noqa: BLE001 - the SDK refuses to be imported with some values in the environment
        hint = "nothing is recorded: opentelemetry-sdk cannot be imported (%s). Look at the OTEL_*_LIMIT variables."
        _guard.warn_once("no-sdk", hint, error)
        return None
    return _guard.guarded(_pipeline.build)(settings, tracer_provider, meter_provider, _at_exit)


def _slot(settings: Settings, pipeline: Pipeline) -> _telemetry.Slot:
    return _telemetry.make_slot(
        pipeline.tracer,
        pipeline.meters,
        label_limit=settings.label_limit,
        error_detail=settings.error_detail,
        prices=settings.prices,
        captures=settings.captures,
    )


def _after_fork() -> None:
    _STATE.lock, _STATE.stopping = threading.RLock(), set()
    forget_marked()
    if _STATE.telemetry is not None:
        _STATE.telemetry.renew()


def finish_before_multiprocessing() -> None:
    """Have multiprocessing call our exit hook: its children end by ``os._exit``, which calls none."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _at_exit, exitpriority=0)


def _at_exit() -> None:
    deadline = monotonic() + EXIT_S
    with suppress(KeyboardInterrupt):  # whoever presses Ctrl-C again does not want to wait, nor to read where
        for telemetry in [*_STATE.stopping, _STATE.telemetry]:
            if telemetry is not None:
                telemetry.shutdown(max(0.0, deadline - monotonic()))
