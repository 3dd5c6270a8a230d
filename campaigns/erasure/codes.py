"""The codes of vectors, as checkpoints have them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.index import HnswIndex

_PAGE_BYTES: Final = 4096
# Of one block of a checkpoint; it has the sign bits of all its slots, then their byte codes.
_SLOTS: Final = 4096
_STRIDE_BYTES: Final = 64
# Beside the sign bits of a vector, there is its length.
_LENGTH_BYTES: Final = 8


def codes_of(vectors: NDArray[np.float32], directory: Path) -> list[tuple[bytes, bytes]]:
    """Return the sign bits and the byte codes of each of at most 4096 vectors, by the metric cosine.

    Codes by this metric are those of the vector alone. So they are read from the checkpoint of a graph that has nothing
    else, which is in `directory` for a moment.

    Parameters
    ----------
    vectors
        float32, shape ``(n, dim)``, where `dim` is a multiple of 8.
    """
    count, dim = vectors.shape
    assert count <= _SLOTS
    index = HnswIndex(dim)
    index.add(vectors, threads=1)
    file = directory / "alone.checkpoint"
    index.save(file, with_vectors=False)
    saved = file.read_bytes()
    file.unlink()
    bits = dim // 8
    stride = -(-(bits + _LENGTH_BYTES) // _STRIDE_BYTES) * _STRIDE_BYTES
    codes = _PAGE_BYTES + _SLOTS * stride
    return [(saved[_PAGE_BYTES + row * stride :][:bits], saved[codes + row * dim :][:dim]) for row in range(count)]
