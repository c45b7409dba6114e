"""Certificates for OTLP, checked before anything is sent: what is wrong with them is said once, and names the file."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tta_observe._settings import Target


def tls_context(target: Target) -> ssl.SSLContext:
    """
    Make a context that trusts the CA file of *target*, else the system, and shows its client certificate.

    Raises:
        OSError: a file cannot be read, or holds something else; says which.
    """
    if (target.client_key is None) != (target.client_certificate is None):  # gRPC's core aborts the process over it
        raise OSError("OTEL_EXPORTER_OTLP_CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: set both, or none.")
    try:
        context = ssl.create_default_context(cafile=target.certificate)
        if target.client_certificate is not None:
            context.load_cert_chain(target.client_certificate, target.client_key, password=lambda: "")
    except ssl.SSLError as error:
        files = [f for f in (target.certificate, target.client_key, target.client_certificate) if f is not None]
        raise OSError(f"{' or '.join(files)} is no certificate or key that can be used: {error.reason}") from error
    return context
