"""Cursors: the texts by which a scan is continued, at any time and in any process."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Set
from typing import Any, Final, NamedTuple

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter

CURSOR_CHARACTERS_MAX: Final = 16_384
_VERSION: Final = 1
# Of a scan that hides what is due.
_VERSION_DUE: Final = 2
_DIGEST_BYTES: Final = 8
_HALF_ID: Final = 16


class Cursor(NamedTuple):
    """Where a scan goes on.

    Parameters
    ----------
    space, incarnation
        The first half of the ids of the space and of its incarnation, to whose generations the cursor refers.
    generation
        Generation of the snapshot.
    scan
        Digest of the filter, the order and the direction.
    key
        What the last observation is ordered by: its generation, its time in microseconds and generation, or its id.
    due_us
        What was due at this time, when the scan began, is not in it; 0: the generation alone counts.
    """

    space: str
    incarnation: str
    generation: int
    scan: str
    key: tuple[int] | tuple[int, int] | tuple[str]
    due_us: int = 0


_KINDS: Final[dict[str, list[type]]] = {"generation": [int], "time": [int, int], "id": [str]}
_FORM: Final = [int, str, str, int, str, list]
_FORMS: Final = {_VERSION: _FORM, _VERSION_DUE: [*_FORM, int]}


def encode_cursor(
    space: str, incarnation: str, generation: int, scan: str, key: tuple[Any, ...], due_us: int = 0
) -> str:
    """Return the text of a cursor; the parameters are those of `Cursor`, with whole ids."""
    due: list[int] = [due_us] if due_us else []
    version = _VERSION_DUE if due else _VERSION
    form = [version, space[:_HALF_ID], incarnation[:_HALF_ID], generation, scan, list(key), *due]
    return base64.urlsafe_b64encode(json.dumps(form, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """Return the cursor in a text.

    Raises
    ------
    InvalidInput
        If the text is no cursor.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        form = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        is_cursor = isinstance(form, list) and type(form[0]) is int and _FORMS.get(form[0]) == list(map(type, form))
    except (ValueError, IndexError, RecursionError):
        is_cursor = False
    if not is_cursor:
        raise _refused("it is none that a scan of this version has given", text)
    _, space, incarnation, generation, scan, key, *due_us = form
    return Cursor(space, incarnation, generation, scan, tuple(key), *due_us)


def check_cursor(cursor: Cursor, space: str, incarnation: str, scan: str, order: str) -> None:
    """Check that a cursor belongs to this space and this scan.

    Parameters
    ----------
    cursor
        The cursor.
    space, incarnation
        The ids of the space and of its incarnation.
    scan
        What `scan_digest` returns for the scan.
    order
        Order of the scan.

    Raises
    ------
    InvalidInput
        If the cursor is of another space, or of a scan with another filter, order or direction.
    FailedPrecondition
        With code ``other_incarnation``, if the space has been restored or repaired since.
    """
    if cursor.space != space[:_HALF_ID]:
        raise _refused("it is of another space", cursor.space)
    if cursor.incarnation != incarnation[:_HALF_ID]:
        raise FailedPrecondition(
            "the space was restored or repaired since the scan began, so its generations may be others; scan again",
            code="other_incarnation",
            field="cursor",
            limit=incarnation[:_HALF_ID],
            value=cursor.incarnation,
        )
    if cursor.scan != scan:
        raise _refused("it is of a scan with another filter, order or direction; pass those of its scan", cursor.scan)
    if [type(each) for each in cursor.key] != _KINDS[order]:
        raise _refused("its place is none of this order", order)


def scan_digest(filter: Filter | Condition, order: str, reverse: bool) -> str:
    """Return what tells whether two scans return the same: a digest of the filter, the order and the direction."""
    described = repr((str(filter) if isinstance(filter, Condition) else _plain(filter), order, reverse))
    return hashlib.blake2b(described.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def _plain(value: Any) -> Any:
    """Return what is the same for filters that are the same, whatever order their sets and mappings have."""
    if isinstance(value, Set):
        return sorted(map(_plain, value))
    if isinstance(value, Mapping):
        return sorted((key, repr(_plain(each))) for key, each in value.items())
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # A time may be given in several ways; the property beside it has it in one.
        names = [field.name for field in dataclasses.fields(value)]
        return [type(value).__name__, *(_plain(getattr(value, f"{name}_us", getattr(value, name))) for name in names)]
    return value


def _refused(why: str, value: str) -> InvalidInput:
    return InvalidInput(
        f"the cursor cannot be used here: {why}",
        code="invalid_cursor",
        field="cursor",
        limit="a cursor of this scan",
        value=value[:64],
    )
