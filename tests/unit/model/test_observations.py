"""The one gate before the log: whoever built a batch, what passes can be written as it is."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model import observations
from engram.model.arguments import arguments_of
from engram.model.batches import checks
from engram.model.batches.checks import check_batch
from engram.model.observations import ObservationBatch, concatenate, make_batch, with_vectors
from engram.model.spaces import SpaceConfig
from engram.model.times import TIME_MAX_US

SPACE = SpaceConfig("space", 8)
VECTORS = np.ones((3, 8), np.float32)


def batch(**columns: Any) -> ObservationBatch:
    made = make_batch(["a", "b", "c"], VECTORS, ["x", "y", "z"], metadata=[None] * 3, tags=[[], ["t"], []])
    return replace(made, **columns)


def test_a_batch_that_fits_passes_unchanged() -> None:
    whole = batch()
    assert check_batch(whole, SPACE) is whole


@pytest.mark.parametrize("name", ["times_us", "confidences", "importances"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda column: column[:, None],
        lambda column: np.repeat(column[:, None], 4, axis=1),
        lambda column: column[:2].copy(),
        lambda column: np.repeat(column, 2)[::2],
        lambda column: column.astype(np.float64),
        lambda column: column.astype(object),
        lambda column: column.astype(column.dtype.newbyteorder(">")),
        np.ma.array,
        lambda column: column.tolist(),
        lambda column: column[0],
        lambda column: None,
    ],
)
def test_a_column_of_another_shape_or_type_is_refused(name: str, spoil: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_batch(batch(**{name: spoil(getattr(batch(), name))}), SPACE)
    assert (caught.value.field, caught.value.code in {"invalid_column", "column_length"}) == (name, True)


@pytest.mark.parametrize(
    "vectors",
    [
        VECTORS.astype(np.float64),
        np.ones((8, 3), np.float32).T,
        np.ones((3, 8, 1), np.float32),
        np.ones(24, np.float32),
        VECTORS[:2],
        VECTORS[:, :7].copy(),
        VECTORS.tolist(),
        np.ma.array(VECTORS),
        None,
    ],
)
def test_vectors_of_another_shape_or_type_are_refused(vectors: Any) -> None:
    with pytest.raises(InvalidInput):
        check_batch(batch(vectors=vectors), SPACE)


@pytest.mark.parametrize("name", ["ids", "contents", "metadata", "tags"])
@pytest.mark.parametrize(
    "column", ["abc", b"abc", {"a": 1}, 5, iter(["a", "b", "c"]), ["a"], np.array(["a", "b", "c"])]
)
def test_a_column_of_texts_is_a_list_of_the_right_length(name: str, column: Any) -> None:
    with pytest.raises(InvalidInput):
        check_batch(batch(**{name: column}), SPACE)


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"ids": ["a", 7, "c"]}, "id[1]"),
        ({"ids": ["a", "b", b"c"]}, "id[2]"),
        ({"ids": ["a", "\ud800", "c"]}, "id[1]"),
        ({"contents": ["a", None, "c"]}, "content[1]"),
        ({"contents": ["\udfff", "b", "c"]}, "content[0]"),
        ({"tags": [[], ["\ud800"], []]}, "tags[1][0]"),
        ({"tags": ["urgent", [], []]}, "tags[0]"),
        ({"tags": [[], {"urgent": 1}, []]}, "tags[1]"),
        ({"metadata": ["", '{"a":NaN}', ""]}, "metadata[1]"),
        ({"metadata": ["", "", '{"a":"\ud800"}']}, "metadata[2]"),
        ({"times_us": np.array([0, TIME_MAX_US + 1, 0])}, "times_us[1]"),
        ({"times_us": np.array([0, 0, -(2**63)])}, "times_us[2]"),
        ({"confidences": np.array([0.5, 0.5, np.nan], np.float32)}, "confidence[2]"),
    ],
)
def test_what_is_wrong_in_a_row_is_named(columns: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_batch(batch(**columns), SPACE)
    assert caught.value.field == field
    str(caught.value).encode()


def test_tags_count_as_bytes_of_a_batch() -> None:
    tags = [["t" * 128] * 64] * 3
    assert batch(tags=tags).nbytes - batch().nbytes >= 3 * 64 * 128 - 1


@pytest.mark.parametrize("name", ["ids", "contents", "tags", "metadata"])
@pytest.mark.parametrize("wrong", ["abc", b"abc", 5, {"a": 1, "b": 2, "c": 3}, {"a", "b", "c"}])
def test_a_text_is_no_column_to_make_a_batch_of(name: str, wrong: Any) -> None:
    columns: dict[str, Any] = {"ids": ["a", "b", "c"], "vectors": VECTORS, name: wrong}
    with pytest.raises(InvalidInput) as caught:
        make_batch(**columns)
    assert (caught.value.code, caught.value.field) == ("not_a_list", name)


@pytest.mark.parametrize("name", ["timestamps", "confidences", "importances"])
@pytest.mark.parametrize("wrong", [np.ones((3, 4)), np.ones((3, 1)), np.ones(2), 0.5, "abc", [1j] * 3, [True] * 3])
def test_a_batch_is_made_of_columns_of_one_shape(name: str, wrong: Any) -> None:
    columns: dict[str, Any] = {"ids": ["a", "b", "c"], "vectors": VECTORS, name: wrong}
    with pytest.raises(InvalidInput) as caught:
        make_batch(**columns)
    assert caught.value.field == name


def test_generators_and_arrays_make_the_same_batch_as_lists() -> None:
    made = make_batch(
        (f"{n}" for n in range(3)),  # type: ignore[arg-type]  # Taken all the same.
        VECTORS,
        iter("xyz"),  # type: ignore[arg-type]
        confidences=(n / 4 for n in range(3)),  # type: ignore[arg-type]
        tags=({"t"} for _ in range(3)),  # type: ignore[arg-type]
    )
    assert check_batch(made, SPACE).ids == ["0", "1", "2"]
    assert (made.contents, made.confidences.tolist(), made.tags) == (["x", "y", "z"], [0, 0.25, 0.5], [["t"]] * 3)


def full_batch(count: int) -> ObservationBatch:
    """A batch with something in every column, of which row 1 has no vector and row 2 no text."""
    numbers = range(count)
    vectors = np.arange(count * 8, dtype=np.float32).reshape(count, 8) + 1
    vectors[1:2] = 0
    made = make_batch(
        [f"id-{n}" for n in numbers],
        vectors,
        ["" if n == 2 else f"text {n}" for n in numbers],
        timestamps=[float(n) for n in numbers],
        confidences=[n / 10 for n in numbers],
        importances=[n / 20 for n in numbers],
        metadata=[{"n": n} for n in numbers],
        tags=[[f"tag-{n}"] for n in numbers],
        expires_at=[10.0 + n for n in numbers],
        embed=False,
    )
    return replace(made, vector_presence=np.arange(count) != 1, text_presence=np.arange(count) != 2)


def columns_of(batch: ObservationBatch) -> dict[str, Any]:
    values = {item.name: getattr(batch, item.name) for item in fields(ObservationBatch) if item.init}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


@pytest.mark.parametrize(("start", "stop"), [(0, None), (3, None), (2, 5), (0, 0), (9, 12)])
def test_rows_are_those_of_every_column(start: int, stop: int | None) -> None:
    batch = full_batch(9)
    part = batch.rows(start, stop)
    whole = columns_of(batch)
    assert columns_of(part) == {name: whole[name] if name == "embeds" else whole[name][start:stop] for name in whole}
    bare = make_batch(batch.ids, batch.vectors).rows(start, stop)
    assert (bare.metadata, bare.tags, len(bare)) == (None, None, len(part))


def test_what_was_taken_apart_can_be_joined_again() -> None:
    batch = full_batch(9)
    joined = concatenate([batch.rows(0, 4), batch.rows(4, 4), batch.rows(4)])
    assert columns_of(joined) == columns_of(batch)
    assert joined.nbytes == batch.nbytes


def test_joining_fills_in_what_only_some_batches_have() -> None:
    bare = make_batch(["x", "y"], np.ones((2, 8)))
    joined = concatenate([bare, full_batch(1), bare])
    assert joined.metadata == ["", "", '{"n":0}', "", ""]
    assert joined.tags == [(), (), ["tag-0"], (), ()]
    assert (concatenate([bare, bare]).metadata, concatenate([bare, bare]).tags) == (None, None)


def test_a_batch_without_vectors_keeps_the_rest() -> None:
    batch = full_batch(3)
    without = batch.without_vectors()
    assert without.vectors.shape == (3, 0)
    assert columns_of(replace(without, vectors=batch.vectors)) == columns_of(batch)


def with_metadata(*texts: str, dim: int = 384) -> ObservationBatch:
    ids = [f"id-{row}" for row in range(len(texts))]
    return make_batch(ids, np.ones((len(texts), dim)), metadata=list(texts))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of texts of each parse."""
    counts: list[int] = []

    def counted(function: Any) -> Any:
        def parse(texts: Any) -> Any:
            counts.append(len(texts))
            return function(texts)

        return parse

    for module, name in ((checks, "check_metadata_column"), (observations, "read_metadata_column")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return counts


def test_metadata_are_parsed_once_however_a_batch_is_taken_apart_and_joined(parsed: list[int]) -> None:
    space = SpaceConfig("space", 384)
    batch = check_batch(with_metadata('{"n":1}', "", '{"n":3}'), space)
    bare = check_batch(make_batch(["bare"], np.ones((1, 384))), space)
    joined = concatenate([with_vectors(batch, 2 * batch.vectors).rows(1), bare, batch.rows(0, 1)])
    assert check_batch(joined, space).metadata_objects() == [None, {"n": 3}, None, {"n": 1}]
    assert (bare.metadata_objects(), parsed) == (None, [3])
    # What joins a batch that has not been parsed is parsed with it.
    mixed = concatenate([batch, with_metadata('{"n":4}')])
    assert mixed.metadata_objects() == [{"n": 1}, None, {"n": 3}, {"n": 4}]
    assert parsed == [3, 4]


def test_other_metadata_are_checked_again(parsed: list[int]) -> None:
    space = SpaceConfig("space", 384)
    batch = check_batch(with_metadata('{"n":1}'), space)
    with pytest.raises(InvalidInput):
        check_batch(replace(batch, metadata=["{"]), space)
    assert check_batch(replace(batch, metadata=['{"n":2}']), space).metadata_objects() == [{"n": 2}]
    assert parsed == [1, 1, 1]


def test_large_metadata_are_not_kept_parsed(parsed: list[int]) -> None:
    """While a batch waits, its parsed metadata may not take many times the memory that is counted for it."""
    text = json.dumps({f"k{n}": n for n in range(100)})
    batch = check_batch(with_metadata(text, dim=8), SPACE)
    assert parsed == [1]
    assert batch.metadata_objects() == [json.loads(text)]
    assert parsed == [1, 1]


def test_a_batch_is_handed_on_as_arguments() -> None:
    batch = full_batch(3)
    assert columns_of(make_batch(**arguments_of(batch))) == columns_of(batch)
    bare = make_batch(["x"], np.ones((1, 8)))
    assert columns_of(make_batch(**arguments_of(bare))) == columns_of(bare)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="importances") as caught:
        make_batch(["a"], np.ones((1, 8)), importance=[1.0])  # type: ignore[call-arg]
    assert caught.value.code == "unknown_argument"
