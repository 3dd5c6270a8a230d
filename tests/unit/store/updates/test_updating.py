"""Updates of an embedded space: what stays is read back, and nothing that others write meanwhile is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput, NotFound, OverCapacity, Unavailable
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.updates import updating
from tests.doubles.batches import DIM, batch_of, content_of
from tests.doubles.waiting import wait_until_indexed


@pytest.fixture(params=["file", "memory"])
def space(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Space]:
    with MemoryStore(tmp_path / "data" if request.param == "file" else None) as store:
        yield store.space("notes", dim=DIM)


def observe(space: Space, *ids: str, version: int = 0) -> None:
    engine = space._engine
    engine.submit(engine.prepare(batch_of(ids, version))).result()


def facts(space: Space, ids: list[str]) -> list[list[Any]]:
    """What each observation has: id, text, time, confidence, importance, metadata, tags and vector."""
    return [
        [
            hit.id,
            hit.content,
            hit.time_us,
            hit.confidence,
            hit.importance,
            hit.metadata,
            hit.tags,
            np.asarray(hit.vector).tolist(),
        ]
        for hit in space.get(ids, include_vectors=True)
        if hit is not None
    ]


def test_rows_keep_their_own_values_whatever_their_order_and_records(space: Space) -> None:
    for number, count in enumerate((1, 3, 100, 2)):
        observe(space, *[f"{number}-{row}" for row in range(count)], version=number)
    observe(space, "2-5", "0-0", version=9)
    ids = [f"{number}-{row}" for number, count in enumerate((1, 3, 100, 2)) for row in range(count)]
    Random(7).shuffle(ids)
    before = facts(space, ids)
    shares = [float(share) for share in np.linspace(0, 1, len(ids), dtype=np.float32)]
    ack = space.update(ids, importances=shares)
    assert (ack.first_generation, ack.count) == (109, len(ids))
    assert facts(space, ids) == [[*row[:4], share, *row[5:]] for row, share in zip(before, shares, strict=True)]
    assert [hit.generation for hit in space.get(ids) if hit is not None] == list(range(109, 109 + len(ids)))
    wait_until_indexed(space)
    (best,) = space.recall(np.array(before[3][-1], np.float32), k=1)
    assert best.id == ids[3]


def test_each_column_may_change_alone_and_stays_otherwise(space: Space) -> None:
    observe(space, "a", "b")
    before = facts(space, ["a", "b"])
    changes: list[tuple[int, dict[str, Any], list[Any]]] = [
        (1, {"contents": ["x", ""]}, ["x", ""]),
        (2, {"timestamps": [1, 2.5]}, [1_000_000, 2_500_000]),
        (3, {"confidences": [0.5, 1]}, [0.5, 1.0]),
        (4, {"importances": [0.5, 0]}, [0.5, 0.0]),
        (5, {"metadata": [{"version": None}, None]}, [{"id": "a"}, {"id": "b", "version": 0}]),
        (6, {"tags": [[], ["t"]]}, [[], ["t"]]),
        (7, {"vectors": np.eye(2, DIM)}, np.eye(2, DIM).tolist()),
    ]
    for place, named, values in changes:
        space.update(["a", "b"], **named)
        before = [[*row[:place], value, *row[place + 1 :]] for row, value in zip(before, values, strict=True)]
        assert facts(space, ["a", "b"]) == before


def test_an_update_outlives_the_end_of_the_store(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        observe(space, "a", "b")
        ack = space.update("a", metadata={"n": 1}, tags=["t"])
        before = facts(space, ["a", "b"])
    with MemoryStore(tmp_path) as store:
        space = store.space("notes")
        assert facts(space, ["a", "b"]) == before
        assert space.update("a", content="later") == ack + 1
        assert space.observe("a", np.ones(DIM), expected_generations=ack + 1) == ack + 2
        with pytest.raises(FailedPrecondition, match="generation 5"):
            space.observe("a", np.ones(DIM), expected_generations=ack)


def test_a_space_that_rests_is_opened_for_an_update(tmp_path: Path) -> None:
    options = StoreOptions(open_spaces_max=1, spaces_at_start_max=0, workers=1, scrub_bytes_per_s=0)
    with MemoryStore(tmp_path, options=options) as store:
        spaces = [store.space(name, dim=DIM) for name in ("one", "two")]
        for space in spaces:
            space.observe("a", np.ones(DIM), "of both", if_absent=True)
        for _ in range(2):
            for space in spaces:
                space.update("a", metadata={f"{space.generation}": space.name})
        for space in spaces:
            hit = space.get("a")
            assert hit is not None
            assert (hit.content, hit.metadata) == ("of both", {"1": space.name, "2": space.name})


def interfering(
    monkeypatch: pytest.MonkeyPatch, times: int, interfere: Any, *, instead: EngramError | None = None
) -> list[int]:
    """Have something happen right after an update has read what it changes, or have that fail; count how often."""
    read, done = vars(updating)["read_columns"], list[int]()

    def reading(*arguments: Any, **keywords: Any) -> Any:
        columns = read(*arguments, **keywords)
        if len(done) < times:
            done.append(len(done))
            interfere(len(done))
            if instead is not None:
                raise instead
        return columns

    monkeypatch.setattr(updating, "read_columns", reading)
    return done


def test_what_others_write_meanwhile_is_kept(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    observe(space, "a", "b")
    interfering(monkeypatch, 3, lambda number: observe(space, "a", version=number))
    assert space.update(["b", "a"], metadata=[None, {"n": 1}]) == 2 + 3 + 2
    hit = space.get("a")
    assert hit is not None
    assert (hit.content, hit.metadata) == (content_of("a", 3), {"id": "a", "version": 3, "n": 1})


def test_what_is_deleted_meanwhile_does_not_come_back(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    observe(space, "a", "b")
    interfering(monkeypatch, 1, lambda _: space.delete(["a"]))
    with pytest.raises(NotFound) as refused:
        space.update(["b", "a"], contents=["x", "y"])
    assert (refused.value.code, refused.value.field) == ("missing_ids", "ids[1]")
    # Of a part of a larger update, it is not said that nothing at all is updated.
    assert refused.value.message.endswith("none of the 2 is updated")
    assert [hit.content for hit in space.get(["a", "b"]) if hit is not None] == [content_of("b")]


@pytest.mark.parametrize(
    "error", [FailedPrecondition("dropped", code="snapshot_expired"), Unavailable("erased", code="erased")]
)
def test_what_is_dropped_while_it_is_read_is_read_again(
    space: Space, error: EngramError, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe(space, "a")
    done = interfering(monkeypatch, 2, lambda _: None, instead=error)
    assert space.update("a", content="x") == 2
    assert len(done) == 2


def test_who_is_always_too_late_is_told(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updating, "UPDATE_ATTEMPTS_MAX", 3)
    observe(space, "a")
    done = interfering(monkeypatch, 9, lambda number: observe(space, "a", version=number))
    with pytest.raises(OverCapacity) as refused:
        space.update("a", content="x")
    assert (refused.value.code, refused.value.limit, len(done)) == ("contended", "3", 3)
    assert refused.value.retry_after_ms
    hit = space.get("a")
    assert hit is not None
    assert (hit.content, hit.generation) == (content_of("a", 3), 4)


def test_other_errors_are_told_at_once(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    observe(space, "a")
    done = interfering(monkeypatch, 9, lambda _: None, instead=Unavailable("no disk", code="disk_full"))
    with pytest.raises(Unavailable, match="no disk"):
        space.update("a", content="x")
    assert len(done) == 1


def test_what_is_more_than_a_batch_may_have_is_divided(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"id-{row}" for row in range(20)]
    observe(space, *ids)
    monkeypatch.setattr("engram.model.batches.checks.BATCH_BYTES_MAX", 20 * DIM * 4 + 100)
    assert space.update(ids, importances=[0.25] * 20) == 40
    assert [hit.importance for hit in space.get(ids) if hit is not None] == [0.25] * 20
    # One observation cannot be divided.
    monkeypatch.setattr("engram.model.batches.checks.BATCH_BYTES_MAX", DIM * 4 - 1)
    with pytest.raises(InvalidInput) as refused:
        space.update(ids[0], importance=1)
    assert (refused.value.code, refused.value.stored_count, space.generation) == ("batch_bytes", 0, 40)


def test_merged_metadata_keep_their_limits(space: Space) -> None:
    space.observe("a", np.ones(DIM), metadata={f"key-{number}": "x" * 16_000 for number in range(60)})
    with pytest.raises(InvalidInput) as refused:
        space.update("a", metadata={f"more-{number}": "x" * 16_000 for number in range(10)})
    assert refused.value.code == "metadata_size"
    assert space.generation == 1
