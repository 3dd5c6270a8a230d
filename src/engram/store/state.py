"""What a space consists of."""

from __future__ import annotations

from dataclasses import dataclass, field

from engram.index import HnswIndex
from engram.log.log import Log
from engram.store.attributes import Attributes
from engram.store.session_table import SessionTable
from engram.store.versions import Versions


@dataclass(slots=True, eq=False)
class SpaceState:
    """The parts of one space. The committer's thread changes them; any thread reads them without locks.

    Parameters
    ----------
    log
        The store of record: every observation and deletion, by generation.
    index
        The graph and its tail. Its visible generation is the space's: what it was told to publish can be seen.
    checkpoint_generation
        What the newest checkpoint of the graph covers; 0 without one.
    attributes
        What recalls can filter by.
    versions
        The live version of each id.
    sessions
        How far each session got.
    answered_generation
        Requests with generations up to here have had their answers.
    incarnation
        What of the space's past is there: restoring and repairing begin a new one. Empty if it has none.
    """

    log: Log
    index: HnswIndex
    checkpoint_generation: int = 0
    attributes: Attributes = field(default_factory=Attributes)
    versions: Versions = field(default_factory=Versions)
    sessions: SessionTable = field(default_factory=SessionTable)
    answered_generation: int = 0
    incarnation: str = ""
