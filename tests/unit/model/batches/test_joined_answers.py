"""Whatever the order of the answers to the parts of a batch, its caller gets one."""

from __future__ import annotations

from itertools import permutations

import pytest

from engram.errors import EngramError, InvalidInput, Unavailable
from engram.model.ack import Ack
from engram.model.batches.joined_answers import JoinedAnswers

PARTS = [slice(0, 2), slice(2, 5), slice(5, 6)]
ACKS = [Ack(1, 2, 11, 12), Ack(3, 5, 13, 15), Ack(6, 6, 16, 16)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_all_acknowledgements_become_one(order: tuple[int, ...]) -> None:
    settled: list[Ack | EngramError] = []
    joined = JoinedAnswers(6, settled.append)
    for number in order:
        assert settled == []
        joined.of(PARTS[number])(ACKS[number])
    (ack,) = settled
    assert ack == Ack(1, 6, 11, 16)
    assert isinstance(ack, Ack)
    assert (ack.count, ack.exact) == (6, True)


def test_others_may_have_written_between_two_parts() -> None:
    settled: list[Ack | EngramError] = []
    joined = JoinedAnswers(6, settled.append)
    for part, answer in zip(PARTS, [ACKS[0], Ack(3, 5, 23, 25), Ack(6, 6, 26, 26)], strict=True):
        joined.of(part)(answer)
    (ack,) = settled
    assert isinstance(ack, Ack)
    assert (ack.first_generation, ack.last_generation, ack.count, ack.exact) == (11, 26, 6, False)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_first_part_that_is_refused_says_how_many_are_stored(order: tuple[int, ...]) -> None:
    settled: list[Ack | EngramError] = []
    joined = JoinedAnswers(6, settled.append)
    answers: list[Ack | EngramError] = [ACKS[0], InvalidInput("no", code="first"), Unavailable("gone", code="second")]
    for number in order:
        joined.of(PARTS[number])(answers[number])
    (error,) = settled
    assert isinstance(error, InvalidInput)
    assert (error.code, error.stored_count) == ("first", 2)


def test_a_row_that_is_refused_has_its_number_among_all_rows() -> None:
    settled: list[Ack | EngramError] = []
    joined = JoinedAnswers(6, settled.append)
    joined.of(PARTS[0])(ACKS[0])
    joined.of(PARTS[1])(InvalidInput("no", code="content_size", field="content[1]"))
    joined.of(PARTS[2])(ACKS[2])
    (error,) = settled
    assert isinstance(error, EngramError)
    assert (error.code, error.field, error.stored_count) == ("content_size", "content[3]", 2)


def test_what_was_never_handed_over_is_answered_too() -> None:
    settled: list[Ack | EngramError] = []
    joined = JoinedAnswers(6, settled.append)
    first = joined.of(PARTS[0])
    joined.end(2, Unavailable("full", code="buffer_full"))
    assert settled == []
    first(ACKS[0])
    (error,) = settled
    assert isinstance(error, EngramError)
    assert (error.code, error.stored_count) == ("buffer_full", 2)
