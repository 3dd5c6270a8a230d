"""Tracing: spans of OpenTelemetry for batches, commits and calls, once a program asks for them.

Nothing is recorded, and OpenTelemetry is not even imported, until `use_opentelemetry` is called.
"""

from engram.tracing.switch import stop_opentelemetry, use_opentelemetry

__all__ = ["stop_opentelemetry", "use_opentelemetry"]
