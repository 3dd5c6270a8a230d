"""How far sessions got, and what generations their sequence numbers were given."""

from __future__ import annotations

import pytest

from engram.store.commit.session_table import SequenceRange, SessionTable


def test_unknown_sessions_are_at_zero() -> None:
    table = SessionTable()
    assert table.last_sequence("s") == 0
    assert table.generation_of("s", 1) == 0
    assert len(table) == 0


def test_progress_and_generations() -> None:
    table = SessionTable()
    table.store("s", SequenceRange(1, 10, 101))
    table.store("t", SequenceRange(1, 1, 111))
    table.store("s", SequenceRange(11, 5, 112))
    assert (table.last_sequence("s"), table.last_sequence("t"), len(table)) == (15, 1, 2)
    found = [table.generation_of("s", sequence) for sequence in (0, 1, 10, 11, 15, 16)]
    assert found == [0, 101, 110, 112, 116, 0]


def test_the_writer_of_the_last_number_is_known_if_it_said_who_it_is() -> None:
    table = SessionTable()
    assert table.last_writer("s") == 0
    table.store("s", SequenceRange(1, 10, 101), writer=7)
    table.store("s", SequenceRange(11, 5, 111), writer=8)
    assert (table.last_writer("s"), table.last_writer("t")) == (8, 0)
    table.store("s", SequenceRange(16, 5, 116))
    assert table.last_writer("s") == 0


def test_ranges_that_continue_each_other_need_no_more_memory() -> None:
    table = SessionTable()
    for number in range(1000):
        table.store("s", SequenceRange(1 + 4 * number, 4, 50 + 4 * number))
    assert table.generation_of("s", 1) == 50
    assert table.generation_of("s", 4000) == 4049


def test_only_the_latest_are_remembered() -> None:
    table = SessionTable()
    for number in range(200):
        # Generations in between went to others, so nothing joins.
        table.store("s", SequenceRange(1 + number, 1, 1 + 2 * number))
    assert table.generation_of("s", 1) == 0
    assert table.generation_of("s", 200) == 399
    assert table.last_sequence("s") == 200


def test_only_sequences_are_kept_of_sessions_that_are_long_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.store.commit.session_table._SESSIONS_REMEMBERED_MAX", 2)
    table = SessionTable()
    for number, session in enumerate(("a", "b", "a", "c"), 1):
        table.store(session, SequenceRange(table.last_sequence(session) + 1, 1, number))
    assert [table.last_sequence(session) for session in "abc"] == [2, 1, 1]
    assert table.latest("b") == ()
    assert table.generation_of("b", 1) == 0
    assert table.latest("a") == (SequenceRange(1, 1, 1), SequenceRange(2, 1, 3))
    assert len(table) == 3
