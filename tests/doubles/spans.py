"""Spans that stay in memory, for tests to look at. Who imports this is skipped without OpenTelemetry's SDK."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from engram.tracing import stop_opentelemetry, use_opentelemetry
from tests.doubles.waiting import wait_while_it_moves

pytest.importorskip("opentelemetry.sdk.trace", reason="the package opentelemetry-sdk is not installed")

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult


class SpansInMemory(SpanExporter):
    """Keeps the spans that have ended."""

    def __init__(self) -> None:
        self.all: list[ReadableSpan] = []
        self._changed = threading.Condition()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._changed:
            self.all.extend(spans)
            self._changed.notify_all()
        return SpanExportResult.SUCCESS

    def named(self, *names: str) -> list[ReadableSpan]:
        """The first span of each name, in this order; waits for them."""
        arrived = threading.Event()

        def watch() -> None:
            with self._changed:
                self._changed.wait_for(lambda: set(names) <= {span.name for span in self.all}, 60)
            arrived.set()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        wait_while_it_moves(arrived, lambda: len(self.all))
        thread.join()
        found = {span.name: span for span in reversed(self.all)}
        assert set(names) <= set(found), sorted(found)
        return [found[name] for name in names]


@contextmanager
def recorded_spans(*, are_sampled: bool = True) -> Iterator[SpansInMemory]:
    """Record spans in the body; without `are_sampled`, their traces are not to be recorded."""
    kept = SpansInMemory()
    provider = TracerProvider(sampling.ALWAYS_ON if are_sampled else sampling.ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    use_opentelemetry(provider)
    try:
        yield kept
    finally:
        stop_opentelemetry()
        provider.shutdown()


class _Faulty(SpanProcessor):
    def on_start(self, span: Span, parent_context: Any = None) -> None:
        if span.name == "one":
            raise RuntimeError("a bug at the start")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("a bug at the end")


def faulty_provider() -> TracerProvider:
    """A provider whose processor raises: at the start of spans called "one", and at the end of all."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_Faulty())
    return provider


def id_of(span: ReadableSpan) -> int:
    """The id of a span."""
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def trace_of(span: ReadableSpan) -> int:
    """The id of the trace that a span belongs to."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id


def parent_of(span: ReadableSpan) -> int | None:
    """The id of the span that a span is within."""
    return None if span.parent is None else span.parent.span_id


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span."""
    return dict(span.attributes or {})
