"""The errors that Engram raises on purpose.

Each error names the field that was refused, the limit and the value. The classes are divided by what the caller can do
about an error, not by where it arises. `code` names the exact cause; it is the same string in Python, in gRPC and in
JSON.
"""

from __future__ import annotations

# Codes of `Unavailable` that stay until somebody does something about them.
_LASTING_CODES = frozenset({"not_engram", "read_only", "in_the_way", "log_failed", "commit_failed"})


class EngramError(Exception):
    """Base class of all Engram errors.

    Parameters
    ----------
    message
        One sentence for people.
    code
        Stable, machine-readable name of the cause, such as ``"dimension_mismatch"``; None for the code of the class.
    field, limit, value
        Name of the refused input, the limit that applies, and the value that was passed. The value is never a whole
        payload.
    retry_after_ms
        Milliseconds after which a retry makes sense; None if waiting alone does not help.
    expected_sequence
        Sequence errors only: the sequence number that the session expects next.

    Attributes
    ----------
    stored_count
        Of a call that is done in several parts: how many of its rows, from the first on, are stored, changed, deleted
        or erased all the same. What follows them may be, too.
    """

    default_code = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str = "",
        limit: object = "",
        value: object = "",
        retry_after_ms: int | None = None,
        expected_sequence: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: str = code or self.default_code
        self.field = field
        self.limit: str = str(limit)
        self.value: str = str(value)
        self.retry_after_ms = retry_after_ms
        self.expected_sequence = expected_sequence
        self.stored_count: int = 0

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed a little later, although nobody does anything about it."""
        return False


class InvalidInput(EngramError, ValueError):
    """The input can never be accepted as it is: wrong dimension, NaN, invalid id, oversized text and so on."""

    default_code = "invalid_input"


class NotFound(EngramError, LookupError):
    """The named space, session or observation does not exist."""

    default_code = "not_found"


class AlreadyExists(EngramError):
    """The space exists, but with settings that differ from the requested ones."""

    default_code = "already_exists"


class FailedPrecondition(EngramError):
    """The state does not permit the call: no init yet, a text cue for a space without embedder, a closed store."""

    default_code = "failed_precondition"


class SequenceError(EngramError):
    """A sequence number leaves a gap. Nothing was stored; the session expects `expected_sequence`."""

    default_code = "sequence_gap"


class OverCapacity(EngramError):
    """A queue, buffer or budget is full. Nothing was stored; retry after `retry_after_ms`."""

    default_code = "over_capacity"

    @property
    def is_transient(self) -> bool:
        """True: there is room again once what waits is done."""
        return True


class Unavailable(EngramError):
    """The engine cannot accept writes now (shutting down, disk full, read-only, failed sync), or no server answers."""

    default_code = "unavailable"

    @property
    def is_transient(self) -> bool:
        """Whether waiting may help: not where somebody has to see to the disk, the rights or the address first."""
        return self.code not in _LASTING_CODES


class Unauthenticated(EngramError):
    """The server does not know who calls: a credential is missing or wrong. A retry needs another credential."""

    default_code = "unauthenticated"


class PermissionDenied(EngramError):
    """The server knows who calls, and this caller may not do this in this space."""

    default_code = "permission_denied"


class StoreLocked(EngramError):
    """The data directory is open in another process, or in this one in another way; the message says where or how."""

    default_code = "store_locked"


class CorruptData(EngramError):
    """Stored bytes fail their checks in a place where a crash cannot be the reason."""

    default_code = "corrupt_data"


class NewerFormat(FailedPrecondition):
    """A newer Engram wrote the stored data; the message says which version reads it. Nothing is damaged."""

    default_code = "newer_format"


class MissingExtra(EngramError, ImportError):
    """An optional dependency is not installed; the message names the extra that installs it."""

    default_code = "missing_extra"
