"""`F` and `Own`: conditions written as Python expressions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import ClassVar, Final, NoReturn
from uuid import UUID

import numpy as np

from engram.model.filters.conditions import Comparison, Condition, Negation, compared
from engram.model.filters.operands import Operand, refused
from engram.model.filters.subjects import Attribute, Subject, metadata_subject
from engram.showing import cut

Comparable = Operand | date | np.datetime64 | np.generic | UUID | Decimal | Enum
"""What values of metadata are compared with."""
_SHOWN_CHARACTERS_MAX: Final = 160


class _Ordered:
    """The comparisons by signs."""

    __slots__ = ("_subject",)
    __hash__: ClassVar[None]  # type: ignore[assignment]  # `==` makes a condition, so Python sets it to None.

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def __eq__(self, value: object) -> Comparison:  # type: ignore[override]
        return compared(self._subject, "eq", value)

    def __ne__(self, value: object) -> Comparison:  # type: ignore[override]
        return compared(self._subject, "ne", value)

    def __lt__(self, value: Comparable) -> Comparison:
        return compared(self._subject, "lt", value)

    def __le__(self, value: Comparable) -> Comparison:
        return compared(self._subject, "le", value)

    def __gt__(self, value: Comparable) -> Comparison:
        return compared(self._subject, "gt", value)

    def __ge__(self, value: Comparable) -> Comparison:
        return compared(self._subject, "ge", value)

    def __bool__(self) -> NoReturn:
        raise refused(
            f"{self._subject} by itself is no condition; compare it, such as F.deck == 2",
            "filter",
            "a comparison",
            str(self._subject),
        )

    def __repr__(self) -> str:
        return f"<{cut(str(self._subject), _SHOWN_CHARACTERS_MAX)} of a filter>"


class Field(_Ordered):
    """A value of the metadata, by which to filter; made by `F`.

    It is compared by ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` and by its methods. An attribute or item of it is a
    key of the object that it stands for: ``F.crew.name``, ``F["crew"]["name"]``.
    """

    __slots__ = ()

    def __getattr__(self, key: str) -> Field:
        if key.startswith("_"):
            raise AttributeError(f"write a key that begins with an underscore as [{key!r}]")
        return self[key]

    def __getitem__(self, key: str) -> Field:
        return Field(metadata_subject([*self._subject.path, key]))

    def __call__(self, *arguments: object, **keywords: object) -> NoReturn:
        """Refuse to be called: the method does not exist, so its name was taken for a key.

        Raises
        ------
        InvalidInput
            Always, with code ``invalid_filter``.
        """
        raise refused(
            f"{self._subject.path[-1]} is no method; there are is_in, not_in, exists, is_null, starts_with, contains",
            "filter",
            "is_in, not_in, exists, is_null, starts_with, contains",
            self._subject.path[-1],
        )

    def is_in(self, values: Iterable[Comparable]) -> Comparison:
        """Return the condition that the value equals one of `values`."""
        return compared(self._subject, "in", values)

    def not_in(self, values: Iterable[Comparable]) -> Comparison:
        """Return the condition that the value equals none of `values`; a missing one does not either."""
        return compared(self._subject, "not_in", values)

    def exists(self) -> Comparison:
        """Return the condition that the key is there, whatever its value."""
        return compared(self._subject, "exists")

    def is_null(self) -> Comparison:
        """Return the condition that the key is there and its value null."""
        return compared(self._subject, "is_null")

    def starts_with(self, text: str) -> Comparison:
        """Return the condition that the value is a text that starts with `text`."""
        return compared(self._subject, "prefix", text)

    def contains(self, value: Comparable) -> Comparison:
        """Return the condition that the value is a list with this element, or a text with this text in it."""
        return compared(self._subject, "contains", value)


class Fields:
    """The metadata: an attribute or item of it is a `Field`."""

    __slots__ = ()

    def __getattr__(self, key: str) -> Field:
        if key.startswith("_"):
            raise AttributeError(f"write a key that begins with an underscore as F[{key!r}]")
        return self[key]

    def __getitem__(self, key: str) -> Field:
        return Field(metadata_subject([key]))

    def __repr__(self) -> str:
        return "F"


class OwnNumber(_Ordered):
    """A number or time that every observation has, by which to filter."""

    __slots__ = ()


class OwnExpiry(_Ordered):
    """When observations expire, by which to filter; those that never expire meet no comparison but ``!=``."""

    __slots__ = ()

    def exists(self) -> Comparison:
        """Return the condition that the observation expires at some time."""
        return compared(self._subject, "exists")


class OwnId:
    """The ids of observations, by which to filter."""

    __slots__ = ()
    __hash__: ClassVar[None]  # type: ignore[assignment]  # `==` makes a condition, so Python sets it to None.

    def __eq__(self, id: object) -> Comparison:  # type: ignore[override]
        return compared(_own("id"), "eq", id)

    def __ne__(self, id: object) -> Comparison:  # type: ignore[override]
        return compared(_own("id"), "ne", id)

    def is_in(self, ids: Iterable[str]) -> Comparison:
        """Return the condition that the id is one of `ids`."""
        return compared(_own("id"), "in", ids)

    def not_in(self, ids: Iterable[str]) -> Comparison:
        """Return the condition that the id is none of `ids`."""
        return compared(_own("id"), "not_in", ids)

    def starts_with(self, text: str) -> Comparison:
        """Return the condition that the id starts with `text`."""
        return compared(_own("id"), "prefix", text)

    def __repr__(self) -> str:
        return f"<{_own('id')} of a filter>"


class OwnTags:
    """The tags of observations, by which to filter."""

    __slots__ = ()

    def has_any(self, tags: Iterable[str]) -> Comparison:
        """Return the condition that the observation has at least one of `tags`."""
        return compared(_own("tags"), "any", tags)

    def has_all(self, tags: Iterable[str]) -> Comparison:
        """Return the condition that the observation has all of `tags`."""
        return compared(_own("tags"), "all", tags)

    def has_none(self, tags: Iterable[str]) -> Comparison:
        """Return the condition that the observation has none of `tags`."""
        return compared(_own("tags"), "none", tags)

    def __repr__(self) -> str:
        return f"<{_own('tags')} of a filter>"


class OwnAttributes:
    """What every observation has beside its metadata.

    Attributes
    ----------
    id, tags
        Its id and its tags.
    confidence, importance
        As observed, in [0, 1].
    observed_at
        When it was observed; compared with a `Moment`, such as a datetime.
    expires_at
        When it expires, if it does; compared with a `Moment`.
    """

    __slots__ = ("confidence", "expires_at", "id", "importance", "observed_at", "tags")

    def __init__(self) -> None:
        self.id: Final = OwnId()
        self.tags: Final = OwnTags()
        self.confidence: Final = OwnNumber(Subject("confidence"))
        self.importance: Final = OwnNumber(Subject("importance"))
        self.observed_at: Final = OwnNumber(Subject("observed_at"))
        self.expires_at: Final = OwnExpiry(Subject("expires_at"))

    def __repr__(self) -> str:
        return "Own"


F: Final = Fields()
"""The metadata of an observation, by which to filter: ``F.deck >= 2``, ``F["room"].is_in(["mess"])``."""

Own: Final = OwnAttributes()
"""The other properties of an observation, by which to filter: ``Own.tags.has_any(["urgent"])``."""


def _own(attribute: Attribute) -> Subject:
    return Subject(attribute)


__all__ = ["Condition", "F", "Field", "Negation", "Own"]
