"""Any number of rows is divided into what one call takes."""

from __future__ import annotations

import pytest

from engram.errors import InvalidInput
from engram.integrations.parts import in_parts
from engram.model.limits import BATCH_COUNT_MAX


def test_rows_are_passed_once_and_in_order() -> None:
    parts: list[tuple[int, int]] = []

    def call(part: slice) -> int:
        parts.append((part.start, part.stop))
        return part.stop - part.start

    count = 2 * BATCH_COUNT_MAX + 1
    assert in_parts(count, call) == count
    assert parts == [(0, BATCH_COUNT_MAX), (BATCH_COUNT_MAX, 2 * BATCH_COUNT_MAX), (2 * BATCH_COUNT_MAX, count)]
    assert in_parts(0, call) == 0
    assert len(parts) == 3


@pytest.mark.parametrize("code", ["batch_bytes", "message_bytes"])
def test_what_has_too_many_bytes_is_halved(code: str) -> None:
    taken: list[int] = []

    def call(part: slice) -> int:
        rows = list(range(100))[part]
        if len(rows) > 30:
            raise InvalidInput("too large", code=code)
        taken.extend(rows)
        return len(rows)

    assert in_parts(100, call) == 100
    assert taken == list(range(100))


def test_what_is_refused_for_another_reason_or_cannot_be_halved_is_not_tried_again() -> None:
    calls: list[slice] = []

    def call(part: slice) -> int:
        calls.append(part)
        raise InvalidInput("refused", code="batch_bytes" if part.stop - part.start == 1 else "invalid_metadata")

    for count in (1, 10):
        with pytest.raises(InvalidInput):
            in_parts(count, call)
    assert len(calls) == 2
