"""Reading records ahead: what is asked for, and how often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engram import MemoryStore, _core
from engram.log.files.prefetch import Prefetch
from engram.model.hit import StoredRow


def test_a_record_is_read_once_and_without_its_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = _core.read_ahead

    def read_ahead(pieces: list[NDArray[np.uint8]]) -> None:
        asked.extend(map(len, pieces))
        real(pieces)

    monkeypatch.setattr(_core, "read_ahead", read_ahead)
    with MemoryStore(tmp_path / "store") as store:
        space = store.space("notes", dim=64)
        space.observe([f"id {row}" for row in range(100)], np.ones((100, 64), np.float32), ["text"] * 100)
        record, _ = space._engine._state.log.locate(1)
        ahead = Prefetch()
        ahead.read([record, record])
        assert len(asked) == 2
        assert 0 < sum(asked) < 100 * 64 * 4
        ahead.read([record])
        assert len(asked) == 2
        expected = StoredRow(record.time_us(99), 1.0, record.importance(99), "id 99", "text", "", "")
        assert record.row(99) == expected
