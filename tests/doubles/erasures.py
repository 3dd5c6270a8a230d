"""A space whose observations are erased, and what may be left of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.store import Space, StoreOptions
from engram.store.compaction.pace import Pace

DIM = 128
COUNT = 400
AGAIN = "what is to be erased is deleted, and no more than that: erase it again"
# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=64 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)


def vector(number: int, version: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng([number, version]).standard_normal(DIM).astype(np.float32)


def content(number: int, version: int = 0) -> str:
    return f'the "secret" of {number} in version {version}, and no other;'


def fill(space: Space, version: int = 0) -> None:
    for first in range(0, COUNT, 50):
        numbers = range(first, first + 50)
        space.observe(
            [f"person-{number}@home" for number in numbers],
            np.array([vector(number, version) for number in numbers]),
            [content(number, version) for number in numbers],
            tags=[[f"of-{number}-{version}."] for number in numbers],
            metadata=[{"note": f"meta {number} {version}."} for number in numbers],
        )


def traces(number: int, version: int) -> list[bytes]:
    """What may be left of an observation, as bytes."""
    text = content(number, version)
    return [
        text.encode(),
        json.dumps(text)[1:-1].encode(),
        f"person-{number}@home".encode(),
        f"of-{number}-{version}.".encode(),
        f"meta {number} {version}.".encode(),
        vector(number, version).tobytes(),
    ]


def found(directory: Path, pattern: bytes) -> list[str]:
    """The files that have a pattern."""
    files = [file for file in directory.rglob("*") if file.is_file()]
    return [file.name for file in files if pattern in file.read_bytes()]


def finish(space: Space) -> None:
    """Do what the thread for compactions would do."""
    compaction = space._engine.log_compaction
    if compaction.is_due():
        compaction.run(Pace(0, lambda: True))
