"""Looks at a space that was opened after an interruption, and compares it with what was acknowledged before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from campaigns.compaction.history import History, Version
from campaigns.compaction.story import (
    DIM,
    SPACE,
    Kind,
    Taken,
    is_secret,
    next_short_session,
    secret_id,
    secret_number,
    traces_of,
    vector_of,
)
from campaigns.patterns import Patterns
from engram import Cue, MemoryStore, Own, Snapshot, Space, StoreOptions
from engram.errors import EngramError
from engram.store.compaction.pace import Pace

# Nothing happens by itself.
QUIET: Final = StoreOptions(segment_bytes=16 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
_RECALLED: Final = 50
_WRONG_MAX: Final = 20
_TEXT_CHARACTERS_MAX: Final = 300


@dataclass
class Tally:
    """What was tried, and what was found.

    Parameters
    ----------
    acknowledged
        Steps that were acknowledged.
    interrupted
        Interruptions by what was under way.
    erasures_gone_on
        Interruptions after which an erasure went on by itself.
    compactions
        Interruptions after which the log was found compacted further than before.
    states
        States of the present and the past that were compared.
    sessions_without_rows
        Interruptions after which the session that goes on next had no row left in the log.
    erased
        Secrets that were erased and searched for in every file.
    wrong
        What must not be, in words.
    """

    acknowledged: int = 0
    interrupted: dict[str, int] = field(default_factory=dict)
    erasures_gone_on: int = 0
    compactions: int = 0
    states: int = 0
    sessions_without_rows: int = 0
    erased: int = 0
    wrong: list[str] = field(default_factory=list)

    def blame(self, life: int, faults: Iterable[str]) -> None:
        """Add faults that were found after a life."""
        told = [f"life {life}: {fault[:_TEXT_CHARACTERS_MAX]}" for fault in faults]
        self.wrong = (self.wrong + told)[:_WRONG_MAX]


def examine(
    opened: Callable[[], MemoryStore],
    history: History,
    life: int,
    contents: Callable[[], Iterable[bytes]],
    tally: Tally,
) -> None:
    """Open a store after an interruption, and compare its space with the history.

    Parameters
    ----------
    opened
        Opens the store.
    history
        What was acknowledged; it learns what became of the step that was interrupted.
    life
        Number of the life that was interrupted.
    contents
        Returns what is in each file of the store.
    tally
        Receives what is found.
    """
    kind = "nothing" if history.pending is None else str(history.pending.kind)
    tally.interrupted[kind] = tally.interrupted.get(kind, 0) + 1
    try:
        with opened() as store:
            tally.blame(life, _faults(store.space(SPACE, dim=DIM), history, life, contents, tally))
            tally.blame(life, map(str, store.problems()))
    except EngramError as error:
        tally.blame(life, [repr(error)])


def _faults(
    space: Space, history: History, life: int, contents: Callable[[], Iterable[bytes]], tally: Tally
) -> list[str]:
    engine = space._engine
    goes_on = engine.log_compaction.is_erasing
    tally.erasures_gone_on += goes_on
    horizon = engine._state.log.horizon.generation
    tally.compactions += horizon > history.horizon
    history.horizon = horizon
    before = next_short_session(life)
    has_rows = any(record.session == before for record in engine._state.log.records())
    tally.sessions_without_rows += before in history.sequences and not has_rows
    faults = _settle(space, history)
    for session, sequence in history.sequences.items():
        if engine.durable_sequence(session) != sequence:
            faults.append(f"{session} is durable up to {engine.durable_sequence(session)}, not {sequence}")
    if goes_on:
        # No older version came back, however far it went.
        faults += _compare_states(space, history, tally, is_unfinished=True)
        engine.log_compaction.finish_erasure(Pace(0, lambda: True))
    faults += _compare_states(space, history, tally)
    tally.erased = max(tally.erased, len(history.erased))
    return faults + _search(space, history, contents)


def _settle(space: Space, history: History) -> list[str]:
    """Note what became of a step that was not answered: all of it was taken, or nothing was."""
    step = history.pending
    if step is None or step.kind is Kind.COMPACTION:
        history.pending = None
        return []
    if step.kind is Kind.ERASURE:
        if not space._engine.log_compaction.is_erasing:
            # Whoever asked for it has no answer, and asks again.
            space.erase([secret_id(number) for number in step.numbers])
        return history.end(Taken())
    new = history.new()
    hits = space.get([id for id, _ in new])
    is_taken = [(None if hit is None else hit.content) == text for hit, (_, text) in zip(hits, new, strict=True)]
    if all(is_taken):
        last = hits[-1] if hits else None
        return history.end(Taken(space.generation if last is None else last.generation, len(new)))
    history.pending = None
    return [f"a part of {step} is stored: {is_taken}"] if any(is_taken) else []


def _compare_states(space: Space, history: History, tally: Tally, *, is_unfinished: bool = False) -> list[str]:
    """Compare all retained states with what was acknowledged.

    While an erasure `is_unfinished`, the past may have something of what it erases, but the present may not.
    """
    faults: list[str] = []
    oldest, newest = space._engine.retention.oldest, space.generation
    passed_over = {secret_id(number) for number in history.erased} if is_unfinished else set[str]()
    for number, (generation, wanted) in enumerate(history.states(oldest, newest)):
        snapshot = space.snapshot(max_generation=generation)
        found = {hit.id: Version(hit.generation, hit.content) for hit in snapshot.scan()}
        if generation != newest:
            found = {id: version for id, version in found.items() if id not in passed_over}
        if found != wanted:
            differing = sorted(set(found.items()) ^ set(wanted.items()))
            # Those behind it differ, too.
            return [*faults, f"as of {generation}, {len(found)} are alive, not {len(wanted)}: {differing[:4]} differ"]
        if generation == newest or (number == 0 and not is_unfinished):
            faults += _recall(snapshot, wanted)
        tally.states += 1
    return faults


def _recall(snapshot: Snapshot, wanted: Mapping[str, Version]) -> list[str]:
    """Compare recalls and vectors with what is alive."""
    if not wanted:
        return []
    cue = vector_of(next(iter(wanted.values())).text)
    found = {hit.id: hit for hit in snapshot.recall(Cue(cue, filter=Own.id.is_in(list(wanted))), k=len(wanted))}
    faults = [f"as of {snapshot.generation}, {id} is not recalled" for id in wanted.keys() - found.keys()]
    for hit in (*found.values(), *snapshot.recall(cue, k=_RECALLED)):
        if wanted.get(hit.id) != Version(hit.generation, hit.content):
            faults.append(f"as of {snapshot.generation}, {hit.id} of {hit.generation} is recalled: {hit.content!r}")
        elif not np.array_equal(np.asarray(hit.vector), vector_of(hit.content)):
            faults.append(f"as of {snapshot.generation}, {hit.id} has another vector")
    return faults


def _search(space: Space, history: History, contents: Callable[[], Iterable[bytes]]) -> list[str]:
    """Search every file for what was erased, and for what is alive, which must be there."""
    alive = [secret_number(hit.id) for hit in space.snapshot().scan() if is_secret(hit.id)]
    erased = {trace for number in history.erased for trace in traces_of(number)}
    there = {trace for number in alive for trace in traces_of(number)}
    found = Patterns(erased | there).found_in(contents())
    faults = [f"{trace!r} was erased, and is in a file" for trace in sorted(found & erased)]
    return faults + [f"{trace!r} is alive, and in no file" for trace in sorted(there - found)]
