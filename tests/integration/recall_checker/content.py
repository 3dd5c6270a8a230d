"""What is written to the spaces of a run, and how its answers are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from engram import Filter, Hit
from tests.integration.server_process import DIM

IDS: Final = [f"id-{number}" for number in range(60)]
TAGS: Final = ("red", "green", "blue")
CUES: Final = np.random.default_rng(7).standard_normal((8, DIM)).astype(np.float32)
LAST: Final = "last"
"""The id of what is written when everything else has been written."""
SIMILAR: Final = 0.25
NEVER_US: Final = 2**63 - 1
"""When something expires that never does."""
TOLERANCE: Final = 1e-5
"""Scores are compared in float32, and the server may add in another order."""
OBSERVED_MAX: Final = 5
"""Most versions that one write makes."""
ENDED_TOGETHER: Final = 256
"""Versions leave the history by the generations that ended them, so many generations at a time."""
TOO_OLD: Final = "snapshot_expired"
"""Code of the error that a generation is no longer retained."""


class Found(NamedTuple):
    """A hit, as far as it is compared."""

    generation: int
    id: str
    score: float
    facts: str


def found_of(hit: Hit) -> Found:
    """What is compared of a hit. Millions are kept, so that equal texts are one."""
    expires_us = NEVER_US if hit.expires_us is None else hit.expires_us
    return Found(hit.generation, sys.intern(hit.id), hit.score, facts_of(hit.tags, hit.metadata, expires_us))


def facts_of(tags: Sequence[str], metadata: Mapping[str, object], expires_us: int) -> str:
    """Tags, metadata and expiry as one text."""
    return sys.intern(json.dumps([list(tags), dict(metadata), expires_us], sort_keys=True))


def filter_of(tag: str) -> Filter | None:
    """The filter for a tag; None if it is empty."""
    return Filter(tags={tag}) if tag else None
