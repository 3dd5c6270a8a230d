"""Rounds of writing, killing, and looking at what is left."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from campaigns.compaction.examiner import QUIET, Tally, examine
from campaigns.compaction.history import History
from campaigns.compaction.story import SPACE, Kind, Step, Taken, secret_id
from campaigns.patterns import contents_of
from engram import MemoryStore
from engram.maintenance.verify import verify

# Lines of a life before it is killed; each step has two.
_LINES_MIN: Final = 120
_LINES_MAX: Final = 480
# A kill is so late at most, so that it comes at any point of a step.
_SPREAD_S: Final = 0.02
_VERIFIED_EACH: Final = 10


def kill(seed: int, kills: int, directory: Path) -> dict[str, Any]:
    """Kill a writer `kills` times, each time at a random moment, and look at what it has left.

    Returns
    -------
    dict[str, Any]
        What was done and found; ``wrong`` lists what must not be.
    """
    random, history, tally = Random(seed), History(), Tally()
    opened = partial(MemoryStore, directory, options=QUIET)
    for life in range(1, kills + 1):
        _live(directory, life, random, history, tally)
        examine(opened, history, life, lambda: contents_of(directory), tally)
        if life % _VERIFIED_EACH == 0:
            verdict = verify(directory, spaces=[SPACE], erased=[secret_id(number) for number in history.erased])
            if not verdict.is_sound or verdict.traces:
                tally.blame(life, [str(verdict.values())])
    return {"kills": kills, **asdict(tally)}


def _live(directory: Path, life: int, random: Random, history: History, tally: Tally) -> None:
    """Run a writer, kill it, and note all that it told."""
    command = [sys.executable, "-m", "campaigns.compaction.writer", str(directory), str(life)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as writer:
        assert writer.stdout is not None
        for _ in range(random.randrange(_LINES_MIN, _LINES_MAX)):
            line = writer.stdout.readline()
            if not line:
                tally.blame(life, ["the writer ended by itself"])
                return
            _note(line, life, history, tally)
        time.sleep(random.random() * _SPREAD_S)
        writer.kill()
        for line in writer.stdout:
            _note(line, life, history, tally)


def _note(line: str, life: int, history: History, tally: Tally) -> None:
    if not line.endswith("\n"):
        # It was killed while it wrote the line.
        return
    word, *told = json.loads(line)
    if word == "begin":
        kind, numbers, session = told
        history.begin(Step(Kind(kind), tuple(numbers), session))
    else:
        tally.acknowledged += 1
        tally.blame(life, history.end(Taken(*told)))
