"""Batches that may lack vectors are checked before anybody makes them, however large they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig
from engram.text.embeddable import check_all_rows, check_embeddable, check_rows

WITH_EMBEDDER = SpaceConfig("test", 8, embedder="lexical")
WITHOUT = SpaceConfig("test", 8)
COUNT = 2 * BATCH_COUNT_MAX + 1


def large(**columns: Any) -> ObservationBatch:
    """More rows than one request has; the last one is as `columns` say."""
    given: dict[str, Any] = {"contents": ["text"] * COUNT}
    for name, last in columns.items():
        rows = given.get(name, [None] * COUNT)
        given[name] = [*rows[:-1], last]
    ids = [f"id-{row}" for row in range(COUNT)]
    return make_batch(ids, given.pop("vectors", np.empty((COUNT, 0), np.float32)), **given)


def test_the_rows_to_embed_are_told() -> None:
    bare = make_batch(["a", "b"], [None, np.ones(8)], ["x", "y"])
    assert check_rows(bare, WITH_EMBEDDER).tolist() == [0]
    whole = make_batch(["a"], np.ones((1, 8)))
    assert check_rows(whole, WITHOUT).tolist() == []
    assert check_embeddable(bare, WITH_EMBEDDER) is bare


def test_a_batch_of_any_size_passes() -> None:
    check_all_rows(large(), WITH_EMBEDDER)
    check_all_rows(make_batch(["a"] * COUNT, np.ones((COUNT, 8))), WITHOUT)


@pytest.mark.parametrize(
    ("columns", "code", "field"),
    [
        ({"contents": " "}, "empty_text", f"texts[{COUNT - 1}]"),
        ({"metadata": '{"a":NaN}'}, "invalid_metadata", f"metadata[{COUNT - 1}]"),
    ],
)
def test_what_is_wrong_in_the_last_part_is_named_by_its_row(columns: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_all_rows(large(**columns), WITH_EMBEDDER)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert f"counted from row {2 * BATCH_COUNT_MAX} on" in str(caught.value)


def test_a_column_has_as_many_rows_as_there_are_in_all() -> None:
    batch = make_batch([f"{row}" for row in range(COUNT)], np.ones((COUNT, 8)), ["x"] * (COUNT + 1))
    with pytest.raises(InvalidInput) as caught:
        check_all_rows(batch, WITHOUT)
    assert (caught.value.code, caught.value.field) == ("column_length", "contents")


def test_a_space_without_an_embedder_makes_no_vectors() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        check_all_rows(large(), WITHOUT)
    assert caught.value.code == "no_embedder"
