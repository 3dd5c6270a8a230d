"""What cannot be stored is refused alone; the space goes on, and is as it says after it was opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput, SequenceError, Unavailable
from engram.model.observations import ObservationBatch
from engram.store import Between, Cue, Filter, MemoryStore, Space, Strength
from engram.store.commit.queue import CommitRequest, CommitResult
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.waiting import Outcomes

NESTED = '{"a":' * 964 + "1" + "}" * 964
HUGE = '{"a":' + "9" * 5000 + "}"


def request(space: Space, batch: ObservationBatch, done: Outcomes, session: str = "", first: int = 0) -> CommitRequest:
    return CommitRequest(space=space._engine, batch=batch, session=session, first_sequence=first, done=done)


def unencodable(*ids: str) -> ObservationBatch:
    """A batch whose texts the log cannot write, which whoever built it has not had checked."""
    return replace(batch_of(ids), contents=["\ud800"] * len(ids))


@contextmanager
def older_space(path: Path, stored: ObservationBatch, *, is_reopened: bool) -> Iterator[Space]:
    """A space that holds a batch of an older version: just stored, or opened again where it was stored before."""
    with MemoryStore(path) as store:
        space = store.space(dim=DIM)
        if not is_reopened:
            done = Outcomes()
            # Past the check, as a version without it did.
            store._engine.submit(request(space, stored, done))
            done.result()
        yield space


@pytest.mark.parametrize("position", [0, 1, 2, 6])
def test_a_request_that_cannot_be_encoded_is_refused_alone(tmp_path: Path, position: int) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space(dim=DIM)
        done = [Outcomes() for _ in range(7)]
        requests = [
            request(space, unencodable("bad") if n == position else batch_of([f"id-{n}"]), done[n]) for n in range(7)
        ]
        # As the committer does with what has queued.
        space._engine._writer.commit(requests)
        outcomes = [answer.next() for answer in done]
        error = outcomes.pop(position)
        assert isinstance(error, InvalidInput)
        assert error.code == "not_storable"
        assert [outcome.first_generation for outcome in outcomes if isinstance(outcome, CommitResult)] == [
            1,
            2,
            3,
            4,
            5,
            6,
        ]
        assert space.observe(["after"], vector_of("after")[None, :]) == 7
    with MemoryStore(tmp_path) as store:
        space = store.space()
        assert space.generation == 7
        assert space.get("bad") is None
        assert all(space.get(f"id-{n}") is not None for n in range(7) if n != position)


def test_a_session_whose_request_was_refused_goes_on_from_its_number() -> None:
    with MemoryStore(None) as store:
        space = store.space(dim=DIM)
        done = [Outcomes() for _ in range(3)]
        batches = [batch_of(["a"]), unencodable("b"), batch_of(["c"])]
        space._engine._writer.commit([request(space, batches[n], done[n], "s", n + 1) for n in range(3)])
        assert done[0].result().last_generation == 1
        assert done[1].error().code == "not_storable"
        gap = done[2].error()
        assert isinstance(gap, SequenceError)
        assert gap.expected_sequence == 2
        again = Outcomes()
        store._engine.submit(request(space, batch_of(["b"]), again, "s", 2))
        assert (again.result().last_generation, space._engine.durable_sequence("s")) == (2, 2)


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, RecursionError, KeyError])
def test_any_failure_before_the_write_leaves_the_space_usable(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    with MemoryStore(None) as store:
        space = store.space(dim=DIM)

        def fail(*_: Any) -> Any:
            raise kind("a bug")

        with monkeypatch.context() as patched:
            patched.setattr("engram.log.log.encode_record", fail)
            with pytest.raises(InvalidInput, match="nothing of it is"):
                space.observe(["a"], vector_of("a")[None, :])
            assert space.delete(["a"]) == 0
        assert (space.generation, space.observe(["a"], vector_of("a")[None, :])) == (0, 1)


def test_the_committer_outlives_a_failure_behind_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    with MemoryStore(None) as store:
        space, other = store.space(dim=DIM), store.space("other", dim=DIM)

        def fail(_: Space) -> None:
            raise RuntimeError("a bug")

        with monkeypatch.context() as patched:
            patched.setattr(space._engine, "_published", fail)
            assert space.observe(["a"], vector_of("a")[None, :]) == 1
        for where in (other, space):
            where.observe(["b"], vector_of("b")[None, :])
        assert sorted(hit.id for hit in space.recall(vector_of("a"))) == ["a", "b"]


def test_a_closed_log_refuses_by_its_name() -> None:
    with MemoryStore(None) as store:
        space = store.space(dim=DIM)
        done = [Outcomes(), Outcomes()]
        space._engine._state.log.close()
        space._engine._writer.commit([request(space, batch_of(["a"]), answer) for answer in done])
        assert [type(answer.error()) for answer in done] == [FailedPrecondition] * 2


def test_a_failure_after_the_write_began_makes_the_space_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    with MemoryStore(None) as store:
        space = store.space(dim=DIM)

        def fail(*_: Any) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(space._engine._state.attributes, "add", fail)
        with pytest.raises(Unavailable, match="until it is reopened"):
            space.observe(["a"], vector_of("a")[None, :])
        with pytest.raises(Unavailable):
            space.observe(["b"], vector_of("b")[None, :])


@pytest.mark.parametrize("name", ["times_us", "confidences", "importances"])
@pytest.mark.parametrize("shape", [(3, 1), (3, 4), (2,)])
def test_a_batch_that_was_never_checked_is_refused_at_the_queue(name: str, shape: tuple[int, ...]) -> None:
    with MemoryStore(None) as store:
        space = store.space(dim=DIM)
        batch = batch_of(["a", "b", "c"])
        wrong: dict[str, Any] = {name: np.zeros(shape, getattr(batch, name).dtype)}
        with pytest.raises(InvalidInput) as caught:
            store._engine.submit(request(space, replace(batch, **wrong), Outcomes()))
        assert caught.value.field == name
        assert space.observe(["d"], vector_of("d")[None, :]) == 1


@pytest.mark.parametrize("metadata", [NESTED, HUGE, '{"a":NaN}', '{"a":1,"a":2}', '{"a":"\\ud800"}', "[1]", "{"])
def test_what_an_older_version_stored_opens_is_served_and_not_filtered_by(tmp_path: Path, metadata: str) -> None:
    stored = replace(batch_of(["old", "beside"]), metadata=[metadata, '{"k":1}'])
    for reopened in (False, True):
        with older_space(tmp_path, stored, is_reopened=reopened) as space:
            assert {hit.id: hit.content for hit in space.recall(vector_of("old"))} == dict(
                zip(stored.ids, stored.contents, strict=True)
            )
            filtered = Cue(vector_of("old"), filter=Filter(metadata={"k": Between(0, 2)}))
            assert [hit.id for hit in space.recall(filtered)] == ["beside"]
            hit = space.get("old")
            assert hit is not None
            assert isinstance(hit.metadata, dict)
            assert space.observe([f"new-{reopened}"], vector_of("new")[None, :])
            space.delete([f"new-{reopened}"])


@pytest.mark.parametrize("time_us", [2**63 - 1, -(2**63), 10**18, -(10**18)])
def test_times_that_an_older_version_stored_do_not_fail_a_recall(tmp_path: Path, time_us: int) -> None:
    stored = replace(batch_of(["old", "beside"]), times_us=np.array([time_us, 0]))
    for reopened in (False, True):
        with older_space(tmp_path, stored, is_reopened=reopened) as space:
            hits = space.recall(vector_of("old"))
            assert {hit.id: hit.time_us for hit in hits} == {"old": time_us, "beside": 0}
            assert all(hit.age_s >= 0 for hit in hits)
            strong = space.recall(vector_of("old"), strength=Strength(reinforce=False))
            assert all(hit.strength is not None and 0 <= hit.strength <= 1 for hit in strong)
            assert [hit.id for hit in space.recall(Cue(filter=Filter(since=-1, until=1)))] == ["beside"]


def test_every_error_of_a_refused_request_is_the_callers_own() -> None:
    with MemoryStore(None) as store:
        space = store.space(dim=DIM)
        done = [Outcomes(), Outcomes()]
        space._engine._writer.commit([request(space, unencodable(f"{n}"), answer) for n, answer in enumerate(done)])
        errors: list[EngramError] = [answer.error() for answer in done]
        assert errors[0] is not errors[1]


class Careless:
    """An embedder that makes what it is told to."""

    name = "careless"
    dim = DIM

    def __init__(self) -> None:
        self.make: Callable[[Sequence[str]], Any] = lambda texts: np.ones((len(texts), DIM))

    def embed(self, texts: Sequence[str]) -> Any:
        return self.make(texts)


def _fail(texts: Sequence[str]) -> Any:
    raise OSError("the model is gone")


@pytest.mark.parametrize(
    "make",
    [
        _fail,
        lambda texts: None,
        lambda texts: np.ones((1, DIM)),
        lambda texts: np.ones((len(texts), 3)),
        lambda texts: texts,
    ],
)
def test_an_embedder_that_fails_refuses_what_it_was_asked_for(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Careless()
    monkeypatch.setattr("engram.store.recall.search.get_embedder", lambda name, dim: embedder)
    with MemoryStore(None) as store:
        space = store.space(dim=DIM)
        space.observe(["a", "b"], contents=["one", "two"])
        embedder.make = make
        with pytest.raises(FailedPrecondition, match="embedder"):
            space.observe(["c", "d"], contents=["three", "four"])
        embedder.make = Careless().make
        assert space.observe(["e"], contents=["five"]) == 3
        assert len(space.recall("one")) == 3
