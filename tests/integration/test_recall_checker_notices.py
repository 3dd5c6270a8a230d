"""The replay checker finds each kind of fault in what was answered, acknowledged, refused and told to followers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from engram import RetentionPolicy
from tests.integration.recall_checker.checker import Checker, checker_of
from tests.integration.recall_checker.checks import check
from tests.integration.recall_checker.content import CUES, LAST, NEVER_US
from tests.integration.recall_checker.history import History, Recalled, TooOld
from tests.integration.recall_checker.life import Heard, Life, Refused, Within, Written
from tests.integration.recall_checker.mix import Mix
from tests.integration.recall_checker.model import Model
from tests.integration.socket_client import SocketServer

# So that the spaces are there to the end, whatever they are called.
STEADY: Final = Mix(naming_share=0.0)


def whole_answers(history: History) -> Iterator[int]:
    """The places of answers to one cue with more than five hits.

    They name a generation, so that nothing of them may have been hidden.
    """
    for place, one in enumerate(history.recalled):
        is_whole = one.cue is not None and len(one.hits) > 5 and one.count_max == 1000
        if is_whole and one.generation is not None and history.names.lives(one.name, one.first, one.last) == [one.life]:
            yield place


async def steady_run(server: SocketServer, seed: int) -> Checker:
    """What was told in a run, in which there is such an answer."""
    checker = checker_of(server, seed, STEADY)
    await checker.run(300, until=lambda: next(whole_answers(checker.history), None) is not None)
    assert check(checker.history) == 0
    return checker


def wrong_answers(right: Recalled, elsewhere: str, moment: int) -> list[Recalled]:
    """What a fault might have made of an answer; at a moment, another name means another space."""
    (snapshot,) = right.snapshots
    dead = right.hits[0]._replace(generation=1, id=right.life.written[0].id, score=0.0)
    worst = sorted(right.hits, key=lambda hit: hit.score)[:3]
    return [
        replace(right, hits=right.hits[1:]),
        replace(right, hits=[*right.hits[:-1], dead]),
        replace(right, hits=[*right.hits[:-1], right.hits[0]]),
        replace(right, hits=[hit._replace(score=hit.score + 0.1) for hit in right.hits]),
        replace(right, hits=[right.hits[0]._replace(facts="[[], {}]"), *right.hits[1:]]),
        replace(right, snapshots=frozenset({snapshot, snapshot - 1})),
        replace(right, generation=snapshot + 1),
        replace(right, acked_before=snapshot + 1),
        replace(right, count_max=3, hits=worst),
        replace(right, cue=None, hits=sorted(right.hits, key=lambda hit: -hit.generation)),
        replace(right, name=elsewhere, first=moment, last=moment),
    ]


async def test_wrong_answers(server: SocketServer) -> None:
    checker = await steady_run(server, seed=3)
    history = checker.history
    place = next(whole_answers(history))
    right = history.recalled[place]
    elsewhere = next(meaning for meaning in checker.namer.slots if meaning.life is not right.life)
    for wrong in wrong_answers(right, elsewhere.name, history.names.moment()):
        history.recalled[place] = wrong
        with pytest.raises(AssertionError):
            check(history)
    history.recalled[place] = right
    check(history)


async def test_wrong_acknowledgements(server: SocketServer) -> None:
    history = (await steady_run(server, seed=4)).history
    right = history.recalled[next(whole_answers(history))]
    life, seen = right.life, right.hits[0].generation
    row = next(row for row, change in enumerate(life.written) if change.generation == seen)
    change = life.written[row]
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
    (heard,) = life.followed[0]
    told, expires_us = heard.told, Model(life).expires_us
    lasting = next(each for each in told if expires_us[each - 1] == NEVER_US)
    heard.told = [each for each in told if each != lasting]
    with pytest.raises(AssertionError):
        check(history)
    heard.told = told
    life.refused.append(Refused("nobody", seen, 0))
    with pytest.raises(AssertionError):
        check(history)
    life.refused.pop()
    # All that is retained for a day was refused a moment ago.
    history.too_old.append(TooOld(right.name, right.first, right.last, right.within.answered_us, seen - 1, seen))
    with pytest.raises(AssertionError):
        check(history)
    history.too_old.pop()
    check(history)


def changing_life(count: int) -> Life:
    """A space in which one id is written again and again: each version begins a millisecond after the one before."""
    life = Life()
    for generation in range(1, count + 1):
        within = Within(generation * 1000, generation * 1000 + 500)
        life.note_written([Written(generation, "a", CUES[0], "red", {}, within=within)])
    return life


def refused_history(retention: RetentionPolicy, generation: int, oldest: int, answered_us: int) -> History:
    """A space with a thousand generations, of which one was refused."""
    life = changing_life(1000)
    history = History(retention=retention, lives=[life])
    history.names.make(history.names.ask("notes", life))
    moment = history.names.moment()
    history.too_old.append(TooOld("notes", moment, moment, answered_us, generation, oldest))
    return history


END_US: Final = 1_001_000
BY_COUNT: Final = RetentionPolicy(None, 300)
BY_AGE: Final = RetentionPolicy(0.1, None)


@pytest.mark.parametrize(
    ("retention", "generation", "oldest", "answered_us", "is_right"),
    [
        # More than 300 have ended since, or with it.
        (BY_COUNT, 5, 511, END_US, True),
        (BY_COUNT, 510, 511, END_US, True),
        (BY_COUNT, 5, 955, END_US, True),
        (BY_COUNT, 5, 956, END_US, False),
        # It says itself that it is retained.
        (BY_COUNT, 511, 511, END_US, False),
        # There was no such generation yet, or so few had ended by then.
        (BY_COUNT, 5, 511, 511_000, False),
        (BY_COUNT, 5, 511, 510_999, False),
        (BY_COUNT, 5, 511, 556_000, True),
        (BY_COUNT, 5, 511, 555_999, False),
        # It was the newest a tenth of a second before, or not.
        (BY_AGE, 5, 901, END_US, True),
        (BY_AGE, 5, 902, END_US, False),
        (BY_AGE, 901, 901, END_US, False),
        (RetentionPolicy(0.1, 300), 5, 955, END_US, True),
        (RetentionPolicy(0.1, 300), 5, 956, END_US, False),
        (RetentionPolicy(), 5, 511, END_US, False),
        (RetentionPolicy(None, None), 5, 511, END_US, False),
    ],
)
def test_wrong_refusals(
    retention: RetentionPolicy, generation: int, oldest: int, answered_us: int, is_right: bool
) -> None:
    history = refused_history(retention, generation, oldest, answered_us)
    if is_right:
        assert check(history) == 0
    else:
        with pytest.raises(AssertionError):
            check(history)


@pytest.mark.parametrize(
    ("parts", "is_right"),
    [
        ([Heard(0, [1, 2, 3, 4])], True),
        # What lies between the parts was no longer retained.
        ([Heard(0, [1]), Heard(3, [4])], True),
        ([Heard(0), Heard(2, [3, 4])], True),
        ([Heard(0, [1, 3, 4])], False),
        ([Heard(0, [1]), Heard(2, [4])], False),
        ([Heard(0, [1, 2]), Heard(2, [2, 3, 4])], False),
        ([Heard(0, [1, 2, 3])], False),
        ([Heard(0, [1, 2, 3, 4, 5])], False),
        ([Heard(0)], False),
    ],
)
def test_followers_who_miss_something(parts: list[Heard], is_right: bool) -> None:
    life = changing_life(3)
    life.note_written([Written(4, LAST, CUES[0], "", {}), Written(5, "b", -CUES[0], "", {})])
    life.followed = {0: parts}
    history = History(lives=[life])
    if is_right:
        assert check(history) == 0
    else:
        with pytest.raises(AssertionError):
            check(history)
