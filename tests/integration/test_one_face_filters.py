"""Filters of any shape, and counting, are the same embedded and over every transport."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
import pytest

from engram import Between, Condition, Counted, Cue, F, Filter, Own, RecallQuery, parse_filter
from engram.errors import InvalidInput
from engram.model.filters.conditions import Comparison, Group, Negation
from engram.model.filters.filter_like import as_condition
from engram.model.filters.operands import Instant
from engram.model.filters.subjects import OPERATORS_OF
from tests.integration.homes import ids, vector_of

NAMES = ["a", "b", "c", "d", "e"]
BIG = 2**53
LONG = "long " * 100
# Attributes that have a suite of their own.
ELSEWHERE: Final[frozenset[str | None]] = frozenset({"expires_at"})
METADATA: list[dict[str, Any]] = [
    {"deck": 1, "room": "mess", "crew": {"name": "Ann", "age": 30}, "list": [1, "x", None], "when": "2025-01-31"},
    {"deck": 2, "room": "galley", "crew": {"name": "Bob"}, "list": ["x", "y"], "big": BIG + 1},
    {"deck": 2.5, "room": None, "ok": True, "big": BIG, "when": "2025-02-01T12:00:00Z"},
    {"deck": "2", "ok": False, "tags": ["not", "these"], "text": LONG},
    {},
]
TAGS = [["urgent"], ["urgent", "wet"], ["wet"], [], []]

# Each condition, and the observations that meet it.
CASES: list[tuple[Any, str]] = [
    (F.deck == 2, "b"),
    (F.deck == 2.0, "b"),
    (F.deck == "2", "d"),
    (F.ok == True, "c"),  # noqa: E712  (a condition)
    (F.room == None, "cde"),  # noqa: E711  (a condition)
    (F.room != None, "ab"),  # noqa: E711  (a condition)
    (F.deck != 2, "acde"),
    (F.deck.is_in([1, "2"]), "ad"),
    (F.deck.is_in([]), ""),
    (F.room.is_in(["mess", None]), "acde"),
    (F.deck.not_in([1, 2]), "cde"),
    (F.deck < 2, "a"),
    (F.deck <= 2, "ab"),
    (F.deck > 2, "c"),
    (F.deck >= 2, "bc"),
    (F.room < "h", "b"),
    (F.room >= "galley", "ab"),
    ((F.deck >= 1) & (F.deck < 2.5), "ab"),
    (F.big > BIG, "b"),
    (F.big == BIG, "c"),
    (F.big < BIG + 1, "c"),
    (F.room.exists(), "abc"),
    (F.room.is_null(), "c"),
    (F.room.starts_with("m"), "a"),
    (F.room.contains("e"), "ab"),
    (F.list.contains("x"), "ab"),
    (F.list.contains(1), "a"),
    (F.list.contains(None), "a"),
    (F.list.exists(), "ab"),
    (F.text == LONG, "d"),
    (F.text.starts_with(LONG[:400]), "d"),
    (F.text.contains("g l"), "d"),
    (F.crew.name == "Ann", "a"),
    (F.crew.exists(), "ab"),
    (F["crew"]["age"] < 31, "a"),
    (F.when >= Instant(1_738_368_000_000_000), "c"),
    (F.when == np.datetime64("2025-01-31"), "a"),
    (F.never.exists(), ""),
    (~(F.never > 1), "abcde"),
    (Own.id == "a", "a"),
    (Own.id != "a", "bcde"),
    (Own.id.is_in(["b", "z"]), "b"),
    (Own.id.not_in(["b", "c"]), "ade"),
    (Own.id.starts_with("b"), "b"),
    (Own.id.starts_with("bb"), ""),
    (~Own.id.starts_with("b"), "acde"),
    (Own.id.starts_with(""), "abcde"),
    ({"op": "prefix", "of": "id", "value": "c"}, "c"),
    (Own.tags.has_any(["urgent", "dry"]), "ab"),
    (Own.tags.has_all(["urgent", "wet"]), "b"),
    (Own.tags.has_none(["urgent", "wet"]), "de"),
    (Own.confidence >= 0.9, "de"),
    (Own.confidence == 0.1, "a"),
    (Own.confidence != 0.1, "bcde"),
    (Own.importance < 0.2, "e"),
    (Own.importance < 1e300, "abcde"),
    (Own.confidence > -1e300, "abcde"),
    (Own.confidence == 1e300, ""),
    (Own.confidence < 0.5, "a"),
    (Own.confidence <= 0.5, "abc"),
    (Own.confidence > 0.5, "de"),
    (Own.importance == 0.8, "b"),
    (Own.importance != 0.8, "acde"),
    (Own.importance <= 0.4, "de"),
    (Own.importance > 0.6, "ab"),
    (Own.importance >= 0.6, "abc"),
    (Own.observed_at > 2, "cde"),
    (Own.observed_at <= 2, "ab"),
    (Own.observed_at == 4, "c"),
    (Own.observed_at != 4, "abde"),
    (Own.observed_at < 4, "ab"),
    (Own.observed_at >= 4, "cde"),
    ((F.deck >= 2) & ~F.room.is_in(["mess"]) | Own.id.is_in(["e"]), "bce"),
    (~((F.deck == 1) | (F.deck == 2)), "cde"),
    ({"deck": 2}, "b"),
    ({"deck": {"ge": 1, "lt": 2.5}, "room": {"prefix": "g"}}, "b"),
    ({"deck": {"between": [2, None]}}, "bc"),
    ({"or": [{"deck": 1}, {"op": "all", "of": "tags", "value": ["wet"]}]}, "abc"),
    ({"not": {"op": "exists", "key": "deck"}}, "e"),
    ({"op": "eq", "key": ["crew", "name"], "value": "Bob"}, "b"),
    ({"op": "exists", "key": "deck", "value": False}, "e"),
    ({"when": {"lt": {"time": "2025-02-01"}}}, "a"),
    ({"and": []}, "abcde"),
    ({"or": []}, ""),
    ({}, "abcde"),
    ({"tags": ["urgent"], "metadata": {"deck": 1}}, "a"),
    (Filter(metadata={"room": None}), "c"),
    (Filter(metadata={"deck": Between(2, None)}, without_tags={"wet"}), ""),
    (Filter(metadata={"deck": Between(2, float("inf"))}), "bc"),
    (Filter(metadata={"deck": Between(float("-inf"), float("inf"))}), "abc"),
    ({"deck": {"between": [float("-inf"), 2]}}, "ab"),
    ({"not": {"deck": Between(2, float("inf"))}}, "ade"),
    (None, "abcde"),
]


def fill(home: Any) -> None:
    home.observe(
        NAMES,
        [vector_of(name) for name in NAMES],
        NAMES,
        timestamps=[0, 2, 4, 6, 8],
        metadata=METADATA,
        tags=TAGS,
        confidences=[0.1, 0.5, 0.5, 0.9, 1.0],
        importances=[1.0, 0.8, 0.6, 0.4, 0.1],
    )


def test_every_condition_means_the_same_everywhere(home: Any) -> None:
    fill(home)
    # All at once: a home for each case would take minutes.
    found = [
        (int(home.count(filter)), "".join(sorted(ids(home.recall(Cue(filter=filter), 10))))) for filter, _ in CASES
    ]
    for (filter, expected), counted in zip(CASES, found, strict=True):
        assert counted == (len(expected), expected), repr(filter)


class Room(enum.Enum):
    MESS = "mess"


STORED: Final[dict[str, Any]] = {
    "owner": UUID("12345678-1234-5678-1234-567812345678"),
    "price": Decimal("1.10"),
    "pieces": Decimal(3),
    "at": datetime(2025, 1, 31, 12, 0, 0, 5),
    "day": date(2025, 1, 2),
    "moment": np.datetime64("2025-01-02T03:04"),
    "room": Room.MESS,
    "size": np.float32(0.5),
    "deck": np.int64(7),
    "ok": np.bool_(True),
}
"""Values of Python that JSON does not have."""


def test_what_is_stored_as_something_else_is_found_by_itself(home: Any) -> None:
    home.observe(["a", "b"], [vector_of("a"), vector_of("b")], metadata=[STORED, None])
    for key, value in STORED.items():
        for filter in (F[key] == value, F[key].is_in([value]), {key: value}, Filter(metadata={key: value})):
            assert [hit.id for hit in home.scan(filter)] == ["a"], key
    found = home.get("a").metadata
    assert (found["owner"], found["price"], found["at"]) == (str(STORED["owner"]), 1.1, "2025-01-31T12:00:00.000005Z")
    later = (F.at > datetime(2025, 1, 31)) & (F.day < date(2025, 1, 3)) & (F.price <= Decimal("1.1"))
    assert (home.count(later), home.count(F.moment > np.datetime64("2025-01-03"))) == (1, 0)


def compared(condition: Condition) -> Iterator[tuple[str | None, str]]:
    """What a condition compares, and how."""
    if isinstance(condition, Comparison):
        yield condition.subject.attribute, condition.operator
    elif isinstance(condition, Negation):
        yield from compared(condition.part)
    elif isinstance(condition, Group):
        for part in condition.parts:
            yield from compared(part)


def test_every_operator_of_every_attribute_has_a_case() -> None:
    wanted = {
        (attribute, operator)
        for attribute, operators in OPERATORS_OF.items()
        for operator in operators
        if attribute not in ELSEWHERE
    }
    assert wanted == {each for filter, _ in CASES for each in compared(as_condition(filter))}
    joints = {part.joint for filter, _ in CASES if isinstance(part := as_condition(filter), Group)}
    assert joints == {"and", "or"}
    assert any(isinstance(as_condition(filter), Negation) for filter, _ in CASES)


def test_a_count_says_as_of_when_it_is(home: Any) -> None:
    assert (home.count(), home.count().generation) == (0, 0)
    fill(home)
    held = home.snapshot()
    home.delete(["a"])
    home.observe("b", vector_of("b"), metadata={"deck": 9})
    counted = home.count({"deck": 2})
    assert (type(counted), counted, counted.generation, repr(counted)) == (Counted, 0, 7, "Counted(0, generation=7)")
    assert (home.count(), home.count(F.deck == 2, 5), home.count(None, max_generation=0)) == (4, 1, 0)
    assert (held.count(), held.count(F.deck == 2), held.count({"deck": 9}).generation) == (5, 1, 5)


def test_a_filter_finds_as_many_as_exist(home: Any) -> None:
    names = [f"n{number}" for number in range(300)]
    home.observe(names, [vector_of(name) for name in names], metadata=[{"n": number} for number in range(300)])
    wanted = (F.n >= 100) & (F.n < 104) | (F.n == 7)
    assert sorted(ids(home.recall(Cue(vector_of("n250"), filter=wanted), 10))) == ["n100", "n101", "n102", "n103", "n7"]
    assert home.count(wanted) == 5
    batches = home.open(RecallQuery(Cue(vector_of("n250"), filter=~wanted), k=295, batch_size=100))
    assert sorted(hit.id for hits in batches for hit in hits) == sorted(
        set(names) - {"n100", "n101", "n102", "n103", "n7"}
    )


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"deck": 1}
    for _ in range(levels):
        found = {"not": found}
    return found


REFUSED: list[tuple[Any, str, str]] = [
    (3, "invalid_filter", "filter"),
    ("deck = 2", "invalid_filter", "filter"),
    ([F.deck == 2], "invalid_filter", "filter"),
    (F.deck, "invalid_filter", "filter"),
    ({3: 1}, "invalid_filter", "filter"),
    ({"deck": [1]}, "invalid_filter", "filter.deck"),
    ({"deck": {}}, "invalid_filter", "filter.deck"),
    ({"deck": {"$gt": 1}}, "invalid_filter", "filter.deck"),
    ({"deck": {"gt": None}}, "invalid_filter", "value"),
    ({"deck": float("nan")}, "invalid_filter", "value"),
    ({"deck": 2**70}, "invalid_filter", "value"),
    ({"deck": object()}, "invalid_filter", "value"),
    ({"crew.name": "Ann"}, "invalid_filter", "filter"),
    ({"deck": 2, "tags": ["x"]}, "invalid_filter", "filter"),
    ({"id": "a"}, "invalid_filter", "filter.id"),
    ({"tag": "x"}, "unknown_field", "filter.tag"),
    ({"op": "eq", "value": 1}, "invalid_filter", "filter"),
    ({"op": "eq", "key": "deck"}, "invalid_filter", "filter.value"),
    ({"op": "eq", "of": "age", "value": 1}, "invalid_filter", "filter.of"),
    ({"op": "in", "key": "deck", "value": "abc"}, "invalid_filter", "value"),
    ({"op": "prefix", "key": "deck", "value": 3}, "invalid_filter", "value"),
    ({"op": "any", "of": "tags", "value": [3]}, "invalid_filter", "value[0]"),
    ({"op": ["eq"], "key": "deck", "value": 1}, "invalid_filter", "filter"),
    ({"when": {"contains": {"time": "2025-01-31"}}}, "invalid_filter", "value"),
    ({"op": "ge", "of": "observed_at", "value": "soon"}, "invalid_time", "value"),
    ({"and": {"deck": 1}}, "invalid_filter", "filter.and"),
    ({"or": [{"deck": 1}] * 1_000_000}, "filter_size", "filter"),
    ({"op": "in", "key": "deck", "value": range(10**12)}, "filter_size", "filter"),
    ({"deck": "x" * 5_000_000}, "filter_size", "filter"),
    (nested(100_000), "filter_size", "filter"),
]


@pytest.mark.parametrize(
    ("filter", "code", "field"), REFUSED, ids=[f"{n}-{code}" for n, (_, code, _) in enumerate(REFUSED)]
)
def test_what_means_nothing_is_refused_by_name(reading_home: Any, filter: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as counted:
        reading_home.count(filter)
    with pytest.raises(InvalidInput) as recalled:
        reading_home.recall(Cue(filter=filter))
    for caught in (counted, recalled):
        assert (caught.value.code, caught.value.field) == (code, field)


def test_a_text_is_the_filter_it_says() -> None:
    for filter, _ in CASES:
        condition = as_condition(filter)
        assert isinstance(condition, Condition)
        assert str(parse_filter(str(condition))) == str(condition)
