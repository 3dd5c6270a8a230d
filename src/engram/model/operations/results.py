"""The results of operations that have no other home: those of recalls, writes and look-ups are with their nouns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engram.model.operations.status import SpaceStatus, UnsoundSpace

RESULTS_BYTES: Final = "results_bytes"
"""Code of the error that a result is too large for one message; a stream of it is not."""


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """The generation of a snapshot.

    Parameters
    ----------
    generation
        The generation, as of which recalls and look-ups can be answered while the server retains it.
    """

    generation: int


@dataclass(frozen=True, slots=True)
class SpaceList:
    """The spaces of a server.

    Parameters
    ----------
    spaces
        The spaces that can be used.
    unsound
        The spaces that exist but could not be opened.
    """

    spaces: tuple[SpaceStatus, ...]
    unsound: tuple[UnsoundSpace, ...] = ()
