"""The acknowledgements of single rows."""

from __future__ import annotations

import pytest

from engram.model.ack import Ack, row_acks


@pytest.mark.parametrize("ack", [Ack(4, 7, 40, 43), Ack(4, 7, 40, 47, exact=False), Ack(4, 7, 47, 47, exact=False)])
def test_the_rows_of_a_batch_have_what_each_has_alone(ack: Ack) -> None:
    rows = list(row_acks(ack, 4))
    assert rows == [ack.row(offset) for offset in range(4)]
    assert [int(row) for row in rows] == [row.last_generation for row in rows]
    assert [row.sequence for row in rows] == [4, 5, 6, 7]


def test_acknowledgements_differ_unless_they_are_equal() -> None:
    one, same, other = Ack(1, 1, 5, 5), Ack(1, 1, 5, 5), Ack(2, 2, 4, 5)
    assert (one == same, one != same) == (True, False)
    assert (one == other, one != other) == (False, True)
    assert (one == 5, one != 5, one == 4, one != 4) == (True, False, False, True)
    assert (5 == one, 5 != one) == (True, False)  # noqa: SIM300 - the number asks.
    assert len({one, same, other}) == 2
