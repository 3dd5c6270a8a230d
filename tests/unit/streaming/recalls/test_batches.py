"""What is sent of one recall: hits that are too large for one message come in several, in their order."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.hit import Hit, Hits
from engram.model.query import Recalled
from engram.streaming.recalls.batches import RecallBatches

Sent = tuple[list[str], int, bool]


class FakeStream:
    """A recall stream that has batches ready, and then matches."""

    subscription = None

    def __init__(self, *batches: Hits, matches: Hits | None = None) -> None:
        self._batches = list(batches)
        self._matches = matches

    @property
    def more_results(self) -> bool:
        return bool(self._batches)

    def next_batch(self) -> Hits:
        return self._batches.pop(0)

    def poll(self) -> Hits:
        assert self._matches is not None
        return self._matches


def hit(generation: int, size: int = 1) -> Hit:
    return Hit(
        id=f"n{generation}",
        score=1.0,
        confidence=1.0,
        generation=generation,
        content="x" * size,
        metadata={},
        tags=[],
        time_us=0,
        importance=0.5,
        indexed=True,
        recalled_us=0,
    )


def batches_of(stream: Any, characters_max: int = 100) -> RecallBatches[Sent]:
    def encode(batch: Recalled) -> Sent:
        if len(batch.hits) > 1 and sum(len(one.content) for one in batch.hits) > characters_max:
            raise InvalidInput("too large", code="results_bytes")
        return [one.id for one in batch.hits], batch.generation, batch.more

    return RecallBatches(stream, encode, 0.0)


def all_of(batches: RecallBatches[Sent]) -> list[Sent]:
    made = batches.make(0)
    while batches.more:
        made += batches.make(100)
    return made


def test_what_fits_is_sent_as_it_comes() -> None:
    first, second = Hits([hit(1), hit(2)], 9), Hits([hit(3)], 9)
    assert all_of(batches_of(FakeStream(first, second))) == [(["n1", "n2"], 9, True), (["n3"], 9, False)]


def test_large_hits_come_in_several_messages_in_their_order() -> None:
    found = Hits([hit(number, 60) for number in range(1, 6)], 9)
    made = all_of(batches_of(FakeStream(found, Hits([], 9))))
    assert made == [([f"n{number}"], 9, True) for number in range(1, 6)] + [([], 9, False)]
    # The last message of all is the last half.
    made = all_of(batches_of(FakeStream(Hits([hit(number, 40) for number in range(1, 5)], 9))))
    assert made == [(["n1", "n2"], 9, True), (["n3", "n4"], 9, False)]


def test_no_more_is_made_ahead_than_fits_a_message() -> None:
    """Each hit may be as large as a message, and a hundred of them would not fit the memory."""
    large = Hits([hit(1, 1 << 20)], 9)
    batches = batches_of(FakeStream(large, Hits([hit(2, 1 << 20)], 9), Hits([hit(3), hit(4)], 9)))
    assert [len(batches.make(100)) for _ in range(3)] == [1, 1, 1]
    halved = batches_of(FakeStream(Hits([hit(1, 60), hit(2, 60)], 9), Hits([hit(3)], 9)))
    assert halved.make(100) == [(["n1"], 9, True)]
    assert halved.make(100) == [(["n2"], 9, True), (["n3"], 9, False)]


def test_what_no_division_makes_smaller_is_an_error() -> None:
    def encode(batch: Recalled) -> Sent:
        raise InvalidInput("too large", code="results_bytes", value=len(batch.hits))

    batches = RecallBatches(FakeStream(Hits([hit(1), hit(2)], 9)), encode, 0.0)  # type: ignore[arg-type]  # A model.
    with pytest.raises(InvalidInput) as caught:
        batches.make(0)
    assert caught.value.value == "1"


def test_a_reader_of_large_matches_knows_how_far_it_has_read() -> None:
    """Its generation goes on behind the hits that it has, so that it misses none if it follows anew from there."""
    batches = batches_of(FakeStream(matches=Hits([hit(11, 60), hit(14, 60), hit(17, 60)], 20)))
    polled = [batches.poll()]
    while batches.more:
        polled.append(batches.poll())
    assert polled == [(["n11"], 11, False), (["n14"], 14, False), (["n17"], 20, False)]
