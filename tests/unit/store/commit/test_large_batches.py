"""Batches of any size become as many commits as they need, and one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput, OverCapacity
from engram.model.ack import Ack
from engram.model.batches.text_sizes import TextSizes
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.commit.large_batches import observe_all, submit_all
from engram.store.commit.queue import CommitResult
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import TIMEOUT_S

COUNT = 2 * BATCH_COUNT_MAX + 1
CONFIG = SpaceConfig("notes", DIM)


class FakeEngine:
    """An engine that stores what it is given, in order, until a test says otherwise."""

    config = CONFIG
    text_sizes = TextSizes()

    def __init__(self, rows_max: int = BATCH_COUNT_MAX) -> None:
        self.rows_max = rows_max
        self.stored: list[int] = []
        self.refusals: dict[int, EngramError] = {}
        self.failures: dict[int, EngramError] = {}
        self.answers: list[Future[Ack]] = []

    def prepare(self, batch: ObservationBatch) -> ObservationBatch:
        if len(batch) > self.rows_max:
            raise InvalidInput("too large", code="batch_bytes")
        return batch

    def _store(self, batch: ObservationBatch) -> Ack | EngramError:
        number = len(self.stored)
        if number in self.refusals:
            raise self.refusals[number]
        first = sum(self.stored) + 1
        self.stored.append(len(batch))
        return self.failures.get(number) or Ack(0, 0, first, first + len(batch) - 1)

    def submit(self, batch: ObservationBatch) -> Future[CommitResult]:
        answer: Future[Any] = Future()
        outcome = self._store(batch)
        if isinstance(outcome, EngramError):
            answer.set_exception(outcome)
        else:
            answer.set_result(CommitResult(outcome.first_generation, outcome.last_generation, len(batch)))
        return answer

    def submit_answered(self, batch: ObservationBatch, made_ids: Sequence[str] = ()) -> Future[Ack]:
        answer: Future[Ack] = Future()
        outcome = self._store(batch)
        if isinstance(outcome, EngramError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome.with_ids(made_ids))
        self.answers.append(answer)
        return answer


def batch_of(count: int, *, last: float = 1.0) -> ObservationBatch:
    vectors = np.ones((count, DIM), np.float32)
    vectors[-1] = last
    return make_batch([f"id-{row}" for row in range(count)], vectors)


def engine_of(engine: FakeEngine) -> Any:
    return lambda: engine


def stored(engine: FakeEngine, batch: ObservationBatch, call: str) -> Ack:
    if call == "observe":
        return observe_all(engine_of(engine), batch)
    return submit_all(engine_of(engine), batch).result(TIMEOUT_S)


CALLS = pytest.mark.parametrize("call", ["observe", "submit"])


@CALLS
def test_more_rows_than_one_commit_has_are_stored_in_parts_in_their_order(call: str) -> None:
    engine = FakeEngine()
    ack = stored(engine, batch_of(COUNT), call)
    assert engine.stored == [BATCH_COUNT_MAX, BATCH_COUNT_MAX, 1]
    assert (ack.first_generation, ack.last_generation, ack.count, ack.exact, int(ack)) == (1, COUNT, COUNT, True, COUNT)


@CALLS
def test_what_has_too_many_bytes_is_halved_as_often_as_it_takes(call: str) -> None:
    engine = FakeEngine(rows_max=3)
    assert stored(engine, batch_of(10), call).count == 10
    assert engine.stored == [2, 3, 2, 3]


@CALLS
def test_a_batch_that_fits_is_one_commit(call: str) -> None:
    engine = FakeEngine()
    assert stored(engine, batch_of(7), call) == Ack(0, 0, 1, 7)
    assert engine.stored == [7]


@pytest.mark.parametrize("count", [1, 7, COUNT])
def test_the_answer_has_all_ids_that_were_made_up(count: int) -> None:
    batch = batch_of(count)
    ack = submit_all(engine_of(FakeEngine()), batch, batch.ids).result(TIMEOUT_S)
    assert (ack.count, list(ack.ids)) == (count, list(batch.ids))


@CALLS
def test_nothing_is_stored_of_a_batch_with_one_bad_row(call: str) -> None:
    engine = FakeEngine()
    with pytest.raises(InvalidInput) as caught:
        stored(engine, batch_of(COUNT, last=np.nan), call)
    assert (caught.value.code, caught.value.field) == ("not_finite", f"embedding[{COUNT - 1}][0]")
    assert (engine.stored, caught.value.stored_count) == ([], 0)


@CALLS
def test_a_failure_says_how_many_are_stored_all_the_same(call: str) -> None:
    engine = FakeEngine()
    engine.failures[1] = FailedPrecondition("closed", code="store_closed")
    with pytest.raises(FailedPrecondition) as caught:
        stored(engine, batch_of(COUNT), call)
    assert (caught.value.code, caught.value.stored_count) == ("store_closed", BATCH_COUNT_MAX)


def test_what_finds_no_room_at_first_is_refused_and_later_is_told_by_the_future() -> None:
    full = OverCapacity("full", code="tail_observations")
    engine = FakeEngine()
    engine.refusals[0] = full
    with pytest.raises(OverCapacity) as caught:
        submit_all(engine_of(engine), batch_of(COUNT))
    assert caught.value.stored_count == 0
    engine = FakeEngine()
    engine.refusals[2] = full
    error = submit_all(engine_of(engine), batch_of(COUNT)).exception(TIMEOUT_S)
    assert isinstance(error, OverCapacity)
    assert (error.code, error.stored_count) == ("tail_observations", 2 * BATCH_COUNT_MAX)
    assert engine.stored == [BATCH_COUNT_MAX] * 2


@pytest.fixture
def space() -> Iterator[Space]:
    options = StoreOptions(content_bytes_max=100_000, metadata_bytes_max=1000)
    with MemoryStore(None, options=options) as store:
        yield store.space("notes", dim=DIM)


def test_a_space_stores_any_number_of_observations_and_bytes(space: Space) -> None:
    names = [f"id-{row}" for row in range(BATCH_COUNT_MAX + 5)]
    random = np.random.default_rng(5)
    ack = space.observe(names, random.standard_normal((len(names), DIM)))
    assert (ack.count, len(space), ack.exact) == (len(names), len(names), True)
    large = [f"large-{row}" for row in range(400)]
    future = space.submit(large, random.standard_normal((400, DIM)), ["x" * 100_000] * 400)
    assert future.result(TIMEOUT_S).count == 400
    assert [hit.content for hit in space.get(large[::100]) if hit is not None] == ["x" * 100_000] * 4
    assert space.delete([*names, *names, *large]) == len(names) + 400


@pytest.mark.parametrize(
    ("columns", "code"),
    [({"content": "x" * 100_001}, "content_size"), ({"metadata": {"k": "x" * 993}}, "metadata_size")],
)
def test_how_large_texts_and_metadata_may_be_is_a_setting(space: Space, columns: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        space.observe("a", vector_of("a"), **columns)
    assert caught.value.code == code
    fitting: dict[str, Any] = {
        name: value[:-1] if isinstance(value, str) else {"k": "x" * 992} for name, value in columns.items()
    }
    space.observe("a", vector_of("a"), **fitting)
    with pytest.raises(InvalidInput) as caught:
        space.update("a", **columns)
    assert caught.value.code == code
