"""Writes the story into a directory and ends as a program may end. It is a process, since some ends are kills."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from campaigns.damage.story import SPACES, Change, write_story
from engram import MemoryStore
from engram.errors import EngramError
from engram.store import StoreOptions
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.space import Space

SEGMENT_BYTES: Final = 64 << 10
# Marks and checkpoints are left where the plan says so, and not by the clock.
_OPTIONS: Final = StoreOptions(
    segment_bytes=SEGMENT_BYTES,
    workers=1,
    checkpoint_count_min=10**9,
    checkpoint_rest_count_min=1,
    mark_interval_s=86_400.0,
    scrub_bytes_per_s=0,
    drain_s=60.0,
)
# One letter a step, each after another part of the story: o copies the directory as an older state, c writes
# checkpoints, m leaves marks, b keeps checkpoints from being written, x closes and opens again, k is killed and opened
# again, X closes and K is killed for good.
PLANS: Final = {
    "closed": "o c o X",
    "closed without a checkpoint": "b o o X",
    "killed": "o c m o K",
    "killed without a checkpoint": "o o m K",
    "killed at the mark": "o c o mK",
    "killed and closed": "o k o x K",
    "killed twice": "ck o ck K",
}


def write(directory: Path, older: Path, seed: str, plan: str, begin: int) -> int:
    """Write from step `begin` of `plan` on; return the step to go on with, or -1 when closed for good."""
    steps = plan.split()
    changes = write_story(seed)
    edges = [len(changes) * number // len(steps) for number in range(len(steps) + 1)]
    store = MemoryStore(directory, options=_OPTIONS)
    for name, config in SPACES.items():
        store.space(name, config.dim, config.metric, config.embedder or None, vectors=config.vectors)
    for number in range(begin, len(steps)):
        for change in changes[edges[number] : edges[number + 1]]:
            apply(store.space(change.space), change, store)
        for step in steps[number]:
            if step == "x":
                store.close()
                store = MemoryStore(directory, options=_OPTIONS)
            elif step == "X":
                store.close()
                unblock(directory)
                return -1
            elif step in "kK":
                print(number + 1 if step == "k" else -1, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                _do(step, store, directory, older)
    raise ValueError(f"the plan {plan!r} has no end")


def apply(space: Space, change: Change, store: MemoryStore) -> CommitResult:
    """Make one change and wait until it is acknowledged."""
    answered = threading.Event()
    outcomes: list[CommitResult | EngramError] = []

    def done(outcome: CommitResult | EngramError) -> None:
        outcomes.append(outcome)
        answered.set()

    batch = space._engine.prepare(change.batch()) if change.rows else None
    store._engine.submit(
        CommitRequest(
            space=space._engine,
            batch=batch,
            delete_ids=None if change.rows else list(change.deleted),
            session=change.session,
            first_sequence=change.first_sequence,
            done=done,
        )
    )
    answered.wait()
    if isinstance(outcomes[0], EngramError):
        raise outcomes[0]
    return outcomes[0]


def _do(step: str, store: MemoryStore, directory: Path, older: Path) -> None:
    if step == "o":
        shutil.copytree(directory, older / str(len(list(older.iterdir()))))
    elif step == "c":
        for space in store.spaces():
            wait_until_indexed(space)
        store.checkpoint()
    elif step == "m":
        for space in store.spaces():
            space._engine.leave_mark()
    elif step == "b":
        for name in SPACES:
            # What the next checkpoint would be written to is a directory.
            (directory / "spaces" / name / "checkpoints" / "graph.tmp").mkdir(parents=True)


def unblock(directory: Path) -> None:
    """Let checkpoints be written again."""
    for blocked in directory.glob("spaces/*/checkpoints/graph.tmp"):
        blocked.rmdir()


def wait_until_indexed(space: Space) -> None:
    """Return when everything is in the graph."""
    changed = threading.Semaphore(0)
    space._engine.add_indexed_listener(lambda _: changed.release())
    while space.indexed_generation < space.generation:
        changed.acquire()


def main(arguments: Sequence[str]) -> None:
    """Write as the command line says, and tell on the last line where to go on."""
    directory, older, seed, plan, begin = arguments
    print(write(Path(directory), Path(older), seed, plan, int(begin)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
