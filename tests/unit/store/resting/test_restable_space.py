"""Closing a space whatever fails, and what the log says of it."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import Unavailable
from engram.store import MemoryStore
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.resting.restable_space import closed_whatever_fails
from tests.doubles.batches import DIM, vector_of


def test_a_checkpoint_that_finds_no_room_is_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*arguments: Any, **keywords: Any) -> None:
        raise Unavailable("the disk is full", code="disk_full")

    with MemoryStore(None) as store:
        store.space("notes", dim=DIM).observe("a", vector_of("a"), "a text")
        with monkeypatch.context() as patch:
            patch.setattr(IndexMaintenance, "finish", full)
            store.rename("notes", "others")
        assert store.space("others").get("a") is not None
    (said,) = [record for record in caplog.records if "not closed in order" in record.getMessage()]
    assert said.getMessage().endswith(": the disk is full")
    assert said.exc_info is None


def test_what_nobody_expects_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with closed_whatever_fails("notes"):
        raise RuntimeError("a mistake")
    (said,) = caplog.records
    assert said.exc_info is not None
