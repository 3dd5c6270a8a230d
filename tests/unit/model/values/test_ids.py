"""The ids of a call that deletes or looks up, and ids that are made up."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Any
from uuid import RFC_4122, UUID

import pytest

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.values.ids import _counts, as_ids, check_distinct_ids, check_id_count, made_id, made_ids


@pytest.mark.parametrize(("ids", "field"), [("note-1", "ids"), (["a", 3], "ids[1]"), (7, "ids"), (None, "ids")])
def test_ids_are_texts_in_a_list(ids: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        as_ids(ids)
    assert refused.value.field == field


def test_any_collection_of_ids_is_taken() -> None:
    assert as_ids(("a", "b")) == ["a", "b"]
    assert sorted(as_ids({"a", "b"})) == ["a", "b"]
    assert as_ids([]) == []


def test_there_may_be_any_number_in_a_list_and_10_000_without_a_length() -> None:
    many = ["a"] * (BATCH_COUNT_MAX + 1)
    assert as_ids(many) == many
    assert as_ids(iter(many[:-1])) == many[:-1]
    with pytest.raises(InvalidInput) as refused:
        as_ids(iter(many))
    assert (refused.value.code, refused.value.field) == ("batch_count", "ids")


def test_more_than_one_request_has_are_refused() -> None:
    check_id_count(["a"] * BATCH_COUNT_MAX)
    with pytest.raises(InvalidInput) as refused:
        check_id_count(["a"] * (BATCH_COUNT_MAX + 1))
    assert (refused.value.code, refused.value.field, refused.value.value) == ("batch_count", "ids", "10001")


def test_an_id_that_occurs_twice_is_named() -> None:
    check_distinct_ids([])
    check_distinct_ids(("a", "A", "ä"))
    with pytest.raises(InvalidInput) as refused:
        check_distinct_ids(["a", "b", "c", "b", "a"])
    assert (refused.value.code, refused.value.field, refused.value.value) == ("duplicate_id", "ids[3]", "'b'")


def test_ids_that_are_made_up_are_uuids_of_version_7_of_now() -> None:
    before_ms = time.time_ns() // 1_000_000
    for text in (made_id(), *made_ids(3)):
        made = UUID(text)
        assert (str(made), made.version, made.variant) == (text, 7, RFC_4122)
        # One that came before may have made a clock that was set back wait.
        assert made.int >> 80 >= before_ms


def test_one_by_one_and_many_together_they_rise() -> None:
    made = [made_id(), *made_ids(5000), made_id(), *made_ids(1), *made_ids(0), made_id()]
    assert len(set(made)) == 5004
    assert made == sorted(made)
    assert [UUID(each).int for each in made] == sorted(UUID(each).int for each in made)


def test_they_rise_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made_id()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert first < made_id() < made_ids(1)[0]


def test_they_rise_when_there_are_more_than_a_millisecond_can_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(_counts, "_next", (1 << 42) - 2)
    made = [made_id(), made_id(), made_id(), *made_ids(2)]
    assert made == sorted(set(made))
    assert {UUID(each).version for each in made} == {7}


def test_threads_make_different_ids() -> None:
    made: list[tuple[str, ...]] = []

    def make() -> None:
        for _ in range(20):
            made.extend((made_ids(50), (made_id(),)))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for together in made for each in together}) == 8 * 20 * 51


def test_a_forked_child_makes_ids_although_a_thread_of_its_parent_was_making_some() -> None:
    with _counts._guard:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            with contextlib.suppress(Exception):
                os._exit(0 if made_id() else 1)
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
