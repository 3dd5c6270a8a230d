"""The acknowledgements of single rows."""

from __future__ import annotations

import copy
import pickle

import pytest

from engram.model.ack import Ack, joined_ack, row_acks


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


def test_the_ids_that_were_made_up_are_those_of_the_rows() -> None:
    bare = Ack(0, 0, 5, 6)
    ack = bare.with_ids(("x", "y"))
    assert (bare.ids, bare.with_ids(()) is bare, ack.ids) == ((), True, ("x", "y"))
    assert [ack.row(0).ids, ack.row(1).ids, bare.row(0).ids] == [("x",), ("y",), ()]
    assert (ack == 6, ack == bare, repr(ack)) == (True, False, "Ack(generations 5..6, ids made up: 2)")
    for again in (copy.copy(ack), pickle.loads(pickle.dumps(ack))):  # noqa: S301  (It was made here.)
        assert (again, again.ids) == (ack, ("x", "y"))


def test_parts_between_which_others_wrote_are_counted_by_themselves() -> None:
    joined = joined_ack([Ack(0, 0, 5, 6), Ack(0, 0, 9, 9)])
    assert (joined.count, joined.exact, int(joined)) == (3, False, 9)
    assert [joined.row(offset).count for offset in range(3)] == [1, 1, 1]
    named = joined.with_ids(("x", "y", "z"))
    assert (named.count, named.row(2).ids, copy.copy(named)) == (3, ("z",), named)
