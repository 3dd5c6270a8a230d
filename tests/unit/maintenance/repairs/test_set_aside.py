"""Rows that a repair sets aside: one JSON line each, which ``engram ingest`` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engram.log.files.memory_storage import MemoryStorage
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.maintenance.repairs.set_aside import SetAside
from engram.model.hit import StoredRow
from tests.doubles.batches import batch_of
from tests.doubles.logs import open_log


@pytest.mark.parametrize(
    ("stored", "expected"),
    [('{"a":1}', {"a": 1}), ("", None), ("[" * 5000, None), ("nonsense", None)],
)
def test_metadata_that_cannot_be_read_do_not_end_a_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: str, expected: object
) -> None:
    (record,) = open_log(MemoryStorage()).append([LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"]))])
    monkeypatch.setattr(Record, "row", lambda *_: StoredRow(1_000_000, 1.0, 0.5, "a", "text", stored, ""))
    with SetAside(tmp_path / "set-aside" / "notes.jsonl") as aside:
        aside.add(record, 0)
    (line,) = (tmp_path / "set-aside" / "notes.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line).get("metadata") == expected
