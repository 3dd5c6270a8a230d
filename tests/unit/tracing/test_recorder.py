"""Spans: what they are within, how they fail, and what is never in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.tracing import stop_opentelemetry, use_opentelemetry
from engram.tracing.switch import current_traceparent, present_recorder
from tests.doubles.spans import (
    SpansInMemory,
    attributes_of,
    faulty_provider,
    id_of,
    parent_of,
    recorded_spans,
    trace_of,
)

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
TRACEPARENT = f"00-{TRACE:032x}-{SPAN:016x}-01"


@pytest.fixture
def spans() -> Iterator[SpansInMemory]:
    with recorded_spans() as kept:
        yield kept


@pytest.fixture
def recorder(spans: SpansInMemory) -> Any:
    made = present_recorder()
    assert made is not None
    return made


def test_what_a_client_sent_is_within_its_span(spans: SpansInMemory, recorder: Any) -> None:
    recorder.received("engram.admit", TRACEPARENT, space="notes", count=3).end()
    (span,) = spans.all
    assert (trace_of(span), parent_of(span)) == (TRACE, SPAN)
    assert attributes_of(span) == {"engram.space": "notes", "engram.count": 3}


@pytest.mark.parametrize(
    "text",
    ["", "-", "00-0-0-01", f"ff-{TRACE:032x}-{SPAN:016x}-01", f"00-{0:032x}-{SPAN:016x}-01", "x" * 100_000, "ü\0"],
)
def test_what_is_no_span_counts_as_none(spans: SpansInMemory, recorder: Any, text: str) -> None:
    recorder.received("engram.admit", text).end()
    with recorder.here("outside").current():
        recorder.received("engram.admit", text).end()
    alone, inside, outside = spans.all
    assert parent_of(alone) is None
    assert parent_of(inside) == id_of(outside)


def test_a_span_is_written_as_it_is_read(spans: SpansInMemory, recorder: Any) -> None:
    sent = recorder.here("engram.submit")
    recorder.received("engram.admit", sent.traceparent).end()
    sent.end()
    admit, submit = spans.all
    assert len(sent.traceparent) == 55
    assert (trace_of(admit), parent_of(admit)) == (trace_of(submit), id_of(submit))


def test_an_origin_begins_then_and_there(spans: SpansInMemory, recorder: Any) -> None:
    with recorder.here("outside").current():
        origin = recorder.origin()
        assert current_traceparent()
    recorder.here("later").end()
    origin.begin("engram.submit").end()
    outside, later, submit = spans.all
    assert parent_of(submit) == id_of(outside)
    assert submit.start_time is not None
    assert later.start_time is not None
    assert submit.start_time <= later.start_time


def test_a_failure_has_its_code_and_not_its_message(spans: SpansInMemory, recorder: Any) -> None:
    recorder.here("one").end(InvalidInput("id 'secret' is too long", code="id_size"))
    with pytest.raises(KeyError), recorder.here("two").current():
        raise KeyError("secret")
    one, two = spans.all
    assert (attributes_of(one)["error.type"], attributes_of(two)["error.type"]) == ("id_size", "KeyError")
    for span in (one, two):
        assert not span.status.is_ok
        assert "secret" not in span.to_json()


def test_what_the_programs_own_parts_raise_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    use_opentelemetry(faulty_provider())
    recorder = present_recorder()
    stop_opentelemetry()
    assert recorder is not None
    for name in ("one", "two"):
        span = recorder.here(name)
        span.child("inside").end()
        span.end()
    assert "a bug at the start" in caplog.text
    assert "a bug at the end" in caplog.text
