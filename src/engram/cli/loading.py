"""Loading of a file into a space, chunk by chunk, from where an earlier run ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from engram.cli.files.chunk import BadRow, FileChunk, screen
from engram.cli.sinks import Sink
from engram.errors import InvalidInput
from engram.model.batches.parts import Parts, rows_of
from engram.model.limits import BATCH_BYTES_MAX
from engram.model.observations import ObservationBatch

BAD_ROWS_KEPT_MAX: Final = 100
# A quarter of what a server accepts, because smaller batches are acknowledged sooner.
_BATCH_BYTES_MAX: Final = BATCH_BYTES_MAX // 4


@dataclass(slots=True)
class Report:
    """The result of loading a file.

    Parameters
    ----------
    stored
        Number of rows that this run stored.
    resumed
        Number of rows that an earlier run stored.
    refused
        Number of rows that cannot be stored.
    generation
        Generation of the last row that this run stored; 0 if it stored none.
    bad
        The first rows that cannot be stored, at most `BAD_ROWS_KEPT_MAX`.
    """

    stored: int = 0
    resumed: int = 0
    refused: int = 0
    generation: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """Return the report as a dictionary for JSON."""
        return {
            "stored": self.stored,
            "resumed": self.resumed,
            "refused": self.refused,
            "generation": self.generation,
            "errors": [{"row": row.number, "reason": row.reason} for row in self.bad],
        }


def load(
    chunks: Iterable[FileChunk],
    sink: Sink,
    report: Report,
    *,
    skip_bad: bool,
    on_bad: Callable[[BadRow], None],
    on_progress: Callable[[FileChunk], None],
) -> None:
    """Put all good rows into the sink and wait until they are stored.

    An interrupt, such as Ctrl-C, does not wait: rows that the sink has not stored yet are left to the next run.

    Parameters
    ----------
    chunks
        Chunks of the file, in order.
    sink
        Destination of the rows.
    report
        Updated during the load, so that it is correct even if this function raises.
    skip_bad
        Whether to continue after a bad row. Otherwise the first bad row raises, after the rows before it are stored.
    on_bad
        Called with each bad row if `skip_bad` is set.
    on_progress
        Called with each chunk after its rows are in the sink.

    Raises
    ------
    InvalidInput
        With code ``bad_row``, naming the first bad row, unless `skip_bad` is set.
    EngramError
        If the file cannot be read any further, or the sink refuses a batch.
    """
    try:
        stopped_by = _load(chunks, sink, report, skip_bad, on_bad, on_progress)
    except BaseException:
        # A row that was handed over counts only once it is answered.
        report.generation, report.stored = sink.abandon()
        raise
    if stopped_by is not None:
        _note(report, stopped_by)
        raise InvalidInput(
            f"stopped at row {stopped_by.number}: {stopped_by.reason}", code="bad_row", value=stopped_by.number
        )


def _load(
    chunks: Iterable[FileChunk],
    sink: Sink,
    report: Report,
    skip_bad: bool,
    on_bad: Callable[[BadRow], None],
    on_progress: Callable[[FileChunk], None],
) -> BadRow | None:
    sequence = 0
    stopped_by: BadRow | None = None
    try:
        for chunk in chunks:
            screened = screen(chunk, sink.config)
            batch = screened.batch
            if screened.bad and not skip_bad:
                stopped_by = screened.bad[0]
                keep = sum(number < stopped_by.number for number in screened.numbers)
                batch = batch.rows(0, keep) if batch is not None and keep else None
            if batch is not None:
                _put(sink, batch, sequence, report)
                sequence += len(batch)
            on_progress(chunk)
            if stopped_by is not None:
                break
            for row in screened.bad:
                _note(report, row)
                on_bad(row)
    except Exception:
        # The sink still stores the batches that it got before the error.
        sink.finish()
        raise
    report.generation = sink.finish()
    return stopped_by


def _put(sink: Sink, batch: ObservationBatch, sequence: int, report: Report) -> None:
    known = min(max(0, sink.durable_sequence - sequence), len(batch))
    report.resumed += known
    count = max(1, int(len(batch) * _BATCH_BYTES_MAX / max(1, batch.nbytes)))
    for start in range(known, len(batch), count):
        rows = batch.rows(start, start + count)
        # Some of them may have texts that are much longer than those of the others.
        parts = Parts(len(rows))
        for part in parts:
            with parts.halving(part):
                sink.put(rows_of(rows, part))
                report.stored += part.stop - part.start


def _note(report: Report, row: BadRow) -> None:
    report.refused += 1
    if len(report.bad) < BAD_ROWS_KEPT_MAX:
        report.bad.append(row)
