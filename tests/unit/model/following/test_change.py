"""Changes, and some of them with how far everything has been told."""

from __future__ import annotations

import pickle

from engram.model.following.change import KINDS, WITH_HIT, Change, Changes, with_hits
from tests.unit.wire.test_recalls import make_hit

A, B = make_hit("a", generation=3), make_hit("b", generation=5)
TOLD = [Change("observed", "a", 3, None, A), Change("deleted", "c", 4, 1), Change("updated", "b", 5, 2, B)]


def test_hits_find_their_changes_again() -> None:
    assert Changes(TOLD).hits == [A, B]
    apart = [(each.kind, each.id, each.generation, each.replaces) for each in TOLD]
    assert with_hits(apart, [A, B]) == TOLD
    # One that is missing is none of another change.
    assert [each.hit for each in with_hits(apart, [A])] == [A, None, None]


def test_kinds_with_a_hit_are_kinds() -> None:
    assert set(KINDS) > WITH_HIT == {change.kind for change in TOLD if change.hit is not None}


def test_halves_say_how_far_each_of_them_is() -> None:
    first, rest = Changes(TOLD, 9, incomplete=True).halves()
    assert ([*first, *rest], first.generation, rest.generation) == (TOLD, 3, 9)
    assert (len(first), first.incomplete, rest.incomplete) == (1, True, True)


def test_changes_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(Changes(TOLD, 9, incomplete=True)))  # noqa: S301  # It is our own.
    assert (list(again), again.generation, again.incomplete) == (TOLD, 9, True)
