"""Checks recalls the way Jepsen checks databases: act at random and at once, note every answer, then replay.

Writers observe, supersede and delete the same few ids; readers recall now and at random generations, with and without
conditions, whole and in streams they read slowly; followers stand. Nothing is compared while it runs. Afterwards the
acknowledgements, put in the order of their generations, say what was alive at each generation, and every answer has to
be exactly what follows from that. What the retention of the space does not cover may be refused, and nothing else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc
import numpy as np
from numpy.typing import NDArray

from engram.model.cue import Cue, Filter
from engram.model.observations import make_batch
from engram.wire import engram_pb2 as pb
from engram.wire.cues import encode_cue
from engram.wire.grpc_status import decode_status
from engram.wire.observations import encode_batch
from tests.integration.server_process import DIM, EOF, TIMEOUT_S

IDS = [f"id-{number}" for number in range(60)]
TAGS = ("red", "green", "blue")
CUES = np.random.default_rng(7).standard_normal((8, DIM)).astype(np.float32)
SIMILAR = 0.25
# Scores are compared in float32, and the server may add in another order.
TOLERANCE = 1e-5
# Retention drops versions by the generations that ended them, so many at a time.
ENDED_TOGETHER = 256
OBSERVED_MAX = 5


class Written(NamedTuple):
    """An acknowledged change: an observation, or, without a vector, a deletion."""

    generation: int
    id: str
    vector: NDArray[np.float32] | None
    tag: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answered recall."""

    cue: int
    tag: str
    count_max: int
    acked_before: int
    snapshots: frozenset[int]
    hits: Sequence[tuple[int, str, float]]


@dataclass(frozen=True, slots=True)
class Refused:
    """A recall as of a generation that was no longer retained.

    Parameters
    ----------
    generation, oldest
        What was asked for, and the oldest generation that was retained, according to the refusal.
    newest_max
        No later generation had been given by then.
    """

    generation: int
    oldest: int
    newest_max: int


@dataclass(slots=True)
class Retention:
    """Everything that was acknowledged or answered."""

    written: list[Written] = field(default_factory=list)
    recalled: list[Recalled] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    followed: dict[int, list[int]] = field(default_factory=dict)
    acked: int = 0

    def note(self, changes: Sequence[Written]) -> None:
        """Add acknowledged changes."""
        self.written.extend(changes)
        self.acked = max(self.acked, changes[-1].generation)


class Checker:
    """Acts on a space, and checks what was answered.

    Parameters
    ----------
    stub
        The service.
    space
        An empty space.
    seed
        Of the actions; what runs at once still differs from run to run.
    dead_count
        How many dead versions the space retains at least, and about how far back recalls go; None: everything is
        retained and recalled.
    """

    def __init__(self, stub: Any, space: str, seed: int, dead_count: int | None = None) -> None:
        self._stub = stub
        self._space = space
        self._dead_count = dead_count
        self._written_at_once = 0
        self._random = random.Random(seed)
        self._vectors = np.random.default_rng(seed)
        self._left = 0
        self.history = Retention()

    async def run(self, recalls: int, writers: int = 3, readers: int = 6, subscriptions: int = 2) -> None:
        """Make `recalls` recalls beside writers."""
        self._left = recalls
        self._written_at_once = OBSERVED_MAX * writers
        await self._observe(10)
        writing = [asyncio.create_task(self._write()) for _ in range(writers)]
        following = [asyncio.create_task(self._follow(cue)) for cue in range(subscriptions)]
        await asyncio.gather(*(self._read() for _ in range(readers)))
        await asyncio.gather(*writing)
        # Every follower sees the last one, which fits all their cues, after all others.
        for cue in range(subscriptions):
            await self._remember(["last"], [CUES[cue]], "")
        await asyncio.wait_for(asyncio.gather(*following), TIMEOUT_S)

    async def _write(self) -> None:
        while self._left > 0:
            if self._random.random() < 0.3:
                await self._forget(self._random.choice(IDS))
            else:
                await self._observe(self._random.randint(1, OBSERVED_MAX))

    async def _observe(self, count: int) -> None:
        vectors = list(self._vectors.standard_normal((count, DIM)).astype(np.float32))
        await self._remember(self._random.choices(IDS, k=count), vectors, self._random.choice(TAGS))

    async def _remember(self, ids: Sequence[str], vectors: Sequence[NDArray[np.float32]], tag: str) -> None:
        batch = make_batch(ids, np.stack(vectors), tags=[[tag] if tag else []] * len(ids))
        request = pb.RememberRequest(memory_space_id=self._space, batch=encode_batch(batch))
        answer = await self._stub.Remember(request, timeout=TIMEOUT_S)
        assert answer.last_generation - answer.first_generation + 1 == len(ids)
        generations = range(answer.first_generation, answer.last_generation + 1)
        self.history.note([Written(*row, tag) for row in zip(generations, ids, vectors, strict=True)])

    async def _forget(self, id: str) -> None:
        answer = await self._stub.Forget(pb.ForgetRequest(memory_space_id=self._space, ids=[id]), timeout=TIMEOUT_S)
        if answer.forgotten:
            self.history.note([Written(answer.generation, id, None, "")])

    async def _read(self) -> None:
        while self._left > 0:
            self._left -= 1
            acked = self.history.acked
            oldest = 1 if self._dead_count is None else max(1, acked - self._dead_count)
            generation = self._random.choice([0, 0, acked, self._random.randint(oldest, acked)])
            cue, tag = self._random.randrange(len(CUES)), self._random.choice(["", "", *TAGS])
            count_max = self._random.choice([1, 5, 1000])
            try:
                answers = await self._recall(cue, tag, count_max, generation)
            except grpc.aio.AioRpcError as failure:
                self.history.refused.append(self._refusal(failure, generation))
                continue
            hits = [(m.generation, m.id, m.score) for answer in answers for m in answer.results]
            snapshots = frozenset(answer.snapshot_sequence for answer in answers)
            assert not generation or snapshots == {generation}
            self.history.recalled.append(Recalled(cue, tag, count_max, 0 if generation else acked, snapshots, hits))

    def _refusal(self, failure: grpc.aio.AioRpcError, generation: int) -> Refused:
        error = decode_status(failure.code(), failure.details(), failure.trailing_metadata())  # type: ignore[arg-type]
        if error.code != "snapshot_expired":
            raise failure
        return Refused(generation, int(error.limit), self.history.acked + self._written_at_once)

    async def _recall(self, cue: int, tag: str, count_max: int, generation: int) -> list[Any]:
        message = encode_cue(Cue(CUES[cue], filter=Filter(tags=frozenset({tag} if tag else ()))))
        if self._random.random() < 0.3:
            request = pb.RecallRequest(
                memory_space_id=self._space, cue=message, max_results=count_max, max_generation=generation or None
            )
            return [await self._stub.Recall(request, timeout=TIMEOUT_S)]
        call = self._stub.RecallStream(
            pb.StreamingRecallRequest(
                memory_space_id=self._space,
                cue=message,
                max_results=count_max,
                max_generation=generation or None,
                batch_size=self._random.choice([3, 10, 100]),
            ),
            timeout=TIMEOUT_S,
        )
        # A stream is refused at once or never: what it needs is retained while it is read.
        answers = [await call.read()]
        try:
            while answers[-1] is not EOF:
                # Lets writers in between the batches.
                await asyncio.sleep(0)
                answers.append(await call.read())
        except grpc.aio.AioRpcError as failure:
            raise AssertionError(f"a stream ended in the middle: {failure}") from failure
        return answers[:-1]

    async def _follow(self, cue: int) -> None:
        request = pb.StreamingRecallRequest(
            memory_space_id=self._space,
            cue=encode_cue(Cue(CUES[cue], score_min=SIMILAR)),
            max_results=1,
            max_generation=1,
            follow=True,
        )
        call = self._stub.RecallStream(request)
        found = self.history.followed.setdefault(cue, [])
        ended = False
        first = True
        while not ended:
            answer = await call.read()
            if not first:
                found += [memory.generation for memory in answer.results]
                ended = any(m.id == "last" and m.score > 1 - TOLERANCE for m in answer.results)
            first = first and answer.more_results
        call.cancel()


class Model:
    """What was alive at each generation, according to the acknowledgements."""

    def __init__(self, written: Sequence[Written]) -> None:
        self.written = sorted(written)
        generations = [change.generation for change in self.written]
        assert generations == list(range(1, len(generations) + 1)), "generations are lost or given twice"
        # Alive from its own generation on, and up to the one before this.
        self.ends = np.full(len(self.written) + 1, np.iinfo(np.int64).max)
        latest: dict[str, int] = {}
        for change in self.written:
            if change.id in latest:
                self.ends[latest.pop(change.id)] = change.generation
            if change.vector is not None:
                latest[change.id] = change.generation
        vectors = np.stack([np.zeros(DIM) if change.vector is None else change.vector for change in self.written])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = np.divide(vectors, norms, out=np.zeros_like(vectors, dtype=float), where=norms > 0)
        self.scores = unit @ (CUES / np.linalg.norm(CUES, axis=1, keepdims=True)).T
        self.observed = np.array([change.vector is not None for change in self.written])
        self.tags = np.array([change.tag for change in self.written])

    def alive(self, generation: int, tag: str) -> NDArray[np.int64]:
        """The generations alive at `generation` that have `tag`, or any if that is empty."""
        rows = slice(0, generation)
        alive = self.observed[rows] & (self.ends[1 : generation + 1] > generation)
        if tag:
            alive &= self.tags[rows] == tag
        return np.flatnonzero(alive) + 1


def check(history: Retention, dead_count: int | None = None) -> None:
    """Fail if any answer is not what the acknowledgements say, or refused although it is retained."""
    model = Model(history.written)
    for recalled in history.recalled:
        _check_recall(model, recalled)
    for refused in history.refused:
        assert dead_count is not None, f"refused, and everything is retained: {refused}"
        _check_refusal(model, refused, dead_count)
    for cue, found in history.followed.items():
        fits = model.observed & (model.scores[:, cue] >= SIMILAR)
        expected = [generation for generation in (np.flatnonzero(fits) + 1).tolist() if generation > 1]
        assert found == expected[: len(found)], f"the follower of cue {cue} got something else"
        assert model.written[found[-1] - 1].id == "last"


def _check_refusal(model: Model, refused: Refused, dead_count: int) -> None:
    assert refused.generation < refused.oldest <= refused.newest_max, f"refused, and retained: {refused}"
    ended = (model.ends > refused.oldest - ENDED_TOGETHER) & (model.ends <= refused.newest_max)
    assert np.count_nonzero(ended) > dead_count, f"too little is retained: {refused}"


def _check_recall(model: Model, recalled: Recalled) -> None:
    assert len(recalled.snapshots) == 1, f"the snapshot changed within a stream: {recalled}"
    (snapshot,) = recalled.snapshots
    assert snapshot >= recalled.acked_before, f"acknowledged before, and not seen: {recalled}"
    alive = model.alive(snapshot, recalled.tag)
    scores = model.scores[:, recalled.cue]
    found = [generation for generation, _, _ in recalled.hits]
    assert len(set(found)) == len(found), f"handed out twice: {recalled}"
    assert not set(found) - set(alive.tolist()), f"phantoms: {recalled}"
    assert len(found) == min(recalled.count_max, len(alive)), f"losses: {recalled}"
    for generation, id, score in recalled.hits:
        assert model.written[generation - 1].id == id
        assert abs(scores[generation - 1] - score) < TOLERANCE
    # So few are compared exactly, so the best are the best.
    best = np.sort(scores[alive - 1])[::-1][: len(found)]
    assert np.allclose(np.sort(scores[np.array(found, dtype=int) - 1])[::-1], best, atol=TOLERANCE)
