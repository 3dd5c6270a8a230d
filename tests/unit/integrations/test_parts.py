"""Any number of rows is divided into what one call takes."""

from __future__ import annotations

import pytest

from engram.errors import InvalidInput
from engram.integrations.parts import Parts
from engram.model.limits import BATCH_COUNT_MAX


def test_rows_come_once_and_in_order() -> None:
    count = 2 * BATCH_COUNT_MAX + 1
    assert [(part.start, part.stop) for part in Parts(count)] == [
        (0, BATCH_COUNT_MAX),
        (BATCH_COUNT_MAX, 2 * BATCH_COUNT_MAX),
        (2 * BATCH_COUNT_MAX, count),
    ]
    assert list(Parts(0)) == []


@pytest.mark.parametrize("code", ["batch_bytes", "message_bytes"])
def test_what_has_too_many_bytes_is_halved(code: str) -> None:
    taken: list[int] = []
    parts = Parts(100)
    for part in parts:
        with parts.halving(part):
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
