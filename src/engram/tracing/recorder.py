"""The recorder of spans: all that knows OpenTelemetry. Needs the package ``opentelemetry-api``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from engram import __version__
from engram.errors import EngramError, MissingExtra

try:
    from opentelemetry import trace
    from opentelemetry.context import Context, get_current
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise MissingExtra(
        "traces need the package opentelemetry-api; install it with: pip install 'engram-stream[otel]'",
        field="extra",
        limit="otel",
        value="opentelemetry-api",
    ) from error

_logger: Final = logging.getLogger(__name__)

Value = str | int | bool
_W3C: Final = TraceContextTextMapPropagator()
_TRACEPARENT: Final = "traceparent"


class StageSpan:
    """A span that has begun: one stage of the way of a batch, or one call. Any thread may use it.

    No attribute holds an id, a text or metadata of an observation, and no message of an error, which may name them.

    Parameters
    ----------
    recorder
        What records it.
    span
        The span of OpenTelemetry.
    """

    __slots__ = ("_recorder", "_span")

    def __init__(self, recorder: Recorder, span: trace.Span) -> None:
        self._recorder = recorder
        self._span = span

    @property
    def traceparent(self) -> str:
        """The span as W3C Trace Context writes it; empty if there is nobody who could record a part of its trace."""
        context = self._span.get_span_context()
        if not context.is_valid:
            return ""
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def child(self, name: str, **attributes: Value) -> StageSpan:
        """Begin a span within this one, which may have ended."""
        return self._recorder.begin(name, SpanKind.INTERNAL, trace.set_span_in_context(self._span), attributes)

    def end(self, error: BaseException | None = None, **attributes: Value) -> None:
        """End the span, with more that is known by now, and with the code of `error` if it failed."""
        for name, value in attributes.items():
            self._span.set_attribute(f"engram.{name}", value)
        if error is not None:
            code = error.code if isinstance(error, EngramError) else type(error).__name__
            self._span.set_attribute("error.type", code)
            self._span.set_status(Status(StatusCode.ERROR, code))
        try:
            self._span.end()
        except Exception:
            _logger.exception("a span processor raised")

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it the current span of the body, and end it with the body."""
        try:
            with trace.use_span(self._span, record_exception=False, set_status_on_exception=False):
                yield
        except BaseException as error:
            self.end(error)
            raise
        self.end()


class Origin:
    """The moment and the span in which a caller handed something over, from which a span begins later.

    Parameters
    ----------
    recorder
        What records the span.
    """

    __slots__ = ("_begun_ns", "_context", "_recorder")

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._context = get_current()
        self._begun_ns = time.time_ns()

    def begin(self, name: str, **attributes: Value) -> StageSpan:
        """Begin the span, as of then and there."""
        return self._recorder.begin(name, SpanKind.CLIENT, self._context, attributes, self._begun_ns)


class Recorder:
    """Begins spans. Any thread may use it. What samplers and processors of the program raise is logged and passed over.

    Parameters
    ----------
    provider
        Makes the tracer; None for the provider of the process.
    """

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("engram", __version__, provider)

    def origin(self) -> Origin:
        """Note where and when a caller hands something over."""
        return Origin(self)

    def received(self, name: str, traceparent: str, **attributes: Value) -> StageSpan:
        """Begin a span for what a client sent.

        Parameters
        ----------
        name
            Name of the span.
        traceparent
            The client's span, as `StageSpan.traceparent` writes it. What is no such text counts as none, and then the
            span belongs to the current one, if there is one.
        attributes
            What is known of it.
        """
        context = get_current()
        if traceparent:
            context = _W3C.extract({_TRACEPARENT: traceparent}, context)
        return self.begin(name, SpanKind.SERVER, context, attributes)

    def here(self, name: str, **attributes: Value) -> StageSpan:
        """Begin a span within the current one of the caller, if there is one."""
        return self.begin(name, SpanKind.INTERNAL, get_current(), attributes)

    def begin(
        self,
        name: str,
        kind: SpanKind,
        context: Context,
        attributes: Mapping[str, Value],
        begun_ns: int | None = None,
    ) -> StageSpan:
        """Begin a span within `context`, at `begun_ns` or now."""
        known = {f"engram.{key}": value for key, value in attributes.items()}
        try:
            span = self._tracer.start_span(name, context, kind, known, start_time=begun_ns)
        except Exception:
            _logger.exception("a sampler or span processor raised")
            span = trace.INVALID_SPAN
        return StageSpan(self, span)

    def current_traceparent(self) -> str:
        """Return the current span of the caller, as `StageSpan.traceparent` writes it; empty if there is none."""
        return StageSpan(self, trace.get_current_span()).traceparent
