"""Rest and compaction together as a property: whenever a space rests, and whatever is dropped, recalls answer alike."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from engram.store import Cue, MemoryStore, RecallStream, Space, StoreOptions
from tests.doubles.batches import DIM, vector_of
from tests.property.test_compaction_model import _CUE, _IDS, Compacted

# One space is open at a time, and nothing happens by itself.
_OPTIONS = StoreOptions(
    segment_bytes=16 << 10,
    workers=1,
    mark_interval_s=3600.0,
    log_compaction_bytes_per_s=0,
    compaction_count_min=20,
    open_spaces_max=1,
    spaces_at_start_max=0,
    checkpoint_rest_count_min=8,
)


class Rested(Compacted):
    """The space of `Compacted` in a store where another one takes its place again and again."""

    def open(self) -> None:
        self.store = MemoryStore(self.directory.name, options=_OPTIONS)
        self.space: Space = self.store.space("notes", dim=DIM)
        # Scans and streams that have begun: their generations, and how they go on.
        self.cursors: list[tuple[int, str, set[str]]] = []
        self.streams: list[tuple[int, RecallStream, dict[str, str]]] = []

    def rest(self) -> None:
        """Have the space come to rest, by using others."""
        self.held = []
        engine = self.space._engine
        # Two, since one may be open beside it already.
        for name in ("other", "another"):
            self.store.space(name, dim=DIM).observe("a", vector_of("a"))
        assert engine.occupancy.rests
        assert self.store._engine.table.rests("notes")

    @rule()
    def rest_and_go_on(self) -> None:
        before = self.space._engine.identity
        self.rest()
        assert self.space._engine.identity == before

    @rule()
    def compact_while_it_rests(self) -> None:
        self.rest()
        opened = self.store._engine.spaces()
        self.store._engine._compaction._compact_held("notes")
        assert not any(engine.occupancy.rests for engine in opened), "it was not opened beside them"

    @rule()
    def scrub(self) -> None:
        # The other one has to be opened for it.
        self.held = []
        assert self.store.scrub() == ()

    @rule(page_size=st.integers(1, 3))
    def begin_scan(self, page_size: int) -> None:
        generation = self.space.generation
        page = next(iter(self.space.scan(page_size=page_size).pages()))
        assert page.generation == generation
        found = {hit.id for hit in page}
        assert found <= self.states[generation].keys()
        if page.cursor:
            self.cursors.append((generation, page.cursor, found))

    @rule(page_size=st.integers(1, 3))
    def go_on_with_scan(self, page_size: int) -> None:
        if self.cursors:
            generation, cursor, found = self.cursors.pop(0)
            hits = {hit.id: hit.content for hit in self.space.scan(page_size=page_size, cursor=cursor)}
            assert hits == {id: text for id, text in self.states[generation].items() if id not in found}

    @rule()
    def begin_stream(self) -> None:
        generation = self.space.generation
        stream = self.space.recall_stream(Cue(_CUE), k=len(_IDS), batch_size=1)
        self.streams.append((generation, stream, {hit.id: hit.content for hit in next(stream, ())}))

    @rule()
    def go_on_with_stream(self) -> None:
        if self.streams:
            generation, stream, found = self.streams.pop(0)
            found |= {hit.id: hit.content for batch in stream for hit in batch}
            assert found == self.states[generation]

    def teardown(self) -> None:
        self.streams = []
        super().teardown()


TestRested = Rested.TestCase
TestRested.settings = settings(max_examples=6, stateful_step_count=25, deadline=None)
