"""What filters mean, in plain Python: the oracle that the filter index is compared with, and strategies for trees."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from engram.model.filters.conditions import Comparison, Condition, Group, Negation, compared
from engram.model.filters.operands import Instant
from engram.model.filters.subjects import Subject, metadata_subject

MISSING = object()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Observed(NamedTuple):
    """An observation, as far as filters look at it."""

    id: str
    time_us: int
    tags: tuple[str, ...]
    metadata: dict[str, Any]
    confidence: float
    importance: float


def meets(row: Observed, condition: Condition) -> bool:  # noqa: PLR0911  (one for each kind of condition)
    """Whether an observation meets a condition."""
    if isinstance(condition, Negation):
        return not meets(row, condition.part)
    if isinstance(condition, Group):
        return (all if condition.joint == "and" else any)(meets(row, part) for part in condition.parts)
    assert isinstance(condition, Comparison)
    operator, values, attribute = condition.operator, condition.values, condition.subject.attribute
    if attribute == "tags":
        found = [value in row.tags for value in values]
        return {"any": any(found), "all": all(found), "none": not any(found)}[operator]
    if operator in ("ne", "not_in"):
        return not meets(row, Comparison(condition.subject, "eq" if operator == "ne" else "in", values))
    if attribute == "id":
        return row.id.startswith(str(values[0])) if operator == "prefix" else row.id in values
    if attribute == "observed_at":
        (bound,) = values
        assert isinstance(bound, Instant)
        return ordered(operator, row.time_us, bound.time_us)
    if attribute is not None:
        number: Any = values[0]
        return ordered(operator, float(np.float32(getattr(row, attribute))), float(np.float32(number)))
    value: Any = row.metadata
    for key in condition.subject.path:
        value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
    return metadata_meets(value, operator, values)


def metadata_meets(  # noqa: PLR0911  (one for each operator)
    value: Any, operator: str, values: tuple[Any, ...]
) -> bool:
    """Whether a value of the metadata, or `MISSING`, meets a condition."""
    if operator == "exists":
        return value is not MISSING
    if operator == "is_null":
        return value is None
    if operator in ("eq", "in"):
        return any(equal(value, wanted) for wanted in values)
    (wanted,) = values
    if operator == "prefix":
        return isinstance(value, str) and value.startswith(wanted)
    if operator == "contains":
        if isinstance(value, list):
            return any(equal(each, wanted) for each in value)
        return isinstance(value, str) and isinstance(wanted, str) and wanted in value
    if isinstance(wanted, Instant):
        time_us = time_of(value)
        return time_us is not None and ordered(operator, time_us, wanted.time_us)
    if isinstance(value, bool) or isinstance(value, str) != isinstance(wanted, str):
        return False
    return isinstance(value, str | int | float) and ordered(operator, value, wanted)


def equal(value: Any, wanted: Any) -> bool:
    """Whether a value is equal to a wanted one, as conditions understand it."""
    if wanted is None:
        return value is None or value is MISSING
    if isinstance(wanted, Instant):
        return time_of(value) == wanted.time_us
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return isinstance(value, str | int | float) and bool(value == wanted)


def ordered(operator: str, value: Any, bound: Any) -> bool:
    """Whether `value` is equal to, less or greater than `bound`."""
    return bool(
        {
            "eq": lambda: value == bound,
            "lt": lambda: value < bound,
            "le": lambda: value <= bound,
            "gt": lambda: value > bound,
            "ge": lambda: value >= bound,
        }[operator]()
    )


def time_of(value: Any) -> int | None:
    """A text of ISO 8601 in microseconds since 1970 UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - EPOCH
    return since // datetime.resolution


BIG = 2**53
LONG = "x" * 300
SCALARS = st.sampled_from(
    [
        *(0, 1, 1.0, 2.5, -3, BIG, BIG + 1, BIG + 2, float(BIG), -(2**63), 2**64 - 1),
        *(True, False, None, "", "1", "abc", "abd", "b", "ä", "\U0001f600", LONG, LONG + "y"),
        *("2025-01-31", "2025-01-31T12:00:00Z", "2025-01-31T13:00:00+01:00"),
    ]
)
INNER = SCALARS | st.lists(SCALARS | st.just([1]), max_size=3)
VALUES = INNER | st.dictionaries(st.sampled_from("kl"), INNER, max_size=2)
METADATA = st.dictionaries(st.sampled_from(["k", "l", "m"]), VALUES, max_size=3)
PATHS = st.sampled_from([["k"], ["l"], ["m"], ["k", "l"], ["m", "k"], ["never"]])
NOON_US = 1_738_324_800_000_000
INSTANTS = st.sampled_from([NOON_US, NOON_US - 43_200_000_000, 5]).map(Instant)
BOUNDS = SCALARS.filter(lambda value: value is not None and not isinstance(value, bool)) | INSTANTS


def comparisons(ids: list[str]) -> st.SearchStrategy[Condition]:
    """Comparisons of every kind, of which observations with `ids` meet some."""
    of_metadata = PATHS.map(metadata_subject)
    listed = st.sampled_from(["in", "not_in"])
    tags = st.lists(st.sampled_from("abc"), max_size=3)
    shares = st.sampled_from([0.0, 0.25, 0.9, 1.0])
    signs = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
    texts = st.sampled_from(["", "a", "ab", "x", LONG[:280], LONG, "20", "ä"])
    return st.one_of(
        st.builds(compared, of_metadata, st.sampled_from(["eq", "ne"]), SCALARS | INSTANTS),
        st.builds(compared, of_metadata, st.sampled_from(["lt", "le", "gt", "ge"]), BOUNDS),
        st.builds(compared, of_metadata, listed, st.lists(SCALARS | INSTANTS, max_size=3)),
        st.builds(compared, of_metadata, st.sampled_from(["exists", "is_null"])),
        st.builds(compared, of_metadata, st.just("prefix"), texts),
        st.builds(compared, of_metadata, st.just("contains"), SCALARS | texts),
        st.builds(compared, st.just(Subject("id")), st.sampled_from(["eq", "ne"]), st.sampled_from(ids)),
        st.builds(compared, st.just(Subject("id")), listed, st.lists(st.sampled_from(ids), max_size=3)),
        st.builds(compared, st.just(Subject("id")), st.just("prefix"), st.sampled_from(["", *ids, ids[0] * 2])),
        st.builds(compared, st.just(Subject("tags")), st.sampled_from(["any", "all", "none"]), tags),
        st.builds(compared, st.sampled_from([Subject("confidence"), Subject("importance")]), signs, shares),
        st.builds(compared, st.just(Subject("observed_at")), signs, st.integers(0, 6)),
    )


def trees(ids: list[str]) -> st.SearchStrategy[Condition]:
    """Conditions of any shape."""
    return st.recursive(
        comparisons(ids),
        lambda parts: st.one_of(
            st.builds(Negation, parts),
            st.builds(Group, st.sampled_from(["and", "or"]), st.lists(parts, max_size=3).map(tuple)),
        ),
        max_leaves=8,
    )
