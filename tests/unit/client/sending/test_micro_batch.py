"""Single observations: what is copied, what is checked when, and what becomes of a bad one among good ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engram.client.sending.micro_batch import OpenBatch, seal, settle_rows
from engram.client.sending.outgoing_batch import Answer
from engram.errors import FailedPrecondition, InvalidInput
from engram.model.ack import Ack
from engram.model.columns import COLUMNS
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig
from engram.text.embeddable import check_embeddable
from tests.doubles.batches import row_of

CONFIG = SpaceConfig("test", dim=8)
WITH_EMBEDDER = SpaceConfig("test", dim=8, embedder="lexical")
VECTOR = np.ones(8, np.float32)


def rows_of(*vectors: Any, config: SpaceConfig = CONFIG) -> tuple[OpenBatch, list[Answer | None]]:
    rows = OpenBatch(index=0, opened_s=0.0)
    answers: list[Answer | None] = []
    for number, vector in enumerate(vectors):
        answers.append(None)

        def settle(answer: Answer, /, number: int = number) -> None:
            answers[number] = answer

        rows.append(row_of(config, f"id-{number}", vector, f"text {number}"), settle)
    return rows, answers


def sent(column: str, **fields: Any) -> Any:
    """A column of the batch that one row makes."""
    rows = OpenBatch(index=0, opened_s=0.0)
    rows.append(row_of(CONFIG, "a", VECTOR, "", **fields), lambda answer: None)
    return getattr(seal(rows, CONFIG, as_it_is).payload, column)


def as_it_is(batch: ObservationBatch) -> ObservationBatch:
    return batch


def test_the_callers_vector_is_copied() -> None:
    vector = VECTOR.copy()
    row = row_of(CONFIG, "a", vector, "")
    vector[:] = 7
    assert (row.vector == 1).all()


@pytest.mark.parametrize(
    ("timestamp", "time_us"),
    [(1.5, 1_500_000), (datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), 2_000_000), (-1, -1_000_000)],
)
def test_times_are_seconds_or_datetimes(timestamp: Any, time_us: int) -> None:
    assert sent("times_us", timestamp=timestamp).tolist() == [time_us]


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), "yesterday"])
def test_what_is_no_time_is_refused(timestamp: Any) -> None:
    with pytest.raises(InvalidInput, match="seconds since 1970"):
        row_of(CONFIG, "a", VECTOR, "", timestamp=timestamp)


@pytest.mark.parametrize("vector", [np.ones(7), np.ones((2, 8)), 3.0, []])
def test_a_vector_of_another_shape_is_refused_at_once(vector: Any) -> None:
    with pytest.raises(InvalidInput, match="has dimension 8") as caught:
        row_of(CONFIG, "a", vector, "")
    assert caught.value.code == "dimension_mismatch"


def test_what_is_no_vector_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="cannot be read as float32"):
        row_of(CONFIG, "a", ["x"] * 8, "")


def test_metadata_must_be_json() -> None:
    assert sent("metadata", metadata={"k": [1, "ä"]}) == ('{"k":[1,"ä"]}',)
    with pytest.raises(InvalidInput, match="not a JSON object"):
        row_of(CONFIG, "a", VECTOR, "", metadata={"k": object()})


def test_text_alone_needs_an_embedder() -> None:
    with pytest.raises(FailedPrecondition, match="has no embedder"):
        row_of(CONFIG, "a", None, "text")
    assert row_of(WITH_EMBEDDER, "a", None, "text").vector.size == 0


def test_good_rows_become_one_batch() -> None:
    rows, _ = rows_of(VECTOR, VECTOR * 2)
    sealed = seal(rows, CONFIG, as_it_is)
    assert sealed.payload is not None
    assert list(sealed.payload.ids) == ["id-0", "id-1"]
    assert sealed.payload.vectors.tolist() == [[1.0] * 8, [2.0] * 8]
    assert (sealed.payload.metadata, sealed.payload.tags, sealed.refused) == (None, None, ())


def test_a_bad_row_does_not_take_its_neighbours_down() -> None:
    rows, _ = rows_of(VECTOR, np.full(8, np.nan), np.zeros(8), VECTOR)
    sealed = seal(rows, CONFIG, as_it_is)
    assert sealed.payload is not None
    assert list(sealed.payload.ids) == ["id-0", "id-3"]
    assert [error.code for _, _, error in sealed.refused] == ["not_finite", "zero_vector"]


def test_only_bad_rows_make_no_batch() -> None:
    rows, _ = rows_of(np.zeros(8))
    sealed = seal(rows, CONFIG, as_it_is)
    assert sealed.payload is None
    assert len(sealed.refused) == 1


def test_rows_without_vectors_do_not_mix_with_others() -> None:
    rows, _ = rows_of(None, None, config=WITH_EMBEDDER)
    assert not rows.takes(row_of(WITH_EMBEDDER, "b", VECTOR, ""))
    sealed = seal(rows, WITH_EMBEDDER, as_it_is)
    assert sealed.payload is not None
    assert sealed.payload.vectors.shape == (2, 0)


def test_each_row_gets_its_share_of_the_answer() -> None:
    rows, answers = rows_of(VECTOR, VECTOR)
    settle_rows(rows.settles)(Ack(4, 5, 40, 41))
    assert answers == [Ack(4, 4, 40, 40), Ack(5, 5, 41, 41)]
    error = InvalidInput("no")
    settle_rows(rows.settles)(error)
    first, second = answers
    assert (str(first), str(second)) == ("no", "no")
    assert len({id(error), id(first), id(second)}) == 3


def test_a_batch_without_vectors_is_checked_like_any_other() -> None:
    batch = make_batch(["a", ""], np.empty((2, 0)), ["x", "y"])
    with pytest.raises(InvalidInput, match="id of observation 1"):
        check_embeddable(batch, WITH_EMBEDDER)
    with pytest.raises(FailedPrecondition, match="has no embedder"):
        check_embeddable(make_batch(["a"], np.empty((1, 0)), ["x"]), CONFIG)


def listed(column: Any) -> list[Any] | None:
    return None if column is None else [list(value) if isinstance(value, tuple) else value for value in column]


def test_a_row_has_what_a_batch_of_one_has() -> None:
    one: dict[str, Any] = {"timestamp": 2.5, "confidence": 0.25, "importance": 1, "metadata": {"k": 1}, "tags": ["x"]}
    many: dict[str, Any] = {spec.plural: [one[spec.singular]] for spec in COLUMNS if spec.singular in one}
    batch, bare = make_batch(["a"], [VECTOR], **many), make_batch(["a"], [VECTOR], timestamps=[0])
    for spec in COLUMNS:
        assert listed(sent(spec.name, **one)) == listed(getattr(batch, spec.name))
        assert listed(sent(spec.name, timestamp=0)) == listed(getattr(bare, spec.name))


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'timestamp'") as caught:
        row_of(CONFIG, "a", VECTOR, "", timestamps=1.0)  # type: ignore[call-arg]
    assert caught.value.code == "unknown_argument"


def test_the_size_of_a_row_counts_its_texts() -> None:
    bare = row_of(CONFIG, "a", VECTOR)
    full = row_of(CONFIG, "a", VECTOR, "four", metadata='{"k":1}', tags=["ab", "c"])
    assert full.nbytes - bare.nbytes == 4 + 7 + 3
