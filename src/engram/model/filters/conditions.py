"""Conditions on observations: a tree of comparisons, groups and negations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn

from engram.errors import InvalidInput
from engram.model.filters.operands import Operand, operand_text, operands, refused
from engram.model.filters.size import FilterSize, above, too_large
from engram.model.filters.subjects import LISTED, OPERATORS, Operator, Subject
from engram.model.limits import FILTER_NODES_MAX
from engram.model.values.scalars import shown
from engram.showing import cut

Joint = Literal["and", "or"]
_SHOWN_CHARACTERS_MAX: Final = 160


class Condition(ABC):
    """A condition that an observation meets or does not; made by `F` and `Own`, or of a dict or a text by `as_filter`.

    Conditions are joined by ``&`` (both), ``|`` (one or the other) and ``~`` (not). They are values: equal if they are
    written alike, hashable, and never changed. ``str`` gives their text.
    """

    __slots__ = ()

    size: FilterSize
    """How large it is."""

    def __and__(self, other: Condition) -> Group:
        """Return the condition that both are met."""
        return _joined("and", self, other)

    def __or__(self, other: Condition) -> Group:
        """Return the condition that at least one is met."""
        return _joined("or", self, other)

    def __invert__(self) -> Condition:
        """Return the condition that this one is not met."""
        return Negation(self)

    def __bool__(self) -> NoReturn:
        """Refuse to be true or false: ``and``, ``or``, ``not`` and ``a <= F.b <= c`` would ask for it.

        Raises
        ------
        InvalidInput
            Always, with code ``invalid_filter``.
        """
        raise refused(
            "a condition is neither true nor false: join conditions by &, | and ~ instead of and, or and not, each in "
            "parentheses, and write (low <= F.key) & (F.key <= high)",
            "filter",
            "&, | and ~",
            "and, or, not",
        )

    @property
    def is_open(self) -> bool:
        """Whether it is the condition that all observations meet."""
        return False

    def __repr__(self) -> str:
        return f"<condition {cut(str(self), _SHOWN_CHARACTERS_MAX)}>"

    @abstractmethod
    def __str__(self) -> str:
        """Return its text, which `parse_filter` reads."""


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Condition):
    """A condition on one value of an observation.

    Parameters
    ----------
    subject
        What is compared.
    operator
        How.
    values
        What it is compared with: one value; a list for ``in``, ``not_in``, ``any``, ``all`` and ``none``; nothing for
        ``exists`` and ``is_null``.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, if the parts do not fit together, or ``filter_size``, if it is too large.
    """

    subject: Subject
    operator: Operator
    values: tuple[Operand, ...]
    size: FilterSize = field(init=False, compare=False)
    # To Python, true is equal to 1; to a condition it is not.
    _types: tuple[type, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_types", tuple(map(type, self.values)))
        keys = sum(len(key.encode()) for key in self.subject.path)
        texts = sum(len(value.encode()) for value in self.values if isinstance(value, str))
        object.__setattr__(self, "size", FilterSize(1, 1, len(self.values), keys + texts).check())

    def __str__(self) -> str:
        if self.operator in LISTED:
            words = "not in" if self.operator == "not_in" else self.operator
            return f"{self.subject} {words} ({', '.join(map(operand_text, self.values))})"
        if not self.values:
            return f"{self.subject} {'is null' if self.operator == 'is_null' else self.operator}"
        return f"{self.subject} {SIGNS.get(self.operator, self.operator)} {operand_text(self.values[0])}"


@dataclass(frozen=True, slots=True, repr=False)
class Group(Condition):
    """Several conditions, all of which are met (``and``), or at least one (``or``).

    Parameters
    ----------
    joint
        ``"and"`` or ``"or"``. A group of nothing by ``and`` is met by all observations, and one by ``or`` by none.
    parts
        The conditions.

    Raises
    ------
    InvalidInput
        With code ``filter_size``, if it is too large.
    """

    joint: Joint
    parts: tuple[Condition, ...]
    size: FilterSize = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", above(part.size for part in self.parts))

    @property
    def is_open(self) -> bool:
        """Whether it is the condition that all observations meet."""
        return self.joint == "and" and all(part.is_open for part in self.parts)

    def __str__(self) -> str:
        if not self.parts:
            return "true" if self.joint == "and" else "false"
        parts = [_unwrapped(part) for part in self.parts]
        if len(parts) == 1:
            return str(parts[0])
        inner = (f"({part})" if isinstance(part, Group) and part.parts else str(part) for part in parts)
        return f" {self.joint} ".join(inner)


def _unwrapped(part: Condition) -> Condition:
    """Return what a group of one part means: that part."""
    while isinstance(part, Group) and len(part.parts) == 1:
        part = part.parts[0]
    return part


@dataclass(frozen=True, slots=True, repr=False)
class Negation(Condition):
    """The condition that another one is not met.

    Parameters
    ----------
    part
        The other one.

    Raises
    ------
    InvalidInput
        With code ``filter_size``, if it is too large.
    """

    part: Condition
    size: FilterSize = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", above((self.part.size,)))

    def __str__(self) -> str:
        return f"not ({self.part})"


EVERYTHING: Final = Group("and", ())
"""The condition that all observations meet."""
NOTHING: Final = Group("or", ())
"""The condition that no observation meets."""

SIGNS: Final[dict[Operator, str]] = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
"""The signs of operators in texts."""


def compared(subject: Subject, operator: object, value: object = None) -> Comparison:
    """Return the condition that `subject` compares with `value` as `operator` says.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, naming what is wrong and what to pass; ``filter_size``, if it is too large.
    """
    if operator not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise refused(f"op is {shown(operator)}; use one of {known}", "op", known, shown(operator))
    return Comparison(subject, operator, operands(subject, operator, value))


def grouped(joint: Joint, parts: Iterable[Condition]) -> Condition:
    """Return the group of `parts`; a single part stands for itself."""
    listed = tuple(parts)
    return listed[0] if len(listed) == 1 else Group(joint, listed)


def _joined(joint: Joint, first: Condition, second: object) -> Group:
    if not isinstance(second, Condition):
        raise InvalidInput(
            f"a condition cannot be joined with {shown(second)}; put each condition in parentheses, such as "
            "(F.deck >= 2) & (F.room == 'mess')",
            code="invalid_filter",
            field="filter",
            limit="a condition",
            value=type(second).__name__,
        )
    parts = [
        part
        for each in (first, second)
        for part in (each.parts if isinstance(each, Group) and each.joint == joint and each.parts else (each,))
    ]
    if len(parts) > FILTER_NODES_MAX:
        raise too_large("conditions, groups and negations", FILTER_NODES_MAX, len(parts) + 1)
    return Group(joint, tuple(parts))
