"""Rounds of writing, killing, and looking at what is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

from campaigns.compaction.writer import IDS, OPTIONS, SESSIONS, content_of, id_of
from engram.log.segments.segment import LOG_DIRECTORY
from engram.maintenance.verify import verify
from engram.store import MemoryStore, Space

_LINES_MAX = 400
_VERIFIED_EACH = 10


def kill_while_compacting(seed: int, rounds: int, directory: Path) -> dict[str, Any]:
    """Kill a writer `rounds` times, each time after a random number of acknowledgements.

    Returns
    -------
    dict[str, Any]
        What was done and found; ``wrong`` lists what must not be.
    """
    random = Random(seed)
    result: dict[str, Any] = {"seed": seed, "rounds": rounds, "acknowledged": 0, "compacted_rounds": 0, "wrong": []}
    for number in range(rounds):
        acknowledged = _write_and_kill(directory, random.randrange(1, _LINES_MAX), result)
        files = [path.name for path in (directory / "spaces" / "notes" / LOG_DIRECTORY).iterdir()]
        result["compacted_rounds"] += any("-" in name for name in files)
        with MemoryStore(directory, options=OPTIONS) as store:
            for session, sequence in acknowledged.items():
                _look_at(store.space("notes"), session, sequence, result)
        if number % _VERIFIED_EACH == 0 and not (verdict := verify(directory)).is_sound:
            result["wrong"].append(f"round {number}: {verdict.values()}")
    return result


def _write_and_kill(directory: Path, lines: int, result: dict[str, Any]) -> dict[str, int]:
    """Return the last acknowledged sequence number of each session."""
    acknowledged = dict.fromkeys(SESSIONS, 0)
    command = [sys.executable, "-m", "campaigns.compaction.writer", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as writer:
        assert writer.stdout is not None
        for _ in range(lines):
            line = writer.stdout.readline()
            if not line or line.startswith("wrong"):
                result["wrong"].append(line or "the writer ended")
                break
            session, sequence = line.split()
            acknowledged[session] = int(sequence)
            result["acknowledged"] += 1
        writer.kill()
    return acknowledged


def _look_at(space: Space, session: str, acknowledged: int, result: dict[str, Any]) -> None:
    durable = space._engine.durable_sequence(session)
    if durable < acknowledged:
        result["wrong"].append(f"{session} is durable up to {durable}, and {acknowledged} was acknowledged")
    for sequence in range(max(durable - IDS + 1, 1), durable + 1):
        hit = space.get(id_of(session, sequence))
        if hit is None or hit.content != content_of(session, sequence):
            result["wrong"].append(f"{session} {sequence} is {hit and hit.content!r}")
    # Each sequence number took one generation, and nothing else did.
    total = sum(space._engine.durable_sequence(one) for one in SESSIONS)
    if space.generation != total:
        result["wrong"].append(f"{space.generation} generations for {total} sequence numbers")
