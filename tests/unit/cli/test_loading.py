"""Loading a file into a sink: what is stored, what is skipped, and where it continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from engram.cli.files.chunk import BadRow, FileChunk
from engram.cli.loading import BAD_ROWS_KEPT_MAX, Report, load
from engram.errors import InvalidInput, Unavailable
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig


class ListSink:
    """A sink that only remembers."""

    def __init__(self, durable_sequence: int = 0) -> None:
        self.config = SpaceConfig("test", dim=8)
        self.durable_sequence = durable_sequence
        self.ids: list[str] = []
        self.batches = 0
        self.fail: Callable[[], None] = lambda: None

    def put(self, batch: ObservationBatch) -> None:
        self.fail()
        self.ids.extend(batch.ids)
        self.batches += 1

    def finish(self) -> int:
        return len(self.ids)

    def abandon(self) -> tuple[int, int]:
        return len(self.ids), len(self.ids)


def chunks(*rows: str, size: int = 2) -> Iterator[FileChunk]:
    """Rows by id; an id with a ! is unreadable, one with a 0 has a zero vector."""
    for start in range(0, len(rows), size):
        part = list(enumerate(rows[start : start + size], start + 1))
        good = [(number, id) for number, id in part if "!" not in id]
        vectors = np.array([np.zeros(8) if "0" in id else np.ones(8) for _, id in good]).reshape(-1, 8)
        bad = [BadRow(number, "unreadable") for number, id in part if "!" in id]
        yield FileChunk([number for number, _ in good], [id for _, id in good], vectors, bad=bad)


def run(sink: ListSink, rows: Iterator[FileChunk], skip_bad: bool = False) -> tuple[Report, list[BadRow]]:
    report, told = Report(), list[BadRow]()
    load(rows, sink, report, skip_bad=skip_bad, on_bad=told.append, on_progress=lambda chunk: None)
    return report, told


def test_all_rows_are_stored_in_order() -> None:
    sink = ListSink()
    report, _ = run(sink, chunks("a", "b", "c", "d", "e"))
    assert sink.ids == list("abcde")
    assert (report.stored, report.resumed, report.refused, report.generation) == (5, 0, 0, 5)


@pytest.mark.parametrize("durable", [0, 1, 2, 3, 5])
def test_an_earlier_run_is_continued_after_any_row(durable: int) -> None:
    sink = ListSink(durable)
    report, _ = run(sink, chunks("a", "b", "c", "d", "e"))
    assert sink.ids == list("abcde")[durable:]
    assert (report.stored, report.resumed) == (5 - durable, durable)


def test_a_bad_row_stops_behind_the_rows_before_it() -> None:
    for bad in ("c!", "c0"):
        sink = ListSink()
        with pytest.raises(InvalidInput, match="stopped at row 3"):
            run(sink, chunks("a", "b", bad, "d", size=4))
        assert sink.ids == ["a", "b"]


def test_bad_rows_are_skipped_and_told() -> None:
    sink = ListSink()
    report, told = run(sink, chunks("a!", "b", "c0", "d", "e!"), skip_bad=True)
    assert sink.ids == ["b", "d"]
    assert [row.number for row in told] == [1, 3, 5]
    assert (report.stored, report.refused) == (2, 3)


def test_skipped_rows_take_no_part_in_where_to_continue() -> None:
    sink = ListSink(durable_sequence=1)
    report, _ = run(sink, chunks("a!", "b", "c0", "d"), skip_bad=True)
    assert sink.ids == ["d"]
    assert report.resumed == 1


def test_only_the_first_bad_rows_are_kept() -> None:
    report, told = run(ListSink(), chunks(*["x!"] * 150), skip_bad=True)
    assert (report.refused, len(report.bad), len(told)) == (150, BAD_ROWS_KEPT_MAX, 150)


def test_the_report_is_right_even_if_the_space_fails() -> None:
    sink, report = ListSink(), Report()

    def fail_later() -> None:
        if sink.batches == 1:
            raise Unavailable("disk full")

    sink.fail = fail_later
    with pytest.raises(Unavailable):
        load(chunks("a", "b", "c"), sink, report, skip_bad=False, on_bad=print, on_progress=lambda chunk: None)
    assert (report.stored, report.generation) == (2, 2)


def test_an_interrupt_is_not_kept_waiting_and_the_report_tells_what_is_known() -> None:
    sink, report = ListSink(), Report()

    def interrupt() -> int:
        raise KeyboardInterrupt

    sink.finish = interrupt  # type: ignore[method-assign]
    sink.abandon = lambda: (1, 1)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        load(chunks("a", "b", "c"), sink, report, skip_bad=False, on_bad=print, on_progress=lambda chunk: None)
    assert (report.stored, report.generation) == (1, 1)


def test_rows_that_were_handed_over_and_never_answered_do_not_count_as_stored() -> None:
    sink, report = ListSink(), Report()

    def lost() -> int:
        raise Unavailable("no server answers")

    sink.finish = lost  # type: ignore[method-assign]
    sink.abandon = lambda: (2, 2)  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="no server answers"):
        load(
            chunks("a", "b", "c", "d", "e"), sink, report, skip_bad=False, on_bad=print, on_progress=lambda chunk: None
        )
    assert (report.stored, report.generation) == (2, 2)


def test_huge_batches_are_divided() -> None:
    sink = ListSink()
    wide = FileChunk(range(1, 5), list("abcd"), np.ones((4, 8)), {"contents": ["x" * 60_000] * 4})
    many = [
        FileChunk(range(1, 201), [str(n) for n in range(200)], np.ones((200, 8)), {"contents": ["x" * 60_000] * 200}),
        wide,
    ]
    run(sink, iter(many))
    assert len(sink.ids) == 204
    assert sink.batches == 3
