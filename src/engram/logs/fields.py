"""The fields of a log line beside its message: which space, session, generation and request it is about."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

FIELDS: Final = ("space", "session", "generation", "request_id")
"""The fields, all of which may be missing. A call of a logger passes them as `extra`."""

Field = str | int
_remembered: Final[ContextVar[Mapping[str, Field]]] = ContextVar("engram_log_fields", default=MappingProxyType({}))


def remember_fields(**fields: Field) -> None:
    """Have all lines that the present task logs from now on say these of `FIELDS`."""
    _remembered.set({**_remembered.get(), **fields})


def fields_of(record: logging.LogRecord) -> dict[str, Field]:
    """Return the fields of a line: those of its own, then those that its task remembers."""
    known = {**_remembered.get(), **vars(record)}
    return {name: known[name] for name in FIELDS if name in known}
