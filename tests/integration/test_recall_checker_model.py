"""What the replay checker takes for right: of versions, removals, conditions, deletions and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from tests.integration.recall_checker.checks import check
from tests.integration.recall_checker.content import CUES, Found, facts_of
from tests.integration.recall_checker.history import History, Recalled
from tests.integration.recall_checker.life import Deleted, Life, Refused, Within, Written
from tests.integration.recall_checker.meanings import Meanings
from tests.integration.recall_checker.model import Model

# By id, when it is due.
EXPIRING: Final = {"a": 100, "b": 150, "c": 160, "d": 300}


def test_a_space_is_empty_once_all_is_deleted() -> None:
    life = Life()
    life.note_written([Written(1, "a", CUES[0], "red", {})])
    life.note_deleted(Deleted(2, 1, ("a",), "", 0, 1))
    life.note_written([Written(3, "b", CUES[1], "red", {})])
    model = Model(life)
    assert [model.was_empty_since(generation, "") for generation in range(4)] == [True, True, True, False]
    assert (model.was_empty_since(3, "blue"), model.alive(1, "red").tolist()) == (True, [1])


def history_of(life: Life, within: Within, generation: int | None, hits: Sequence[Found]) -> History:
    """A history of one recall of a space."""
    history = History(lives=[life])
    history.names.make(history.names.ask("notes", life))
    moment = history.names.moment()
    history.recalled.append(
        Recalled(
            name="notes",
            first=moment,
            last=moment,
            within=within,
            life=life,
            acked_before=1,
            cue=0,
            tag="",
            count_max=10,
            generation=generation,
            snapshots=frozenset({1}),
            hits=hits,
        )
    )
    return history


@pytest.mark.parametrize(
    ("within", "generation", "may_be_there", "may_be_gone"),
    [
        (Within(50, 60), None, True, False),
        (Within(50, 150), None, True, True),
        (Within(100, 150), None, False, True),
        (Within(200, 300), 1, True, False),
    ],
)
def test_what_is_due_is_gone_from_now_and_stays_in_the_past(
    within: Within, generation: int | None, may_be_there: bool, may_be_gone: bool
) -> None:
    life = Life()
    life.note_written([Written(1, "a", CUES[0], "red", {}, expires_us=100)])
    there = [Found(1, "a", 1.0, facts_of(["red"], {}, 100))]
    for hits, is_right in ((there, may_be_there), ([], may_be_gone)):
        history = history_of(life, within, generation, hits)
        if is_right:
            assert check(history) == 0
        else:
            with pytest.raises(AssertionError):
                check(history)


def test_a_look_up_may_hide_what_became_due_while_it_was_made() -> None:
    life = Life()
    life.note_written(
        [Written(row, id, CUES[0], "", {}, expires_us=due_us) for row, (id, due_us) in enumerate(EXPIRING.items(), 1)]
    )
    for ids, is_right in (("bcd", True), ("bd", True), ("cd", True), ("d", True), ("bc", False), ("abcd", False)):
        hits = [Found(row, id, 1.0, facts_of([], {}, due_us)) for row, (id, due_us) in enumerate(EXPIRING.items(), 1)]
        history = history_of(life, Within(100, 200), None, [hit for hit in hits if hit.id in ids])
        one = replace(history.recalled[0], cue=None, snapshots=frozenset({4}), hides_each=True)
        history.recalled = [one]
        if is_right:
            assert check(history) == 0
        else:
            with pytest.raises(AssertionError):
                check(history)


def expiring_life() -> Life:
    """A space with two observations, of which the first expires."""
    life = Life()
    life.note_written([Written(1, "a", CUES[0], "red", {}, expires_us=100), Written(2, "b", CUES[1], "red", {})])
    return life


def test_only_what_is_due_is_removed() -> None:
    life = expiring_life()
    life.note_written([Written(4, "c", CUES[2], "red", {}, within=Within(150, 160))])
    assert life.not_given(4) == [3]
    life.alive_at = {3: {"b": 2}}
    model = Model(life)
    assert [model.alive(generation, "").tolist() for generation in (2, 3, 4)] == [[1, 2], [2], [2, 4]]
    wrong: list[dict[str, int]] = [{}, {"a": 1}, {"a": 1, "b": 2}, {"b": 1}]
    for alive in wrong:
        life.alive_at = {3: alive}
        with pytest.raises(AssertionError):
            Model(life)
    life.alive_at = {}
    with pytest.raises(AssertionError, match="lost"):
        Model(life)
    life.alive_at = {3: {"b": 2}}
    life.written[-1] = life.written[-1]._replace(within=Within(90, 99))
    with pytest.raises(AssertionError, match="before it was due"):
        Model(life)


def test_a_deletion_takes_what_is_due_and_does_not_count_it() -> None:
    life = expiring_life()
    life.note_deleted(Deleted(4, 1, ("a", "b"), "", 0, 2, Within(150, 160)))
    life.alive_at = {3: {"b": 2}}
    assert Model(life).alive(3, "").tolist() == [2]
    # It was removed before, and the deletion found only one.
    life.deleted = [Deleted(4, 1, ("b", "a"), "", 0, 2, Within(150, 160))]
    assert Model(life).alive(3, "").tolist() == [2]
    # By a filter, it is not found.
    life.deleted = [Deleted(3, 1, None, "red", 2, 2, Within(150, 160))]
    life.alive_at = {}
    assert Model(life).alive(3, "").tolist() == [1]
    life.deleted = [Deleted(4, 2, ("a", "b"), "", 0, 2, Within(150, 160))]
    with pytest.raises(AssertionError, match="another number"):
        Model(life)


def test_a_deletion_by_a_filter_passes_over_what_was_written_before_it() -> None:
    life = expiring_life()
    life.note_written([Written(3, "c", CUES[2], "red", {})])
    life.note_written([Written(5, "b", CUES[1], "blue", {}, within=Within(100, 110))])
    life.note_deleted(Deleted(6, 1, None, "red", 3, 3, Within(90, 160)))
    assert life.not_given(6) == [4]
    life.alive_at = {4: {"b": 2, "c": 3}}
    model = Model(life)
    assert [model.alive(generation, "").tolist() for generation in (3, 4, 5, 6)] == [[1, 2, 3], [2, 3], [3, 5], [5]]


def test_what_was_removed_last_is_known_once_it_was_asked_for() -> None:
    life = expiring_life()
    assert Model(life).alive(2, "").tolist() == [1, 2]
    life.alive_at = {3: {"b": 2}}
    life.note_settled(3)
    assert Model(life).alive(3, "").tolist() == [2]
    assert life.not_given(5) == [4, 5]
    life.alive_at = {}
    with pytest.raises(AssertionError, match="lost"):
        Model(life)


def test_for_a_condition_what_is_due_is_not_there() -> None:
    life = expiring_life()
    again = Written(3, "a", CUES[2], "red", {}, expected=0, within=Within(100, 110))
    life.note_written([again])
    life.refused = [Refused("a", 0, 2, Within(100, 110))]
    assert Model(life).alive(3, "").tolist() == [2, 3]
    for wrong in (
        again._replace(within=Within(90, 99)),
        again._replace(expected=1),
        again._replace(expected=None, is_update=True),
    ):
        life.written[-1] = wrong
        with pytest.raises(AssertionError):
            Model(life)
    life.written[-1] = again
    for refused in (Refused("a", 0, 2, Within(90, 99)), Refused("a", 1, 2, Within(100, 110))):
        life.refused = [refused]
        with pytest.raises(AssertionError):
            Model(life)


def test_between_a_drop_and_a_creation_a_name_means_nothing() -> None:
    names, first, second = Meanings(), Life(), Life()
    before = names.moment()
    dropped = names.ask("notes", first)
    names.make(dropped)
    made = names.moment()
    assert (names.is_there("notes", before, made), names.is_there("notes", made, names.moment())) == (False, True)
    names.begin_end(dropped)
    ending = names.moment()
    names.end(dropped)
    gone = names.moment()
    assert (names.is_there("notes", made, ending), names.is_there("notes", gone, names.moment())) == (False, False)
    assert (names.lives("notes", ending, gone), names.lives("notes", gone, names.moment())) == ([first], [])
    again = names.ask("notes", second)
    names.make(again)
    new = names.moment()
    assert names.is_there("notes", new, names.moment())
    assert not names.is_there("notes", made, names.moment())
    assert names.lives("notes", made, new) == [first, second]


def test_an_alias_that_moves_always_means_one_or_the_other() -> None:
    names, first, second = Meanings(), Life(), Life()
    before = names.ask("now", first)
    names.make(before)
    made = names.moment()
    names.begin_end(before, handed_over=True)
    after = names.ask("now", second, took_over=True)
    moving = names.moment()
    assert names.is_there("now", made, moving)
    assert names.lives("now", made, moving) == [first, second]
    names.end(before)
    names.make(after)
    moved = names.moment()
    assert names.is_there("now", made, moved)
    assert names.lives("now", moved, names.moment()) == [second]
