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
