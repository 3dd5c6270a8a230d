"""Any number of rows is divided into what one request takes."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput, Unavailable
from engram.model.batches.parts import Parts, of_all_rows, partly, rows_of
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import make_batch

COUNT = 2 * BATCH_COUNT_MAX + 1


def test_rows_come_once_and_in_order() -> None:
    assert [(part.start, part.stop) for part in Parts(COUNT)] == [
        (0, BATCH_COUNT_MAX),
        (BATCH_COUNT_MAX, 2 * BATCH_COUNT_MAX),
        (2 * BATCH_COUNT_MAX, COUNT),
    ]
    assert list(Parts(0)) == []


@pytest.mark.parametrize("code", ["batch_bytes", "message_bytes", "json_bytes"])
@pytest.mark.parametrize("keeping", ["halving", "storing"])
def test_what_has_too_many_bytes_is_halved(code: str, keeping: str) -> None:
    taken: list[int] = []
    parts = Parts(100)
    for part in parts:
        with getattr(parts, keeping)(part):
            rows = list(range(100))[part]
            if len(rows) > 30:
                raise InvalidInput("too large", code=code)
            taken += rows
    assert taken == list(range(100))


@pytest.mark.parametrize(("count", "code"), [(1, "batch_bytes"), (10, "invalid_metadata")])
def test_what_cannot_be_halved_or_is_refused_for_another_reason_is_not_tried_again(count: int, code: str) -> None:
    parts = Parts(count)
    with pytest.raises(InvalidInput, match="refused"), parts.halving(next(parts)):
        raise InvalidInput("refused", code=code)
    assert list(parts) == []


@pytest.mark.parametrize("failed", [0, 1, 2])
def test_an_error_says_how_many_rows_are_stored(failed: int) -> None:
    parts = Parts(COUNT)

    def store() -> None:
        for number, part in enumerate(parts):
            with parts.storing(part):
                if number == failed:
                    raise Unavailable("gone", code="no_server", retry_after_ms=5)

    with pytest.raises(Unavailable) as caught:
        store()
    error = caught.value
    assert (error.stored_count, error.code, error.retry_after_ms) == (failed * BATCH_COUNT_MAX, "no_server", 5)
    assert (f"the first {failed * BATCH_COUNT_MAX} are done" in str(error)) == (failed > 0)


def test_what_is_halved_is_not_counted_as_stored() -> None:
    parts = Parts(4)

    def store() -> None:
        for part in parts:
            with parts.storing(part):
                if part.stop - part.start > 1:
                    raise InvalidInput("too large", code="batch_bytes")
                if part.start == 3:
                    raise FailedPrecondition("closed")

    with pytest.raises(FailedPrecondition) as caught:
        store()
    assert caught.value.stored_count == 3


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("id[7]", "id[10007]"),
        ("metadata[2].k", "metadata[10002].k"),
        ("tags[2][1]", "tags[10002][1]"),
        ("batch", "batch"),
    ],
)
def test_a_row_has_the_number_that_it_has_among_all(field: str, told: str) -> None:
    error = InvalidInput("refused", code="some_code", field=field, limit=1, value=2)
    of_all = of_all_rows(error, BATCH_COUNT_MAX)
    assert (of_all.field, of_all.code, of_all.limit, of_all.value) == (told, "some_code", "1", "2")
    assert ("counted from row 10000" in str(of_all)) == (told != field)
    # What others may raise, too, stays as it is.
    assert (error.field, str(error)) == (field, "refused")
    assert of_all_rows(error, 0) is error


def test_an_error_that_is_told_once_more_is_another_one() -> None:
    error = EngramError("gone")
    assert partly(error, 0, 5) is error
    told = partly(error, 3, 5)
    assert (told.stored_count, error.stored_count) == (3, 0)
    assert str(told) == "gone; of 5 rows, the first 3 are done and stay done"


def test_a_part_of_a_batch_is_the_batch_if_it_has_all_rows() -> None:
    batch = make_batch(["a", "b", "c"], np.ones((3, 8)))
    assert rows_of(batch, slice(0, 3)) is batch
    assert list(rows_of(batch, slice(1, 3)).ids) == ["b", "c"]
