"""The switch of tracing: off until a program turns it on, for all clients and servers of its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from engram.tracing.recorder import Recorder

_recorder: Recorder | None = None


def use_opentelemetry(provider: TracerProvider | None = None) -> None:
    """Record spans from now on; see `docs/operations/traces-and-logs.md` for which.

    What is sampled and where spans go is decided by the provider. Calling it again replaces the provider.

    Parameters
    ----------
    provider
        Makes the tracer. Default: the one that the program has set, or will set, with
        ``opentelemetry.trace.set_tracer_provider``.

    Raises
    ------
    MissingExtra
        If the package ``opentelemetry-api`` is not installed.

    Examples
    --------
    >>> from engram.tracing import stop_opentelemetry, use_opentelemetry
    >>> use_opentelemetry()
    >>> stop_opentelemetry()
    """
    # Imported here because the package may be missing, and nobody else needs it.
    from engram.tracing.recorder import Recorder  # noqa: PLC0415 - see above.

    global _recorder  # noqa: PLW0603 - OpenTelemetry's provider is one for the process, too.
    _recorder = Recorder(provider)


def stop_opentelemetry() -> None:
    """Record no further spans. Those that have begun end as they would."""
    global _recorder  # noqa: PLW0603 - see above.
    _recorder = None


def present_recorder() -> Recorder | None:
    """Return what records spans; None while nothing does, which is the one check that each batch costs then."""
    return _recorder


def current_traceparent() -> str:
    """Return the caller's current span as the header ``traceparent`` has it; empty if there is none, or no tracing."""
    return "" if _recorder is None else _recorder.current_traceparent()
