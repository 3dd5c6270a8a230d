"""Facets of keys are the same embedded and over every transport; `test_one_face_scans.py` has those of values."""

from __future__ import annotations

from typing import Any

from engram import F, Facet, FacetValue, Filter
from tests.integration.server_process import vectors_of

NAMES = ["a", "b", "c", "d"]


def fill(home: Any) -> None:
    """Store four observations, one without metadata, which have the generations 1 to 4."""
    home.observe(
        NAMES,
        vectors_of(NAMES),
        metadata=[
            {"deck": 1, "crew": {"name": "Ann", "deck": 2}},
            {"deck": None},
            None,
            {"ä": [1], "deck": "2", "1": True},
        ],
        tags=[["x"], ["x"], [], []],
    )


def once(*names: str) -> list[FacetValue]:
    return [FacetValue(name, 1) for name in names]


def test_the_keys_at_the_top_are_counted_whatever_is_under_them(home: Any) -> None:
    fill(home)
    facets = home.facets(fields="keys")
    assert (facets.count, facets.generation, set(facets)) == (4, 4, {"keys"})
    assert facets["keys"] == Facet((FacetValue("deck", 3), *once("1", "crew", "ä")), 3, 4, "1", "ä")
    few = home.facets(fields=["keys"], limit=2)["keys"]
    assert few == Facet((FacetValue("deck", 3), *once("1")), 3, 4, "1", "ä")


def test_keys_are_counted_of_what_passes_at_a_generation(home: Any) -> None:
    fill(home)
    held = home.snapshot()
    home.update("b", metadata={"new": 1, "deck": None})
    home.delete(["d"])
    assert home.facets(fields="keys")["keys"] == Facet(tuple(once("crew", "deck", "new")), 2, 3, "crew", "new")
    of_tagged = held.facets(filter=Filter(tags={"x"}), fields="keys")
    assert (of_tagged.count, of_tagged["keys"].values) == (2, (FacetValue("deck", 2), *once("crew")))
    assert home.facets(fields="keys", max_generation=4) == held.facets(fields="keys")
    assert home.facets(filter=F.deck == "3", fields="keys")["keys"] == Facet((), 0, 0, None, None)


def test_keys_are_counted_beside_other_facets(home: Any) -> None:
    fill(home)
    facets = home.facets(["deck", "crew"], fields=["keys", "tags"])
    assert set(facets) == {"deck", "crew", "keys", "tags"}
    assert facets["crew"] == Facet((), 1, 0, None, None)
    assert facets["deck"] == Facet(tuple(FacetValue(value, 1) for value in (1, "2", None)), 3, 3, 1, 1)
    assert (facets["keys"].count, facets["tags"]) == (3, Facet((FacetValue("x", 2),), 2, 1, "x", "x"))
