"""What the meta of documents hold is told by the facets of a space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram import F, MemoryStore, Space
from engram.errors import InvalidInput
from engram.integrations.haystack import metadata_fields
from engram.integrations.haystack.metadata_fields import field_types, least_and_greatest, unique_values, value_count
from engram.model.filters.conditions import EVERYTHING

METAS: list[dict[str, Any]] = [
    {"page": 1, "name": "Heron", "by": {"name": "Ann"}, "seen": None},
    {"page": 2, "name": "mast", "seen": True, "kept": {}},
    {"page": 2.5, "name": "heron", "doors": ["aft", None]},
    {"page": 1, "name": None, "none": None},
]


@pytest.fixture
def space() -> Iterator[Space]:
    """What `METAS` describes."""
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        space.observe([f"note-{row}" for row in range(len(METAS))], np.ones((len(METAS), 1)), metadata=METAS)
        yield space


def test_values_are_counted_and_null_is_none(space: Space) -> None:
    assert [value_count(space, key, EVERYTHING) for key in ("page", "name", "seen", "by.name", "x")] == [3, 3, 1, 0, 0]
    assert value_count(space, "name", F.page == 1) == 1


def test_values_come_in_pages_the_most_frequent_first(space: Space) -> None:
    assert unique_values(space, "page", EVERYTHING, None, 0, 10) == ([1, 2, 2.5], 3)
    assert unique_values(space, "page", EVERYTHING, "", 1, 1) == ([2], 3)
    assert unique_values(space, "page", EVERYTHING, None, 0, 0) == ([], 3)
    assert unique_values(space, "page", EVERYTHING, None, 7, 2) == ([], 3)
    assert unique_values(space, "name", F.page >= 2, None, 0, 10) == (["heron", "mast"], 2)


def test_a_search_term_is_found_anywhere_and_in_any_case(space: Space) -> None:
    assert unique_values(space, "name", EVERYTHING, "ERO", 0, 10) == (["Heron", "heron"], 2)
    assert unique_values(space, "name", EVERYTHING, "ero", 1, 10) == (["heron"], 2)
    assert unique_values(space, "page", EVERYTHING, ".5", 0, 10) == ([2.5], 1)
    assert unique_values(space, "name", EVERYTHING, "owl", 0, 10) == ([], 0)


@pytest.mark.parametrize(("start", "count", "field"), [(-1, 1, "from_"), (0, -1, "size"), (0, 10_001, "size")])
def test_a_page_that_there_cannot_be_is_refused(start: int, count: int, field: str, space: Space) -> None:
    with pytest.raises(InvalidInput) as refused:
        unique_values(space, "page", EVERYTHING, None, start, count)
    assert refused.value.field == field


def test_values_that_cannot_all_be_seen_are_not_passed_over(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_fields, "RESULTS_MAX", 2)
    for call in (lambda: unique_values(space, "page", EVERYTHING, "1", 0, 1), lambda: field_types(space, "_haystack")):
        with pytest.raises(InvalidInput) as refused:
            call()
        assert refused.value.code == "facet_values"
    assert unique_values(space, "name", F.page >= 2, "MAST", 0, 1) == (["mast"], 1)


def test_the_least_and_the_greatest_are_those_of_numbers_then_of_texts(space: Space) -> None:
    assert least_and_greatest(space, "page") == {"min": 1, "max": 2.5}
    assert least_and_greatest(space, "name") == {"min": "Heron", "max": "mast"}
    assert least_and_greatest(space, "seen") == {"min": None, "max": None}
    assert least_and_greatest(space, "unknown") == {"min": None, "max": None}


def test_a_type_is_that_of_the_most_frequent_values(space: Space) -> None:
    assert field_types(space, "by") == {
        "doors": {"type": "keyword"},
        "kept": {"type": "keyword"},
        "name": {"type": "keyword"},
        "page": {"type": "int"},
        "seen": {"type": "boolean"},
    }
    space.clear()
    assert field_types(space, "by") == {}


def test_more_keys_are_told_than_one_call_counts(space: Space) -> None:
    space.observe("wide", np.ones(1), metadata={f"key-{number}": 0.5 for number in range(200)})
    types = field_types(space, "_haystack")
    assert {key for key, told in types.items() if told["type"] == "float"} == {f"key-{n}" for n in range(200)}
    assert len(types) == 206
