"""Every error Engram raises on purpose, each naming the field, the limit and the value that broke it.

The classes follow what the caller can do about the error, not where it arose; `code` says precisely what happened
and is the same string in Python, in gRPC and in JSON.
"""

from __future__ import annotations


class EngramError(Exception):
    """Base of all Engram errors.

    Parameters
    ----------
    message
        One sentence for a person.
    code
        Stable machine-readable name of the cause, such as ``"dimension_mismatch"``.
    field, limit, value
        What was refused: the input's name, the bound that applies, and what came instead (never a whole payload).
    retry_after_ms
        When trying again makes sense; None if it does not by itself.
    expected_sequence
        For sequence errors: the number the session waits for.
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
        self.code = code or self.default_code
        self.field = field
        self.limit = str(limit)
        self.value = str(value)
        self.retry_after_ms = retry_after_ms
        self.expected_sequence = expected_sequence


class InvalidInput(EngramError, ValueError):
    """The input can never be accepted as it is (wrong dimension, NaN, bad id, oversized text, ...)."""

    default_code = "invalid_input"


class NotFound(EngramError, LookupError):
    """The named space, session or observation does not exist."""

    default_code = "not_found"


class AlreadyExists(EngramError):
    """The space exists with other settings than the ones asked for."""

    default_code = "already_exists"


class FailedPrecondition(EngramError):
    """Right call, wrong state: no init yet, a text cue for a space without embedder, a closed store."""

    default_code = "failed_precondition"


class SequenceError(EngramError):
    """A sequence number left a gap. The session waits for `expected_sequence`; nothing was stored."""

    default_code = "sequence_gap"


class OverCapacity(EngramError):
    """A queue, buffer or budget is full. Nothing was stored; try again after `retry_after_ms`."""

    default_code = "over_capacity"


class Unavailable(EngramError):
    """The engine cannot take writes now: shutting down, disk full, read-only, or a failed sync."""

    default_code = "unavailable"


class StoreLocked(EngramError):
    """Another process, or this very one, has the data directory open; the message says which, and since when."""

    default_code = "store_locked"


class CorruptData(EngramError):
    """Stored bytes do not check out in a place where a crash cannot explain it."""

    default_code = "corrupt_data"


class NewerFormat(FailedPrecondition):
    """What is stored was written by a newer Engram; the message says which one reads it. Nothing is damaged."""

    default_code = "newer_format"


class MissingExtra(EngramError, ImportError):
    """An optional dependency is not installed; the message says which extra brings it."""

    default_code = "missing_extra"
