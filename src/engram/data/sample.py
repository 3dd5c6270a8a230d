"""The bundled sample: glosses of WordNet 3.0 and their embeddings by all-MiniLM-L6-v2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_DIM: Final = 384

_NOT_IN_A_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Texts with their embeddings; row i of each column belongs to text i.

    Parameters
    ----------
    ids
        Unique ids, made from the word that a text explains, such as ``"coffee-bean"``. From the second text of a word
        on, the id ends in a number: ``"bow-2"``.
    contents
        Texts of the form ``"word: gloss"``.
    vectors
        Embeddings: float32, shape ``(n, 384)``, rows of unit length, read-only.
    """

    ids: tuple[str, ...]
    contents: tuple[str, ...]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Sample(Rows):
    """The sample, with queries for it.

    Parameters
    ----------
    ids, contents, vectors
        The same as in `Rows`.
    queries
        Rows that are not in the sample. Their nearest neighbours in the sample are related in meaning.
    """

    queries: Rows


@cache
def sample() -> Sample:
    """Return the sample: 4 000 rows and 50 queries.

    The files are read once; later calls return the same object.

    Examples
    --------
    >>> data = sample()
    >>> data.vectors.shape, len(data.queries)
    ((4000, 384), 50)
    """
    folder = files("engram.data")
    contents = folder.joinpath("wordnet_sample.txt").read_text(encoding="utf-8").splitlines()
    asked = folder.joinpath("wordnet_queries.txt").read_text(encoding="utf-8").splitlines()
    with folder.joinpath("wordnet_vectors.npz").open("rb") as file, np.load(file) as stored:
        vectors, cues = _unit_rows(stored["sample"]), _unit_rows(stored["queries"])
    queries = Rows(_ids(asked), tuple(asked), cues)
    return Sample(_ids(contents), tuple(contents), vectors, queries)


def _unit_rows(stored: NDArray[np.float16]) -> NDArray[np.float32]:
    vectors = stored.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors.flags.writeable = False
    return vectors


def _ids(contents: Iterable[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    ids = []
    for content in contents:
        word = content.partition(":")[0].lower()
        slug = _NOT_IN_A_SLUG.sub("-", word).strip("-") or "entry"
        seen[slug] += 1
        ids.append(slug if seen[slug] == 1 else f"{slug}-{seen[slug]}")
    return tuple(ids)
