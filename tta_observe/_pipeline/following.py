"""A tracer that moves to the application's provider when the application sets one after ``configure()``."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from tta_observe import _telemetry, semconv
from tta_observe._guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable


class Following:
    """
    Starts spans on a provider of ours, and from the moment that the application has one, on that.

    Who is set up first must not matter: spans on two providers are one trace in two halves, of which each backend
    gets one. *join* is called with the application's provider before the first span starts there.
    """

    def __init__(self, own: Any, join: Callable[[Any], None], at_exit: Callable[[], None] | None = None) -> None:
        self.provider = own
        self._at_exit = at_exit
        self._tracer = own.get_tracer(semconv.SCOPE)
        self._join = join
        self._lock = threading.Lock()
        self._settled = False

    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        """Start a span, as an OpenTelemetry tracer does."""
        # The public function reads the environment each time, which costs a hundred times as much.
        if not self._settled and getattr(trace, "_TRACER_PROVIDER", None) is not None:
            self._follow(trace.get_tracer_provider())
        return self._tracer.start_span(*args, **kwargs)

    @guarded
    def _follow(self, provider: Any) -> None:
        with self._lock:
            if self._settled:
                return
            self._settled = True  # others go on with our own provider until the new one is ready
        if provider is self.provider or not _telemetry.is_real(provider):
            return
        self._join(provider)
        self._tracer, self.provider = provider.get_tracer(semconv.SCOPE), provider
        if self._at_exit is not None:  # what is set up last ends first: spans that wait for a price would come too late
            atexit.unregister(self._at_exit)
            atexit.register(self._at_exit)
