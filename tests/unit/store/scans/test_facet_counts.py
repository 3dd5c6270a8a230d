"""How many different values one call counts, and which of them it returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram import FacetValue, MemoryStore, Space
from engram.errors import InvalidInput
from engram.store.scans import facet_counts

COUNT = 5


@pytest.fixture
def space() -> Iterator[Space]:
    """Five observations, of which each has values of its own."""
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        ids = [f"id-{number}" for number in range(COUNT)]
        metadata = [{"deck": number, "rooms": [f"{number}", f"{number} aft"], "same": 1} for number in range(COUNT)]
        space.observe(ids, np.ones((COUNT, 1)), metadata=metadata, tags=[[id] for id in ids])
        yield space


def test_the_values_of_all_facets_together_are_limited(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facet_counts, "DISTINCT_MAX", 3 * COUNT + 1)
    facets = space.facets(["deck", "rooms", "same"])
    assert [facet.distinct for facet in facets.values()] == [COUNT, 2 * COUNT, 1]
    monkeypatch.setattr(facet_counts, "DISTINCT_MAX", 3 * COUNT)
    with pytest.raises(InvalidInput, match="'rooms'") as refused:
        space.facets(["deck", "rooms", "same"])
    assert (refused.value.code, refused.value.field) == ("facet_values", "rooms")
    assert space.facets(["deck"], fields=["tags"])["tags"].distinct == COUNT
    assert space.facets(["rooms"])["rooms"].distinct == 2 * COUNT


@pytest.mark.parametrize(
    ("keys", "field"),
    [("rooms", None), ((), "tags"), ((), "time_us"), ((), "keys")],
    ids=["key", "tags", "time", "keys"],
)
def test_the_values_of_one_facet_are_limited(
    keys: Any, field: str | None, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    space.observe("later", np.ones(1), timestamp=10)
    monkeypatch.setattr(facet_counts, "DISTINCT_MAX", 1)
    with pytest.raises(InvalidInput) as refused:
        space.facets(keys, fields=[] if field is None else [field])
    assert (refused.value.code, refused.value.field) == ("facet_values", field or keys)
    assert space.facets("same")["same"].values == (FacetValue(1, COUNT),)


def test_the_most_frequent_values_come_first_and_equals_in_order(space: Space) -> None:
    mixed = [True, None, "b", "a", 10, 9.5, 2, 2]
    ids = [f"mixed-{number}" for number in range(len(mixed))]
    space.observe(ids, np.ones((len(mixed), 1)), metadata=[{"mixed": value} for value in mixed])
    facet = space.facets("mixed")["mixed"]
    assert [one.value for one in facet.values] == [2, 9.5, 10, "a", "b", True, None]
    for limit in range(1, 7):
        assert space.facets("mixed", limit=limit)["mixed"].values == facet.values[:limit]


def test_the_keys_of_the_metadata_are_counted_in_the_order_of_the_fields(space: Space) -> None:
    space.observe(["bare", "other"], np.ones((2, 1)), metadata=[None, {"deck": None, "keys": [1], "": {}}])
    found = space.facets("keys", fields=["tags"])
    assert found["keys"].values == (FacetValue(1, 1),)
    found = space.facets("deck", fields=["keys", "tags"])
    assert list(found) == ["deck", "keys", "tags"]
    facet = found["keys"]
    assert [(one.value, one.count) for one in facet.values] == [
        ("deck", COUNT + 1),
        ("rooms", COUNT),
        ("same", COUNT),
        ("", 1),
        ("keys", 1),
    ]
    assert (facet.count, facet.distinct, facet.least, facet.greatest) == (COUNT + 1, 5, "", "same")
    assert space.facets(fields="keys", limit=1)["keys"].values == facet.values[:1]
    with pytest.raises(InvalidInput, match="asked for twice"):
        space.facets("keys", fields="keys")
