"""Exporting spans: what `engram serve` does itself, because nobody else configures OpenTelemetry in its process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from engram.errors import MissingExtra
from engram.tracing.switch import stop_opentelemetry, use_opentelemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

DESTINATIONS: Final = ("off", "console", "otlp")
_SERVICE: Final = "service.name"
_END_S: Final = 5.0


@contextmanager
def exported(destination: str) -> Iterator[None]:
    """Record spans in the body, and export them; at its end, those that wait are exported within five seconds.

    Sampling, the address of the collector and the limits of what waits are those of OpenTelemetry's own environment
    variables, such as ``OTEL_TRACES_SAMPLER`` and ``OTEL_EXPORTER_OTLP_ENDPOINT``.

    Parameters
    ----------
    destination
        One of `DESTINATIONS`: nowhere, one JSON object a line to standard output, or by OTLP over HTTP to a collector.

    Raises
    ------
    MissingExtra
        If packages of the extra ``otel`` are not installed.
    """
    if destination == "off":
        yield
        return
    provider = _provider(destination)
    use_opentelemetry(provider)
    try:
        yield
    finally:
        stop_opentelemetry()
        # A collector that is away must not keep a process from its end.
        ending = threading.Thread(target=provider.shutdown, name="engram-spans-end", daemon=True)
        ending.start()
        ending.join(_END_S)


def _provider(destination: str) -> TracerProvider:
    # Imported here because the packages may be missing, and because this takes a while.
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra(
            "exporting traces needs packages of OpenTelemetry; install them with: pip install 'engram-stream[otel]'",
            field="extra",
            limit="otel",
            value=error.name or "opentelemetry-sdk",
        ) from error
    named = "OTEL_SERVICE_NAME" in os.environ or f"{_SERVICE}=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    # What is passed here would take precedence over the environment.
    provider = TracerProvider(resource=Resource.create(None if named else {_SERVICE: "engram"}), shutdown_on_exit=False)
    exporter = (
        OTLPSpanExporter()
        if destination == "otlp"
        else ConsoleSpanExporter(formatter=lambda span: f"{span.to_json(indent=None)}\n")
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
