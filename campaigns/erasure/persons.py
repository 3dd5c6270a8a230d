"""What is stored of each person, and what files may have of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from campaigns.erasure.codes import codes_of
from engram import Space

DIM: Final = 128
VERSIONS: Final = 2
_BATCH: Final = 1000
# All that a trace may be; codes are in checkpoints only, which backups do not have.
IN_LOGS: Final = ("id", "text", "escaped text", "tag", "vector")
IN_CHECKPOINTS: Final = ("sign bits", "byte codes")


class Persons:
    """Persons with made-up texts and vectors, of which there are several versions.

    Parameters
    ----------
    seed
        Of the vectors.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def id(self, number: int) -> str:
        """Return the id of a person; it begins as nothing of another one does."""
        return f"{number:08x}@home"

    def text(self, number: int, version: int) -> str:
        """Return a text that JSON stores in another form."""
        return f'{number:08x} said in "{version}":\n\\nobody is to know of it\\'

    def vector(self, number: int, version: int) -> NDArray[np.float32]:
        """Return a vector, shape ``(DIM,)``."""
        return np.random.default_rng([self._seed, number, version]).standard_normal(DIM, dtype=np.float32)

    def write(self, space: Space, count: int, version: int) -> None:
        """Observe a version of the first `count` persons."""
        for first in range(0, count, _BATCH):
            numbers = range(first, min(first + _BATCH, count))
            texts = [self.text(number, version) for number in numbers]
            space.observe(
                [self.id(number) for number in numbers],
                np.array([self.vector(number, version) for number in numbers]),
                texts,
                tags=[[_tag(number, version)] for number in numbers],
                # Here, a text is stored as JSON.
                metadata=[{"said": text} for text in texts],
            )

    def traces(self, numbers: Sequence[int], directory: Path) -> dict[bytes, str]:
        """Return all that files may have of some persons: the bytes, and what they are.

        Parameters
        ----------
        directory
            Where there may be a file for a moment.
        """
        found: dict[bytes, str] = {}
        for version in range(VERSIONS):
            vectors = np.array([self.vector(number, version) for number in numbers])
            for number, codes in zip(numbers, codes_of(vectors, directory), strict=True):
                found.update(self._traces_of(number, version, codes))
        return found

    def _traces_of(self, number: int, version: int, codes: tuple[bytes, bytes]) -> Iterator[tuple[bytes, str]]:
        text = self.text(number, version)
        logged = (
            self.id(number).encode(),
            text.encode(),
            json.dumps(text)[1:-1].encode(),
            _tag(number, version).encode(),
            self.vector(number, version).tobytes(),
        )
        yield from zip((*logged, *codes), (*IN_LOGS, *IN_CHECKPOINTS), strict=True)


def counted(kinds: Iterable[str]) -> dict[str, int]:
    """Return how many there are of each kind of trace."""
    listed = list(kinds)
    return {kind: listed.count(kind) for kind in (*IN_LOGS, *IN_CHECKPOINTS)}


def _tag(number: int, version: int) -> str:
    return f"{number:08x} is tagged {version}"
