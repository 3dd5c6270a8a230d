"""The classes of errors by their names on the wire, which are the same on every transport."""

from __future__ import annotations

from typing import Final

from engram.errors import (
    AlreadyExists,
    CorruptData,
    EngramError,
    FailedPrecondition,
    InvalidInput,
    NewerFormat,
    NotFound,
    OverCapacity,
    PermissionDenied,
    SequenceError,
    Unauthenticated,
    Unavailable,
)

# Details travel in headers of at most 8 KiB, so each text of an error is cut to this length.
_TEXT_CHARACTERS_MAX: Final = 400

_KINDS: Final[dict[str, type[EngramError]]] = {
    kind.default_code: kind
    for kind in (
        InvalidInput,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        SequenceError,
        OverCapacity,
        Unavailable,
        CorruptData,
        NewerFormat,
        Unauthenticated,
        PermissionDenied,
        EngramError,
    )
}


def kind_of(error: EngramError) -> str:
    """Return the name of the most precise class of `error` that has a name on the wire."""
    for kind in type(error).__mro__:
        code = getattr(kind, "default_code", "")
        if code in _KINDS:
            return str(code)
    return EngramError.default_code


def class_of(kind: str) -> type[EngramError]:
    """Return the class of errors with this name on the wire; `EngramError` for an unknown name."""
    return _KINDS.get(kind, EngramError)


def shorten(text: str) -> str:
    """Return `text` as valid Unicode, cut to a bounded length."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _TEXT_CHARACTERS_MAX else text[: _TEXT_CHARACTERS_MAX - 3] + "..."
