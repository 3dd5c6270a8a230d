"""Conversion of messages to and from conditions of a filter."""

from __future__ import annotations

from typing import Final, Literal

from engram.errors import InvalidInput
from engram.model.filters.conditions import Comparison, Condition, Group, Joint, Negation, compared
from engram.model.filters.operands import Instant, Operand, instant
from engram.model.filters.size import Budget, too_large
from engram.model.filters.subjects import ATTRIBUTES, LISTED, OPERATORS, VALUELESS, Subject, metadata_subject
from engram.model.limits import FILTER_DEPTH_MAX
from engram.model.values.scalars import shown
from engram.wire import engram_pb2 as pb

_WHOLE_MAX: Final = 2**63 - 1
_GROUPS: Final[dict[str, Joint]] = {"all_of": "and", "any_of": "or"}


def decode_condition(message: pb.FilterNode) -> Condition:
    """Return the condition in a message.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter`` or ``filter_size``, if its content is invalid.
    """
    return _decode_node(message, 1, Budget())


def _decode_node(message: pb.FilterNode, depth: int, budget: Budget) -> Condition:
    if depth > FILTER_DEPTH_MAX:
        raise too_large("levels", FILTER_DEPTH_MAX, depth)
    budget.take(nodes=1)
    kind: Literal["condition", "all_of", "any_of", "negated"] | None = message.WhichOneof("node")
    if kind == "condition":
        return _decode_comparison(message.condition, budget)
    if kind == "negated":
        return Negation(_decode_node(message.negated, depth + 1, budget))
    if kind is None:
        raise InvalidInput(
            "a node of the filter is empty",
            code="invalid_filter",
            field="filter.where",
            limit="condition, all_of, any_of or negated",
            value="nothing",
        )
    parts = getattr(message, kind).parts
    return Group(_GROUPS[kind], tuple(_decode_node(part, depth + 1, budget) for part in parts))


def encode_condition(condition: Condition) -> pb.FilterNode:
    """Return the message for a condition."""
    if isinstance(condition, Negation):
        return pb.FilterNode(negated=encode_condition(condition.part))
    if isinstance(condition, Group):
        group = pb.FilterGroup(parts=map(encode_condition, condition.parts))
        return pb.FilterNode(all_of=group) if condition.joint == "and" else pb.FilterNode(any_of=group)
    if not isinstance(condition, Comparison):
        raise TypeError(f"a {type(condition).__name__} is no condition")
    return pb.FilterNode(
        condition=pb.FilterCondition(
            attribute=condition.subject.attribute or "",
            path=condition.subject.path,
            operator=condition.operator,
            values=map(_encode_value, condition.values),
        )
    )


def _decode_comparison(message: pb.FilterCondition, budget: Budget) -> Comparison:
    subject = _decode_subject(message)
    budget.take(values=len(message.values))
    values = [_decode_value(value) for value in message.values]
    operator = message.operator
    if operator in LISTED:
        return compared(subject, operator, values)
    if operator in OPERATORS and len(values) != (operator not in VALUELESS):
        raise InvalidInput(
            f"{operator} compares with {int(operator not in VALUELESS)} values, not with {len(values)}",
            code="invalid_filter",
            field="filter.where.values",
            limit=int(operator not in VALUELESS),
            value=len(values),
        )
    return compared(subject, operator, values[0] if values else None)


def _decode_subject(message: pb.FilterCondition) -> Subject:
    if not message.attribute:
        # A message may have millions of keys here, so they are not listed before they are counted.
        return metadata_subject(message.path)
    for attribute in ATTRIBUTES:
        if attribute == message.attribute:
            return Subject(attribute)
    known = ", ".join(ATTRIBUTES)
    raise InvalidInput(
        f"there is no attribute {shown(message.attribute, with_type=False)} to filter by; use {known}",
        code="invalid_filter",
        field="filter.where.attribute",
        limit=known,
        value=message.attribute[:40],
    )


def _decode_value(message: pb.FilterValue) -> Operand:
    kind = message.WhichOneof("value")
    if kind is None:
        return None
    value: Operand = getattr(message, kind)
    return instant(message.time_us) if kind == "time_us" else value


def _encode_value(value: Operand) -> pb.FilterValue:
    if value is None:
        return pb.FilterValue()
    if isinstance(value, bool):
        return pb.FilterValue(truth=value)
    if isinstance(value, int):
        return pb.FilterValue(whole=value) if value <= _WHOLE_MAX else pb.FilterValue(large=value)
    if isinstance(value, float):
        return pb.FilterValue(number=value)
    if isinstance(value, Instant):
        return pb.FilterValue(time_us=value.time_us)
    return pb.FilterValue(text=value)
