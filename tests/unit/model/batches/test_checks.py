"""The checks of a batch by parts: its number of rows, its bytes, and those of vectors that are still to be made."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.batches.checks import check_batch, check_bytes, check_embedded_bytes
from engram.model.limits import (
    BATCH_BYTES_MAX,
    BATCH_COUNT_MAX,
    CONTENT_BYTES_MAX,
    DIMENSION_MAX,
    ID_BYTES_MAX,
    METADATA_BYTES_MAX,
    TAG_BYTES_MAX,
    TAGS_MAX,
)
from engram.model.observations import make_batch
from engram.model.spaces import SpaceConfig

SPACE = SpaceConfig("space", 8, embedder="lexical")


@pytest.mark.parametrize("count", [0, BATCH_COUNT_MAX + 1])
def test_the_number_of_rows_is_checked_first(count: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_batch(make_batch([""] * count, np.ones((count, 8))), SPACE)
    assert (caught.value.code, caught.value.field, caught.value.value) == ("batch_count", "batch", str(count))


def test_the_largest_observation_fits_a_batch() -> None:
    space = SpaceConfig("space", DIMENSION_MAX)
    largest = make_batch(
        ["i" * ID_BYTES_MAX],
        np.ones((1, DIMENSION_MAX)),
        ["x" * CONTENT_BYTES_MAX],
        metadata=[f'{{"k":"{"m" * (METADATA_BYTES_MAX - 8)}"}}'],
        tags=[[f"{row:02}".ljust(TAG_BYTES_MAX, "t") for row in range(TAGS_MAX)]],
    )
    assert check_batch(largest, space) is largest


def test_vectors_that_are_still_to_be_made_count() -> None:
    bare = make_batch(["a", "b"], np.empty((2, 0)), ["x" * (BATCH_BYTES_MAX // 2), "y" * (BATCH_BYTES_MAX // 2 - 200)])
    check_bytes(bare.nbytes)
    check_embedded_bytes(bare, np.empty(0, np.int64), SPACE)
    with pytest.raises(InvalidInput) as caught:
        check_embedded_bytes(bare, np.arange(2), SpaceConfig("space", DIMENSION_MAX, embedder="lexical"))
    assert (caught.value.code, caught.value.field) == ("batch_bytes", "batch")
