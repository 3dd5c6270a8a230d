"""Filters of Haystack mean the same as conditions of Engram, and what means nothing is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from engram import F, MemoryStore, Own, Space
from engram.errors import InvalidInput
from engram.integrations.haystack.filters import condition_of, key_of
from engram.model.filters.conditions import EVERYTHING, NOTHING, Condition
from engram.model.limits import FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_VALUES_MAX

METAS: dict[str, dict[str, Any]] = {
    "one": {"page": 1, "name": "heron", "on": "2025-01-31T12:00:00", "by": {"name": "Ann"}},
    "two": {"page": 2, "name": "mast", "on": "2025-01-31T12:00:00Z", "by": {"name": None}},
    "three": {"page": 3.5, "name": None, "on": "2025-01-31 14:00:00+02:00", "by": "Bob"},
    "four": {"page": "4", "on": "soon"},
    "five": {"page": True, "on": "2025-02-01"},
}


def compared(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def joined(operator: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"operator": operator, "conditions": list(conditions)}


ONE, TWO = compared("meta.page", "==", 1), compared("meta.page", "==", 2)


@pytest.fixture(scope="module")
def space() -> Iterator[Space]:
    """What `METAS` describes."""
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        space.observe(list(METAS), np.ones((len(METAS), 1)), metadata=list(METAS.values()))
        yield space


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        (compared("meta.page", "==", 1), F.page == 1),
        (compared("meta.page", "!=", "a"), F.page != "a"),
        (compared("page", ">", 1.5), F.page > 1.5),
        (compared("meta.page", ">=", 1), F.page >= 1),
        (compared("meta.page", "<", 1), F.page < 1),
        (compared("meta.page", "<=", 1), F.page <= 1),
        (compared("meta.page", "in", [1, "a", None]), F.page.is_in([1, "a", None])),
        (compared("meta.page", "not in", []), F.page.not_in([])),
        (compared("meta.by.name", "==", "Ann"), F.by.name == "Ann"),
        (compared("id", "==", "2025-01-31"), Own.id == "2025-01-31"),
        (compared("id", "in", ["one", "two"]), Own.id.is_in(["one", "two"])),
        (compared("meta.id", "==", "a"), F.id == "a"),
        (compared("meta.on", "<", "2025-01-31"), F.on < date(2025, 1, 31)),
        (compared("meta.on", "==", "2025-01-31T12:00:00"), F.on == datetime(2025, 1, 31, 12, tzinfo=UTC)),
        (compared("meta.on", ">", datetime(2025, 1, 31, tzinfo=UTC)), F.on > date(2025, 1, 31)),
        (compared("meta.on", "==", "2025-99-99"), F.on == "2025-99-99"),
        (joined("AND", ONE, TWO), (F.page == 1) & (F.page == 2)),
        (joined("OR", ONE, TWO), (F.page == 1) | (F.page == 2)),
        (joined("NOT", ONE, TWO), ~((F.page == 1) & (F.page == 2))),
        (joined("AND", joined("NOT", ONE)), ~(F.page == 1)),
        (joined("OR"), NOTHING),
        (joined("AND"), EVERYTHING),
        ({}, EVERYTHING),
        (None, EVERYTHING),
    ],
    ids=str,
)
def test_a_filter_is_a_condition(filters: dict[str, Any] | None, condition: Condition) -> None:
    assert condition_of(filters) == condition


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        (compared("meta.name", "==", None), ["three", "four", "five"]),
        (compared("meta.name", "!=", None), ["one", "two"]),
        (compared("meta.name", "!=", "mast"), ["one", "three", "four", "five"]),
        (compared("meta.name", "in", ["mast", None]), ["two", "three", "four", "five"]),
        (compared("meta.name", "not in", ["mast", "heron"]), ["three", "four", "five"]),
        (compared("meta.page", ">", 1), ["two", "three"]),
        (compared("meta.page", "<=", None), []),
        (compared("meta.by.name", "==", None), ["two", "three", "four", "five"]),
        (compared("meta.on", "==", "2025-01-31T12:00:00+00:00"), ["one", "two", "three"]),
        (compared("meta.on", "!=", "2025-01-31T12:00:00"), ["four", "five"]),
        (compared("meta.on", "in", ["soon", "2025-02-01T00:00:00Z"]), ["four", "five"]),
        (compared("meta.on", ">", "2025-01-31"), ["one", "two", "three", "five"]),
        (joined("NOT", compared("meta.page", ">", 1)), ["one", "four", "five"]),
        (joined("NOT"), []),
    ],
    ids=str,
)
def test_what_passes_a_filter(filters: dict[str, Any], passing: list[str], space: Space) -> None:
    assert [hit.id for hit in space.scan(condition_of(filters))] == passing


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ("meta.page == 1", "filters"),
        ([ONE], "filters"),
        (0, "filters"),
        ({"conditions": [ONE]}, "filters.operator"),
        ({"operator": "AND"}, "filters.conditions"),
        ({"operator": "XOR", "conditions": []}, "filters.operator"),
        ({"operator": "and", "conditions": []}, "filters.operator"),
        ({"operator": "AND", "conditions": ONE}, "filters.conditions"),
        (joined("AND", ONE, {"operator": "==", "value": 1}), "filters.conditions[1].conditions"),
        (joined("AND", {"field": "meta.page", "value": 1}), "filters.conditions[0].operator"),
        (joined("OR", joined("NOT", {"field": "a", "operator": "=="})), "filters.conditions[0].conditions[0].value"),
        ({"operator": "AND", "conditions": [None]}, "filters.conditions[0]"),
        (compared("meta.page", "~", 1), "filters.operator"),
        ({"field": "meta.page", "operator": ["=="], "value": 1}, "filters.operator"),
        ({"field": 1, "operator": "==", "value": 1}, "filters.field"),
        (compared("content", "==", "a"), "filters.field"),
        (compared("embedding", "==", None), "filters.field"),
        (compared("meta.page", "in", 9), "filters.value"),
        (compared("meta.page", "in", (9, 10)), "filters.value"),
        (compared("meta.page", "not in", "ab"), "filters.value"),
        (compared("meta.page", ">", "1"), "filters.value"),
        (compared("meta.page", ">=", "20250131"), "filters.value"),
        (compared("meta.page", "<", "2025-99-99"), "filters.value"),
        (compared("meta.page", "<", [1]), "value"),
        (compared("meta.page", "<=", True), "value"),
        (compared("meta.page", "==", [1]), "value"),
        (compared("meta.page", "==", {"a": 1}), "value"),
        (compared("meta.page", "==", float("nan")), "value"),
        (compared("meta.page", "in", [1, [2]]), "value[1]"),
        (compared("id", "==", None), "value"),
        (compared("id", "<", 1), "op"),
    ],
    ids=str,
)
def test_what_means_nothing_is_refused_by_name(filters: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        condition_of(filters)
    assert (refused.value.code, refused.value.field) == ("invalid_filter", field)


def test_a_filter_that_is_too_large_is_not_read_to_its_end() -> None:
    deep: dict[str, Any] = ONE
    for _ in range(100_000):
        deep = joined("NOT", deep)
    wide = {"operator": "AND", "conditions": [ONE] * 100_000}
    long = compared("meta.page", "in", list(range(FILTER_VALUES_MAX + 1)))
    for filters, limit in ((deep, FILTER_DEPTH_MAX), (wide, FILTER_NODES_MAX), (long, FILTER_VALUES_MAX)):
        with pytest.raises(InvalidInput) as refused:
            condition_of(filters)
        assert refused.value.code == "filter_size"
        assert refused.value.limit.startswith(f"{limit} ")


def test_a_field_of_the_meta_may_have_a_prefix() -> None:
    fields = ("page", "meta.page", "meta.by.name", "metal")
    assert list(map(key_of, fields)) == ["page", "page", "by.name", "metal"]
    with pytest.raises(InvalidInput) as refused:
        key_of(1)  # type: ignore[arg-type]
    assert refused.value.field == "metadata_field"
