"""Recalls of many cues by a client: in calls that a server takes, all as of the generation of the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engram.client.async_reader import AsyncReader
from engram.client.calls import Calls
from engram.errors import InvalidInput, OverCapacity
from engram.model.cue import Cue, Filter
from engram.model.filters.fields import Own
from engram.model.filters.filter_like import both
from engram.model.hit import Hits
from engram.model.limits import RESULTS_MAX
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.requests import Recall, RecallMany, StreamRecall
from engram.model.query import Recalled
from engram.model.strength import Strength
from tests.unit.wire.test_recalls import make_hit

MATRIX = np.arange(1, 2501, dtype=np.float32)[:, None]


class Answering:
    """A transport that answers each cue with a hit that has the number of its vector, and keeps what was asked."""

    address = "somewhere"

    def __init__(self, refuse: Callable[[RecallMany], Exception | None] = lambda request: None) -> None:
        self._refuse = refuse
        self.asked: list[Any] = []
        self.generation = 7
        # By which what is due is hidden in a call about now.
        self.due_us = 0

    def check(self) -> None:
        pass

    async def call(self, request: Any, timeout_s: float) -> Any:
        self.asked.append(request)
        common = request.query if isinstance(request, Recall) else request.query.common
        generation = self.generation if common.max_generation is None else common.max_generation
        self.generation += 1
        if isinstance(request, Recall):
            return Recalled([named(request.query.cue)], generation, 1, 0.0)
        refusal = self._refuse(request)
        if refusal is not None:
            raise refusal
        cues, due_us = request.query.cues, request.query.due_us or self.due_us
        results = [Hits([named(cues.one(row))], generation) for row in range(len(cues))]
        return ManyRecalled(results, generation, due_us)

    def sizes(self) -> list[int]:
        return [len(request.query.cues) for request in self.asked if isinstance(request, RecallMany)]


def named(cue: Cue) -> Any:
    return make_hit("none" if cue.vector is None else f"{int(np.asarray(cue.vector)[0])}")


def client_of(transport: Any) -> AsyncReader:
    return AsyncReader(Calls(transport, 60.0), "notes")


def beyond(count: int, code: str) -> Callable[[RecallMany], Exception | None]:
    """Refuses requests with more than so many cues."""

    def refuse(request: RecallMany) -> Exception | None:
        return InvalidInput("too large", code=code, field="cues") if len(request.query.cues) > count else None

    return refuse


def ids(found: list[Hits]) -> list[str]:
    return [hit.id for hits in found for hit in hits]


async def test_a_thousand_cues_are_asked_for_at_a_time() -> None:
    transport = Answering()
    found = await client_of(transport).recall_many(MATRIX, 3, filter=Filter(tags={"x"}), snapshot_time=5)
    assert transport.sizes() == [1000, 1000, 500]
    assert ids(found) == [f"{number}" for number in range(1, 2501)]
    first, *others = [request.query.common for request in transport.asked]
    assert (first.max_generation, first.snapshot_us, first.k) == (None, 5_000_000, 3)
    for common in others:
        assert (common.max_generation, common.snapshot_us, common.k) == (7, None, 3)
        assert common.cue.conditions == Filter(tags={"x"})


async def test_further_calls_hide_what_the_first_one_hid() -> None:
    transport = Answering(beyond(600, "results_bytes"))
    transport.due_us = 5_000_000
    await client_of(transport).recall_many(MATRIX)
    answered = [request.query for request in transport.asked if len(request.query.cues) <= 600]
    assert [query.due_us for query in answered] == [0, 5_000_000, 5_000_000, 5_000_000, 5_000_000]


async def test_no_cues_are_asked_for_too_so_that_the_other_arguments_are_checked() -> None:
    transport = Answering()
    assert await client_of(transport).recall_many([]) == []
    assert transport.sizes() == [0]


@pytest.mark.parametrize("code", ["results_bytes", "message_bytes"])
async def test_what_is_too_large_for_a_message_is_asked_for_in_parts(code: str) -> None:
    transport = Answering(beyond(2, code))
    found = await client_of(transport).recall_many(MATRIX[:7])
    assert transport.sizes() == [7, 3, 1, 2, 4, 2, 2]
    assert ids(found) == [f"{number}" for number in range(1, 8)]
    answered = [request for request in transport.asked if len(request.query.cues) <= 2]
    # The first one that was answered was the third one that was asked.
    assert [request.query.common.max_generation for request in answered] == [None, 9, 9, 9]


async def test_what_is_too_large_alone_is_recalled_alone() -> None:
    transport = Answering(beyond(0, "results_bytes"))
    found = await client_of(transport).recall_many([Cue(MATRIX[4]), "text"], include_vectors=True)
    # The generation is that of a recall of no cues.
    assert transport.sizes() == [2, 1, 0, 1]
    assert (ids(found), [hits.generation for hits in found]) == (["5", "none"], [9, 9])
    alone = [request.query for request in transport.asked if isinstance(request, Recall)]
    assert [query.include_vectors for query in alone] == [True, True]
    assert [query.max_generation for query in alone] == [9, 9]


async def test_what_is_recalled_alone_hides_what_the_other_parts_hide() -> None:
    transport = Answering(beyond(0, "results_bytes"))
    transport.due_us = 5_000_000
    await client_of(transport).recall_many([Cue(text="a", filter=Filter(tags={"x"})), "b"])
    first, second = [request.query.cue for request in transport.asked if isinstance(request, Recall)]
    assert first.conditions == both(Filter(tags={"x"}), ~(Own.expires_at <= 5))
    assert second.conditions == ~(Own.expires_at <= 5)


async def test_what_is_recalled_alone_of_a_snapshot_hides_nothing() -> None:
    transport = Answering(beyond(0, "results_bytes"))
    transport.due_us = 5_000_000
    await client_of(transport).recall_many(["a"], snapshot_time=5)
    (alone,) = [request.query for request in transport.asked if isinstance(request, Recall)]
    assert (transport.sizes(), alone.snapshot_us, alone.cue.conditions) == ([1], 5_000_000, Filter())


@pytest.mark.parametrize(
    ("options", "code"),
    [({"strength": Strength()}, "results_bytes"), ({}, "zero_vector")],
    ids=["it would reinforce twice", "it would be refused again"],
)
async def test_what_cannot_be_had_in_parts_is_refused(options: dict[str, Any], code: str) -> None:
    transport = Answering(beyond(2, code))
    with pytest.raises(InvalidInput) as refused:
        await client_of(transport).recall_many(MATRIX[:7], **options)
    assert (refused.value.code, transport.sizes()) == (code, [7])


async def test_a_single_cue_that_is_too_large_to_be_sent_is_refused() -> None:
    transport = Answering(beyond(0, "message_bytes"))
    with pytest.raises(InvalidInput) as refused:
        await client_of(transport).recall_many(MATRIX[:2])
    assert (refused.value.code, transport.sizes()) == ("message_bytes", [2, 1])


async def test_an_error_names_the_cue_among_all() -> None:
    def refuse(request: RecallMany) -> Exception | None:
        if int(np.asarray(request.query.cues.one(0).vector)[0]) == 2001:
            return InvalidInput("cues[3] is wrong", code="zero_vector", field="cues[3]")
        return None

    with pytest.raises(InvalidInput, match=r"cues\[2003\] is wrong") as refused:
        await client_of(Answering(refuse)).recall_many(MATRIX)
    assert refused.value.field == "cues[2003]"


async def test_a_full_server_is_asked_again() -> None:
    refusals: list[Exception] = [OverCapacity("too many recalls wait", retry_after_ms=1)]
    transport = Answering(lambda request: refusals.pop() if refusals else None)
    assert ids(await client_of(transport).recall_many(MATRIX[:2])) == ["1", "2"]
    assert transport.sizes() == [2, 2]


class Streaming(Answering):
    """A transport that answers streamed recalls: with the hit of the cue, and one that has expired."""

    def stream(self, request: StreamRecall) -> Stream:
        self.asked.append(request)
        generation = request.query.max_generation or self.generation
        gone = make_hit("gone", expires_us=3_000_000)
        batches = [Recalled([hit], generation, 1, 0.0, more=True) for hit in (named(request.query.cue), gone)]
        return Stream([*batches, Recalled([], generation, 0, 0.0)])


class Stream:
    """One streamed recall, which has these batches."""

    def __init__(self, batches: list[Recalled]) -> None:
        self._batches = iter(batches)

    async def read(self) -> Recalled | None:
        return next(self._batches, None)

    def cancel(self) -> None:
        pass


async def test_more_hits_than_one_answer_has_are_fetched_for_one_cue_after_the_other() -> None:
    transport = Streaming()
    transport.due_us = 5_000_000
    found = await client_of(transport).recall_many(MATRIX[:3], RESULTS_MAX + 1, filter=Filter(tags={"x"}))
    assert [(hits[0].id, hits.generation) for hits in found] == [("1", 7), ("2", 7), ("3", 7)]
    # A recall of no cues tells the generation, and by which time all others have to hide what was due.
    first, *others = transport.asked
    assert (type(first), len(first.query.cues), first.query.common.k) == (RecallMany, 0, 1)
    assert [type(request) for request in others] == [StreamRecall] * 3
    assert [(each.query.k, each.query.max_generation) for each in others] == [(RESULTS_MAX + 1, 7)] * 3
    hiding = both(Filter(tags={"x"}), ~(Own.expires_at <= 5))
    assert all(each.query.cue.conditions == hiding for each in others)
    assert await client_of(Streaming()).recall_many([], RESULTS_MAX + 1) == []


async def test_so_many_hits_of_a_time_are_all_of_the_generation_of_the_first() -> None:
    transport = Streaming()
    await client_of(transport).recall_many(MATRIX[:2], RESULTS_MAX + 1, snapshot_time=5)
    first, second = [request.query for request in transport.asked]
    assert (first.max_generation, first.snapshot_us) == (None, 5_000_000)
    assert (second.max_generation, second.snapshot_us) == (7, None)


async def test_a_recall_of_more_hits_than_one_answer_has_is_a_stream() -> None:
    transport = Streaming()
    hits = await client_of(transport).recall(MATRIX[0], RESULTS_MAX + 1)
    assert ([hit.id for hit in hits], hits.generation) == (["1", "gone"], 7)
    (request,) = transport.asked
    assert (type(request), request.query.batch_size, request.query.timeout_ms) == (StreamRecall, 100, None)
    await client_of(transport).recall(MATRIX[0], RESULTS_MAX)
    assert type(transport.asked[-1]) is Recall


async def test_nothing_found_has_a_generation_too() -> None:
    class Empty(Streaming):
        def stream(self, request: StreamRecall) -> Stream:
            return Stream([Recalled([], 9, 0, 0.0)])

    hits = await client_of(Empty()).recall(MATRIX[0], RESULTS_MAX + 1)
    assert (hits, hits.generation) == ([], 9)
