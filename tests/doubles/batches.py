"""Small observation batches for tests, every value derived from the ids so that mix-ups show."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.client.sending.micro_batch import make_row
from engram.model.arguments import OneObservation
from engram.model.columns import ObservationFields
from engram.model.observation_row import ObservationRow
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig

DIM = 8


def vector_of(id: str, version: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    """The vector that a version of an observation has in tests; never zero."""
    return np.random.default_rng([zlib.crc32(id.encode()), version]).standard_normal(dim).astype(np.float32)


def content_of(id: str, version: int = 0) -> str:
    """Its text."""
    return f"{id} äöü 记忆 version {version}"


def batch_of(ids: Sequence[str], version: int = 0, dim: int = DIM) -> ObservationBatch:
    """A batch with every column filled."""
    return make_batch(
        ids=ids,
        vectors=np.stack([vector_of(id, version, dim) for id in ids]),
        contents=[content_of(id, version) for id in ids],
        timestamps=[1_000.5 + row for row in range(len(ids))],
        confidences=[0.25 + row / 1024 for row in range(len(ids))],
        importances=[0.5 + row / 1024 for row in range(len(ids))],
        metadata=[{"id": id, "version": version} for id in ids],
        tags=[[f"tag {id}", "ß"] for id in ids],
    )


def row_of(
    config: SpaceConfig, id: str, vector: ArrayLike | None, content: str = "", **fields: Unpack[ObservationFields]
) -> ObservationRow:
    """A single observation, as a client takes it."""
    return make_row(config, OneObservation(id, vector, content, fields))
