"""Messages that cannot be parsed. They are answered like other invalid input instead of ending the stream."""

from __future__ import annotations

from dataclasses import dataclass

from engram.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Malformed:
    """A placeholder for a message that could not be parsed."""

    error: InvalidInput
