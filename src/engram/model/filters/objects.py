"""Filters as objects of JSON, which are also dicts in Python.

A node is ``{"and": [...]}``, ``{"or": [...]}``, ``{"not": {...}}``, or one comparison: ``{"op": "ge", "key": "deck",
"value": 2}``, where ``"of": "tags"`` instead of ``"key"`` names an attribute. Shorter, ``{"deck": 2, "room": {"prefix":
"m"}}`` compares keys of the metadata. An object with the fields of `Filter` is one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from engram.errors import InvalidInput
from engram.model.filters.conditions import EVERYTHING, Comparison, Condition, Group, Negation, compared, grouped
from engram.model.filters.filter import Between, Filter
from engram.model.filters.lowering import lowered, within
from engram.model.filters.operands import Instant, refused
from engram.model.filters.size import Budget, too_large
from engram.model.filters.subjects import ATTRIBUTES, LISTED, OPERATORS, VALUELESS, Subject, metadata_subject
from engram.model.limits import FILTER_DEPTH_MAX, FILTER_NODES_MAX
from engram.model.times import as_time_us, iso_time
from engram.model.values.scalars import shown

FILTER_FIELDS: Final = ("since", "until", "tags", "without_tags", "metadata", "confidence_min")
"""The fields of a `Filter`."""

_NODES: Final = ("and", "or", "not")
_COMPARED: Final = ("op", "key", "of", "value")
_NEAR_CHARACTERS_MAX: Final = 2 * max(map(len, FILTER_FIELDS))
# An error shows at most so much of a name, which may be megabytes.
_NAMED_CHARACTERS_MAX: Final = 40
_RESERVED: Final = frozenset((*FILTER_FIELDS, *_NODES, *_COMPARED))
# What others call the operators.
_SAME: Final = {
    "==": "eq",
    "=": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "lte": "le",
    "gte": "ge",
    "nin": "not_in",
    "is_in": "in",
    "not in": "not_in",
    "startswith": "prefix",
    "starts_with": "prefix",
}


def condition_of_object(value: Mapping[str, Any]) -> Filter | Condition:
    """Return the filter that an object stands for.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter`` or ``invalid_cue``, naming what is wrong and what to write; ``filter_size``, if it
        is too large.
    """
    return _node(value, "filter", 1, Budget())


def filter_of_fields(fields: Mapping[str, Any]) -> Filter:
    """Return the `Filter` of an object with its fields, where ``{"between": [low, high]}`` stands for a `Between`.

    Raises
    ------
    InvalidInput
        As `Filter`.
    """
    given = {name: each for name, each in fields.items() if each is not None}
    if isinstance(given.get("metadata"), Mapping):
        given["metadata"] = {
            key: Between(*_ends(each["between"], f"filter.metadata.{key}"))
            if isinstance(each, Mapping) and set(each) == {"between"}
            else each
            for key, each in given["metadata"].items()
        }
    return Filter(**given)


def object_of_condition(condition: Condition) -> dict[str, Any]:
    """Return the object of JSON that stands for a condition; `condition_of_object` reads it."""
    if isinstance(condition, Negation):
        return {"not": object_of_condition(condition.part)}
    if isinstance(condition, Group):
        return {condition.joint: [object_of_condition(part) for part in condition.parts]}
    if not isinstance(condition, Comparison):
        raise TypeError(f"a {type(condition).__name__} is no condition")
    subject, path = condition.subject, condition.subject.path
    made: dict[str, Any] = {"op": condition.operator}
    if subject.attribute is not None:
        made["of"] = subject.attribute
    else:
        made["key"] = path[0] if len(path) == 1 else list(path)
    values = [{"time": iso_time(each.time_us)} if isinstance(each, Instant) else each for each in condition.values]
    if condition.operator in LISTED:
        made["value"] = values
    elif condition.operator not in VALUELESS:
        made["value"] = values[0]
    return made


def _node(value: object, field: str, depth: int, budget: Budget) -> Filter | Condition:
    if isinstance(value, Condition):
        budget.take(value.size.nodes, value.size.values)
        return value
    if isinstance(value, Filter):
        budget.take(nodes=1)
        return value
    if not isinstance(value, Mapping):
        raise refused(
            f'{field} is {shown(value)}; pass an object, such as {{"deck": 2}}',
            field,
            "an object",
            type(value).__name__,
        )
    if depth > FILTER_DEPTH_MAX:
        raise too_large("levels", FILTER_DEPTH_MAX, depth)
    if len(value) > FILTER_NODES_MAX:
        raise too_large("conditions, groups and negations", FILTER_NODES_MAX, len(value))
    for name in value:
        if not isinstance(name, str):
            raise refused(f"{field} has the key {shown(name)}; keys are texts", field, "a text", type(name).__name__)
    names = set(value)
    if names and not names & _RESERVED:
        return grouped("and", (part for name, each in value.items() for part in _short(name, each, field, budget)))
    budget.take(nodes=1)
    if names <= set(FILTER_FIELDS):
        return filter_of_fields(value) if names else EVERYTHING
    joint = next((name for name in _NODES if name in names), None)
    if joint is not None and len(names) == 1:
        return _joint(joint, value[joint], f"{field}.{joint}", depth, budget)
    if "op" in names and names <= set(_COMPARED):
        return _comparison(value, field, budget)
    raise _ambiguous(names, field)


def _joint(joint: str, inner: object, field: str, depth: int, budget: Budget) -> Condition:
    if joint == "not":
        return Negation(_as_condition(_node(inner, field, depth + 1, budget)))
    if not isinstance(inner, list | tuple):
        raise refused(f"{field} is {shown(inner)}; pass a list of objects", field, "a list", type(inner).__name__)
    if len(inner) > FILTER_NODES_MAX:
        raise too_large("conditions, groups and negations", FILTER_NODES_MAX, len(inner) + 1)
    parts = (_as_condition(_node(each, f"{field}[{row}]", depth + 1, budget)) for row, each in enumerate(inner))
    return Group("and" if joint == "and" else "or", tuple(parts))


def _as_condition(node: Filter | Condition) -> Condition:
    return node if isinstance(node, Condition) else lowered(node)


def _comparison(value: Mapping[str, Any], field: str, budget: Budget) -> Condition:
    if ("key" in value) == ("of" in value):
        raise refused(
            f"{field} needs one of key, which names a key of the metadata, and of, which is {', '.join(ATTRIBUTES)}",
            field,
            "key or of",
            ", ".join(sorted(value)),
        )
    if "of" in value:
        if value["of"] not in ATTRIBUTES:
            known = ", ".join(ATTRIBUTES)
            raise refused(f"{field}.of is {shown(value['of'])}; use {known}", f"{field}.of", known, shown(value["of"]))
        subject = Subject(value["of"])
    else:
        subject = metadata_subject(value["key"])
    operator = value["op"]
    if isinstance(operator, str) and operator not in VALUELESS and "value" not in value:
        raise refused(f"{field} has no value to compare with", f"{field}.value", "a value", "nothing")
    return _compared(subject, operator, value.get("value", True), field, budget)


def _compared(subject: Subject, operator: object, value: object, field: str, budget: Budget) -> Condition:
    """Return a comparison; the values may be objects that stand for times."""
    if not isinstance(operator, str) or operator not in OPERATORS:
        known = ", ".join(OPERATORS)
        like = _SAME.get(operator.lstrip("$"), operator.lstrip("$")) if isinstance(operator, str) else ""
        hint = f"; {like} means that" if like in OPERATORS else ""
        raise refused(
            f"{field} has the operator {shown(operator, with_type=False)}; use one of {known}{hint}",
            field,
            known,
            shown(operator),
        )
    if operator in VALUELESS:
        if not isinstance(value, bool):
            raise refused(
                f"the value of {operator} in {field} is {shown(value)}; pass true or false, or leave it out",
                f"{field}.value",
                "true or false",
                shown(value),
            )
        found = compared(subject, operator)
        return found if value else Negation(found)
    if isinstance(value, list | tuple) and operator in LISTED:
        budget.take(values=len(value))
        value = [_time_or(each, field) for each in value]
    return compared(subject, operator, _time_or(value, field))


def _time_or(value: object, field: str) -> object:
    if isinstance(value, Mapping) and set(value) == {"time"}:
        return Instant(as_time_us(value["time"], f"{field}.time"))
    return value


def _short(name: str, value: object, field: str, budget: Budget) -> Iterator[Condition]:
    """Yield the conditions of one key of ``{"deck": 2}`` or ``{"deck": {"ge": 2, "lt": 5}}``."""
    budget.take(nodes=1)
    subject, where = _plain_subject(name, field), f"{field}.{name[:_NAMED_CHARACTERS_MAX]}"
    if isinstance(value, Between):
        value = {"between": [value.low, value.high]}
    if not isinstance(value, Mapping):
        if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
            raise refused(
                f'{where} is a list; write {{"in": [...]}} for one of its values, or {{"contains": value}} for an '
                "element of the stored list",
                where,
                "a value",
                type(value).__name__,
            )
        yield compared(subject, "eq", value)
        return
    if set(value) == {"time"}:
        yield compared(subject, "eq", _time_or(value, where))
        return
    if not value:
        raise refused(f'{where} has no condition; write a value, or such as {{"ge": 2}}', where, "a condition", "{}")
    budget.take(nodes=len(value) - 1)
    for operator, operand in value.items():
        if operator == "between":
            yield from within(subject, Between(*_ends(operand, where)))
        else:
            yield _compared(subject, operator, operand, where, budget)


def _plain_subject(name: str, field: str) -> Subject:
    """Return a key of the metadata that stands by itself; refuse one that may mean something else."""
    # The comparison takes long for a long name, which is near to none.
    near = difflib.get_close_matches(name, FILTER_FIELDS, 1, 0.8) if len(name) <= _NEAR_CHARACTERS_MAX else []
    if near:
        raise InvalidInput(
            f"{field}.{name} is not known; did you mean {near[0]}? For a key of the metadata of that name write "
            f'{{"op": "eq", "key": {_quoted(name)}, "value": ...}}',
            code="unknown_field",
            field=f"{field}.{name}",
            limit=near[0],
            value=name,
        )
    if name in ATTRIBUTES:
        raise refused(
            f'{field}.{name} may mean two things; write {{"op": "eq", "of": "{name}", "value": ...}} for that of the '
            f'observation, or {{"op": "eq", "key": "{name}", "value": ...}} for a key of its metadata',
            f"{field}.{name}",
            '"of" or "key"',
            name,
        )
    if "." in name or name.startswith(("$", "@")):
        begin = name[:_NAMED_CHARACTERS_MAX]
        path, said = ", ".join(map(_quoted, begin.split("."))), shown(name, with_type=False)
        raise refused(
            f'{field} has the key {said}, which may mean several things; write {{"op": "eq", "key": [{path}], "value": '
            f'...}} for a nested key, or "key": {_quoted(name)} for a key of this name',
            field,
            '"key"',
            begin,
        )
    return metadata_subject(name)


def _ends(operand: object, field: str) -> Sequence[Any]:
    if not isinstance(operand, list | tuple) or len(operand) != 2:
        wanted = "[low, high], where null is no bound"
        raise refused(f"{field}.between is {shown(operand)}; pass {wanted}", f"{field}.between", wanted, shown(operand))
    return operand


def _ambiguous(names: set[str], field: str) -> InvalidInput:
    words, others = sorted(names & _RESERVED), sorted(names - _RESERVED)
    beside = f" beside {', '.join(_begins(others[:5]))}" if others else " together"
    return refused(
        f'{field} has {", ".join(words)}{beside}, which may mean several things; write {{"and": [...]}} around objects '
        f'of their own, and {{"op": "eq", "key": {_quoted(words[0])}, "value": ...}} for a key of the metadata of that '
        "name",
        field,
        "objects of their own",
        ", ".join(_begins(sorted(names)[:8])),
    )


def _begins(names: list[str]) -> list[str]:
    return [name[:_NAMED_CHARACTERS_MAX] for name in names]


def _quoted(name: str) -> str:
    return '"' + name[:_NAMED_CHARACTERS_MAX].replace('"', '\\"') + '"'
