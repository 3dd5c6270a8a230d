"""The state of a space."""

from __future__ import annotations

from dataclasses import dataclass, field

from engram.index import HnswIndex
from engram.log.log import Log
from engram.log.manifest import Manifest
from engram.store.commit.live_versions import LiveVersions
from engram.store.commit.session_table import SessionTable
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.stored_rows import StoredRows
from engram.store.indexing.checkpoints import Checkpoints
from engram.store.naming.space_life import SpaceLife
from engram.store.resting.seen_erasures import SeenErasures


@dataclass(slots=True, eq=False)
class SpaceState:
    """The parts of one space. The committer thread changes them; any thread reads them without locks.

    Parameters
    ----------
    log
        The store of record: every observation and deletion, by generation.
    index
        The graph and its tail. Its visible generation is that of the space: what was published to it can be recalled.
    manifest
        The identity of the space, and the files that belong to it.
    checkpoints
        The checkpoints of the graph; None for a space in memory.
    checkpoint_generation
        Generation that the newest checkpoint of the graph covers; 0 without one.
    attributes
        The index by which recalls filter.
    versions
        The live version of each id.
    sessions
        The last durable sequence number of each session.
    answered_generation
        Requests with generations up to this one have been answered.
    erasures
        What was erased from the space, as far as this engine of it knows.
    life
        Ends when the space is dropped or renamed.
    """

    log: Log
    index: HnswIndex
    manifest: Manifest
    checkpoints: Checkpoints | None = None
    checkpoint_generation: int = 0
    attributes: MetadataIndex = field(default_factory=MetadataIndex)
    versions: LiveVersions = field(default_factory=LiveVersions)
    sessions: SessionTable = field(default_factory=SessionTable)
    answered_generation: int = 0
    erasures: SeenErasures = field(default_factory=SeenErasures)
    life: SpaceLife = field(default_factory=SpaceLife)

    def __post_init__(self) -> None:
        self.attributes.rows = StoredRows(self.log, self.versions)

    @property
    def dropped_generation(self) -> int:
        """What ended at or before it may be missing from the index for filters, the graph or the log.

        Each of them says so before anything is dropped from it. So what was read as of this generation or a later one
        is whole, if this is looked at afterwards.
        """
        return max(self.attributes.dropped_generation, self.manifest.horizon, self.log.dropped_generation)
