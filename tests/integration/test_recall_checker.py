"""Every answer under concurrent writing is what follows from the acknowledgements; see `recall_checker.checker`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from tests.integration.homes import over_grpc, over_http, over_websocket
from tests.integration.recall_checker.checker import Checker
from tests.integration.recall_checker.checks import check
from tests.integration.recall_checker.content import CUES, NEVER_US, Found, facts_of
from tests.integration.recall_checker.history import History, Recalled
from tests.integration.recall_checker.life import Deleted, Life, Refused, Within, Written
from tests.integration.recall_checker.meanings import Meanings
from tests.integration.recall_checker.model import Model
from tests.integration.socket_client import SocketServer

# The campaign takes some minutes; ENGRAM_CAMPAIGN_RECALLS makes it shorter or longer.
CAMPAIGN_RECALLS: Final = int(os.environ.get("ENGRAM_CAMPAIGN_RECALLS", "100000"))
# Of a hundred answers, so many may be of a generation that a write got whose space was dropped at the same time.
UNKNOWN_PERCENT_MAX: Final = 5
_numbers = itertools.count(1)


def checker_of(server: SocketServer, seed: int) -> Checker:
    return Checker([over_grpc(server), over_websocket(server), over_http(server)], f"replay-{next(_numbers)}", seed)


async def test_recalls_are_what_the_acknowledgements_say(server: SocketServer) -> None:
    checker = checker_of(server, seed=1)
    await checker.run(recalls=600)
    assert len(checker.history.recalled) >= 600
    assert check(checker.history) * 100 <= UNKNOWN_PERCENT_MAX * len(checker.history.recalled)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
async def test_many_recalls_are_what_the_acknowledgements_say(server: SocketServer) -> None:
    checker = checker_of(server, seed=2)
    await checker.run(recalls=CAMPAIGN_RECALLS)
    history = checker.history
    unknown = check(history)
    assert unknown * 100 <= UNKNOWN_PERCENT_MAX * len(history.recalled)
    removed = sum(len(life.alive_at) for life in history.lives)
    assert min(history.dropped, history.renamed, history.moved, history.turned_away, removed) > 0
    hits = sum(len(recalled.hits) for recalled in history.recalled)
    written, updated, deleted, refused = (
        sum(len(life.written) for life in history.lives),
        sum(change.is_update for life in history.lives for change in life.written),
        sum(len(life.deleted) for life in history.lives),
        sum(len(life.refused) for life in history.lives),
    )
    print(
        f"{len(history.recalled)} recalls with {hits} hits: all as acknowledged, but for {unknown} of what nobody was "
        f"told of. Beside them, {written} versions ({updated} by updates), {deleted} deletions, {refused} conditions "
        f"that did not hold, {removed} removals of what had expired; {history.dropped} spaces dropped, "
        f"{history.renamed} renamed, an alias moved {history.moved} times, {history.turned_away} calls turned away "
        "meanwhile"
    )


def whole_answer(history: History) -> int:
    """The place of an answer to one cue with more than five hits, which can only be of a space that is still there.

    It names a generation, so that nothing of it may have been hidden.
    """
    return next(
        place
        for place, one in enumerate(history.recalled)
        if one.cue is not None
        and len(one.hits) > 5
        and one.count_max == 1000
        and one.generation is not None
        and one.life.sealed is None
        and history.names.lives(one.name, one.first, one.last) == [one.life]
    )


def wrong_answers(right: Recalled, elsewhere: str, moment: int) -> list[Recalled]:
    """What a fault might have made of an answer; at a moment, another name means another space."""
    (snapshot,) = right.snapshots
    dead = right.hits[0]._replace(generation=1, id=right.life.written[0].id, score=0.0)
    return [
        replace(right, hits=right.hits[1:]),
        replace(right, hits=[*right.hits[:-1], dead]),
        replace(right, hits=[*right.hits[:-1], right.hits[0]]),
        replace(right, hits=[hit._replace(score=hit.score + 0.1) for hit in right.hits]),
        replace(right, hits=[right.hits[0]._replace(facts="[[], {}]"), *right.hits[1:]]),
        replace(right, snapshots=frozenset({snapshot, snapshot - 1})),
        replace(right, generation=snapshot + 1),
        replace(right, acked_before=snapshot + 1),
        replace(right, count_max=3, hits=right.hits[-3:]),
        replace(right, cue=None, hits=sorted(right.hits, key=lambda hit: -hit.generation)),
        replace(right, name=elsewhere, first=moment, last=moment),
    ]


async def test_the_checker_notices_wrong_answers(server: SocketServer) -> None:
    """Each kind of fault, put into an answer that was right, is found."""
    checker = checker_of(server, seed=3)
    await checker.run(recalls=300)
    history = checker.history
    check(history)
    place = whole_answer(history)
    right = history.recalled[place]
    elsewhere = next(meaning for meaning in checker.namer.slots if meaning.life is not right.life)
    for wrong in wrong_answers(right, elsewhere.name, history.names.moment()):
        history.recalled[place] = wrong
        with pytest.raises(AssertionError):
            check(history)
    history.recalled[place] = right
    check(history)


async def test_the_checker_notices_wrong_acknowledgements(server: SocketServer) -> None:
    """So is each kind of fault in what was acknowledged, and in what a follower was told."""
    checker = checker_of(server, seed=4)
    await checker.run(recalls=300)
    history = checker.history
    right = history.recalled[whole_answer(history)]
    life, seen = right.life, right.hits[0].generation
    row = next(row for row, change in enumerate(life.written) if change.generation == seen)
    change = life.written[row]
    told = life.followed[0]
    for wrong in (
        [*life.written[:row], *life.written[row + 1 :]],
        [*life.written[:row], change, *life.written[row:]],
        [*life.written[:row], change._replace(tag="black"), *life.written[row + 1 :]],
        [*life.written[:row], change._replace(expected=seen), *life.written[row + 1 :]],
    ):
        life.written, written = wrong, life.written
        with pytest.raises(AssertionError):
            check(history)
        life.written = written
    expires_us = Model(life).expires_us
    lasting = next(each for each in told if expires_us[each - 1] == NEVER_US)
    life.followed[0] = [each for each in told if each != lasting]
    with pytest.raises(AssertionError):
        check(history)
    life.followed[0] = told
    life.refused.append(Refused("nobody", seen, 0))
    with pytest.raises(AssertionError):
        check(history)
    life.refused.pop()
    check(history)


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


def expiring_life() -> Life:
    """A space with two observations, of which the first expires."""
    life = Life()
    life.note_written([Written(1, "a", CUES[0], "red", {}, expires_us=100), Written(2, "b", CUES[1], "red", {})])
    return life


def test_only_what_is_due_is_removed() -> None:
    life = expiring_life()
    life.note_written([Written(4, "c", CUES[2], "red", {}, within=Within(150, 160))])
    assert life.not_given() == [3]
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
