"""What a `Filter` means, as a tree of conditions."""

from __future__ import annotations

from collections.abc import Iterator

from engram.model.filters.conditions import EVERYTHING, Comparison, Condition, Group, compared
from engram.model.filters.filter import Between, Filter
from engram.model.filters.operands import instant
from engram.model.filters.subjects import Operator, Subject


def lowered(filter: Filter) -> Condition:
    """Return the condition that exactly those observations meet that pass `filter`."""
    parts = tuple(_parts(filter))
    return Group("and", parts) if parts else EVERYTHING


def within(subject: Subject, wanted: Between) -> Iterator[Condition]:
    """Yield the conditions that the number of `subject` lies within the bounds of `wanted`."""
    bounds: list[tuple[Operator, float]] = []
    if wanted.low is not None:
        bounds.append(("ge", wanted.low))
    if wanted.high is not None:
        bounds.append(("le", wanted.high))
    for operator, bound in bounds:
        yield compared(subject, operator, bound)
    if not bounds:
        # Any number lies within no bounds, and nothing else does.
        yield Group("or", (Comparison(subject, "ge", (0.0,)), Comparison(subject, "lt", (0.0,))))


def _parts(filter: Filter) -> Iterator[Condition]:
    if filter.since_us is not None:
        yield Comparison(Subject("observed_at"), "ge", (instant(filter.since_us),))
    if filter.until_us is not None:
        yield Comparison(Subject("observed_at"), "lt", (instant(filter.until_us),))
    if filter.confidence_min:
        yield Comparison(Subject("confidence"), "ge", (filter.confidence_min,))
    if filter.tags:
        yield Comparison(Subject("tags"), "all", tuple(sorted(filter.tags)))
    if filter.without_tags:
        yield Comparison(Subject("tags"), "none", tuple(sorted(filter.without_tags)))
    for key, wanted in filter.metadata.items():
        subject = Subject(path=(key,))
        if isinstance(wanted, Between):
            yield from within(subject, wanted)
        elif wanted is None:
            # The null of a `Filter` always was one that is there; that of a condition may be missing, too.
            yield compared(subject, "is_null")
        else:
            yield compared(subject, "eq", wanted)
