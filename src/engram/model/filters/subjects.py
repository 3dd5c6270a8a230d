"""What a condition looks at: a value of the metadata, or one of the observation's own attributes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from engram.errors import InvalidInput
from engram.model.limits import METADATA_DEPTH_MAX
from engram.model.values.scalars import as_text, shown

Attribute = Literal["id", "tags", "confidence", "importance", "observed_at", "expires_at"]
ATTRIBUTES: Final[tuple[Attribute, ...]] = get_args(Attribute)
Operator = Literal[
    "eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "exists", "is_null", "prefix", "contains", "any", "all", "none"
]
OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
ORDERS: Final[frozenset[str]] = frozenset({"lt", "le", "gt", "ge"})
"""The operators that ask for what is less or greater."""
LISTED: Final[frozenset[str]] = frozenset({"in", "not_in", "any", "all", "none"})
"""The operators that take a list of values."""
VALUELESS: Final[frozenset[str]] = frozenset({"exists", "is_null"})
"""The operators that take no value."""

_NUMERIC: Final[tuple[Operator, ...]] = ("eq", "ne", "lt", "le", "gt", "ge")
OPERATORS_OF: Final[dict[Attribute | None, tuple[Operator, ...]]] = {
    None: OPERATORS[:-3],
    "id": ("eq", "ne", "in", "not_in", "prefix"),
    "tags": ("any", "all", "none"),
    "confidence": _NUMERIC,
    "importance": _NUMERIC,
    "observed_at": _NUMERIC,
    "expires_at": (*_NUMERIC, "exists"),
}
"""The operators of each attribute; None stands for the metadata."""

TIMES: Final[frozenset[Attribute | None]] = frozenset({"observed_at", "expires_at"})
"""The attributes that are times."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
# Words that mean something else in the text of a filter.
WORDS: Final = frozenset(
    {"and", "or", "not", "in", "is", "exists", "null", "true", "false", "prefix", "contains", "any", "all", "none"}
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition looks at.

    Parameters
    ----------
    attribute
        An attribute of the observation; None for a value of its metadata.
    path
        The keys that lead to a value of the metadata, from the outermost.
    """

    attribute: Attribute | None = None
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the subject as it stands in the text of a filter."""
        if self.attribute is not None:
            return f"@{self.attribute}"
        return ".".join(
            key if _PLAIN_NAME.match(key) and key not in WORDS else json.dumps(key, ensure_ascii=False)
            for key in self.path
        )


def metadata_subject(path: object) -> Subject:
    """Return the subject for a key of the metadata, or for a list of keys that lead into nested objects.

    Raises
    ------
    InvalidInput
        With code ``invalid_filter``, if `path` is neither, or is too long.
    """
    if isinstance(path, str):
        return Subject(path=(as_text("key", path, code="invalid_filter"),))
    if not isinstance(path, Sequence) or isinstance(path, bytes | bytearray | memoryview) or not path:
        raise InvalidInput(
            f'key is {shown(path)}; pass a text, or a list of texts for a nested key, such as ["crew", "name"]',
            code="invalid_filter",
            field="key",
            limit="a text or a list of texts",
            value=type(path).__name__,
        )
    if len(path) > METADATA_DEPTH_MAX:
        raise InvalidInput(
            f"key leads {len(path)} levels deep; metadata have at most {METADATA_DEPTH_MAX}",
            code="invalid_filter",
            field="key",
            limit=METADATA_DEPTH_MAX,
            value=len(path),
        )
    return Subject(path=tuple(as_text("key", part, code="invalid_filter") for part in path))
