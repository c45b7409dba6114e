"""OTLP over HTTP, with the protobuf encoding."""

from __future__ import annotations

import gzip
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies_environment, proxy_bypass

import urllib3
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tta_observe._export import CHECK_CREDENTIALS, START_RECEIVER, ExportFailed
from tta_observe._guard import quietly
from tta_observe._pipeline.timed import POOLS, TimedPool
from tta_observe._pipeline.tls import tls_context

if TYPE_CHECKING:
    from tta_observe._settings import Signal, Target

_OK: Final = 200
_REDIRECTS: Final = range(300, 400)
_CREDENTIALS: Final = frozenset({401, 403})
_TOO_LARGE: Final = 413
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
"""Source: OTLP specification 1.9, "OTLP/HTTP response"."""

_MOST_ANSWER_BYTES: Final = 64 * 1024
_RESPONSES: Final[dict[Signal, Any]] = {"TRACES": ExportTraceServiceResponse, "METRICS": ExportMetricsServiceResponse}


class HttpTransport:
    """
    One connection that is kept open; it is made with the first request, and made again when it was closed.

    Raises:
        OSError: a certificate file cannot be read, or the proxy of the environment is of a kind that is not spoken.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._url = f"{'https' if target.tls else 'http'}://{target.address}{target.path}"
        self._manager = _manager(target)
        self._manager.pool_classes_by_scheme = POOLS
        self._headers = {
            "content-type": "application/x-protobuf",
            "user-agent": "tta-observe",
            **({"content-encoding": "gzip"} if target.compression == "gzip" else {}),
            **dict(target.headers),
        }
        self._is_closed = False

    def send(self, signal: Signal, request: bytes, timeout_s: float) -> Any:
        """
        Deliver *request*.

        Raises:
            ExportFailed: it was not acknowledged within *timeout_s* seconds, or refused.
        """
        if self._is_closed:
            raise ExportFailed("closed", retryable=False)
        body = gzip.compress(request, mtime=0) if self._target.compression == "gzip" else request
        try:
            status, headers, answer = self._post(body, min(timeout_s, self._target.timeout_s))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ExportFailed(_reason(error), retryable=True, remedy=START_RECEIVER) from None
        if status != _OK:
            raise _failure(status, headers.get("retry-after"))
        message = _RESPONSES[signal]
        return quietly(message.FromString, answer) or message()

    def close(self) -> None:
        """Close the connection; a request that is running ends."""
        self._is_closed = True
        for pool in map(self._manager.pools.get, self._manager.pools.keys()):
            if isinstance(pool, TimedPool):
                pool.hang_up()
        self._manager.clear()

    def _post(self, body: bytes, timeout_s: float) -> tuple[int, Any, bytes]:
        response = self._manager.urlopen(
            "POST",
            self._url,
            body=body,
            headers=self._headers,
            timeout=urllib3.Timeout(total=timeout_s),
            retries=False,
            redirect=False,  # telemetry, and the headers with it, go where the settings say
            preload_content=False,
            decode_content=False,
        )
        answer = response.read(_MOST_ANSWER_BYTES)
        # What is left unread would be taken for the next answer.
        (response.close if response.read(1) else response.release_conn)()
        return response.status, response.headers, answer


def _manager(target: Target) -> urllib3.PoolManager:
    options: dict[str, Any] = {"ssl_context": tls_context(target)} if target.tls else {}
    proxy = None if target.is_loopback else _proxy(target)
    if proxy is None:
        return urllib3.PoolManager(1, **options)
    try:
        parts = urllib3.util.parse_url(proxy)
        headers = urllib3.make_headers(proxy_basic_auth=parts.auth) if parts.auth else None
        return urllib3.ProxyManager(parts.url, 1, proxy_headers=headers, **options)
    except urllib3.exceptions.HTTPError as error:
        raise OSError(
            "the proxy of the environment is none for HTTP. Set no_proxy, or write http://host:port"
        ) from error


def _proxy(target: Target) -> str | None:
    """The proxy of the environment, unless ``no_proxy`` names the receiver."""
    proxies = getproxies_environment()
    if proxy_bypass(target.host):
        return None
    return proxies.get("https" if target.tls else "http") or proxies.get("all")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name is not known"
    if isinstance(error, (urllib3.exceptions.TimeoutError, TimeoutError)):
        return "no answer in time"
    if isinstance(error, urllib3.exceptions.SSLError):
        return "it cannot prove who it is"
    return "no connection" if isinstance(error, urllib3.exceptions.NewConnectionError) else "the connection broke"


def _failure(status: int, retry_after: str | None) -> ExportFailed:
    if status in _REDIRECTS:
        return ExportFailed(f"HTTP {status}", retryable=False, remedy="Set the endpoint to where it redirects to")
    return ExportFailed(
        f"HTTP {status}",
        retryable=status in _RETRYABLE,
        too_large=status == _TOO_LARGE,
        retry_after_s=quietly(_seconds, retry_after) or 0.0,
        remedy=CHECK_CREDENTIALS if status in _CREDENTIALS else START_RECEIVER if status in _RETRYABLE else "",
    )


def _seconds(retry_after: str) -> float:
    """Seconds from now; the header holds them, or a date."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
