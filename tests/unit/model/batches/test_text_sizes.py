"""How large texts and metadata may be is a setting of a store."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.batches.text_sizes import TextSizes
from engram.model.limits import CONTENT_BYTES_DEFAULT, METADATA_BYTES_DEFAULT
from engram.model.observations import ObservationBatch, make_batch


def batch(contents: list[str], metadata: list[str] | None = None) -> ObservationBatch:
    ids = [f"id-{row}" for row in range(len(contents))]
    return make_batch(ids, np.ones((len(contents), 8)), contents, metadata=metadata)


def test_what_fits_passes() -> None:
    TextSizes(8, 8).check(batch(["x" * 8, "ü" * 4, ""], ['{"k":12}', "", '{"k":1}']))
    TextSizes().check(batch(["x" * CONTENT_BYTES_DEFAULT], [f'{{"k":"{"x" * (METADATA_BYTES_DEFAULT - 8)}"}}']))


@pytest.mark.parametrize(
    ("contents", "metadata", "code", "field", "size"),
    [
        (["x", "x" * 9], None, "content_size", "content[1]", "9"),
        (["ü" * 5, "x"], None, "content_size", "content[0]", "10"),
        (["x", "x"], ["", '{"k":123}'], "metadata_size", "metadata[1]", "9"),
    ],
)
def test_what_is_larger_is_refused_by_name(
    contents: list[str], metadata: list[str] | None, code: str, field: str, size: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        TextSizes(8, 8).check(batch(contents, metadata))
    assert (caught.value.code, caught.value.field, caught.value.value) == (code, field, size)
