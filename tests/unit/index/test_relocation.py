"""Raw vectors at another place: what is kept alive at the old one, and which indexes learn of it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.index import HnswIndex
from engram.index.current_graph import CurrentGraph
from tests.doubles.vectors import clustered

DIM = 32
COUNT = 40


class Memory:
    """Memory of a file that has vectors one after the other."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self.bytes: NDArray[np.uint8] = np.frombuffer(vectors.tobytes(), dtype=np.uint8).copy()
        self.gone = weakref.ref(self.bytes)

    def rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Those from row `first` up to row `last`."""
        size = 4 * DIM
        return self.bytes[first * size : last * size].view(np.float32).reshape(-1, DIM)


@pytest.fixture
def base() -> NDArray[np.float32]:
    return clustered(COUNT, DIM)


def index_on(memory: Memory, base: NDArray[np.float32], published: int) -> HnswIndex:
    """An index of which the first `published` vectors are published, and the others only appended."""
    index = HnswIndex(DIM)
    index.append(base[:published], 1, memory.rows(0, published))
    index.publish(published)
    if published < len(base):
        index.append(base[published:], published + 1, memory.rows(published, len(base)))
    return index


def test_the_old_place_is_let_go(base: NDArray[np.float32]) -> None:
    memory, other = Memory(base), base.copy()
    index = index_on(memory, base, COUNT)
    index.relocate(1, COUNT, [(1, other)], [memory.bytes])
    gone = memory.gone
    del memory
    gc.collect()
    assert gone() is None
    assert index.search(base, k=1)[0][:, 0].tolist() == list(range(1, COUNT + 1))


def test_only_what_is_given_up_is_let_go(base: NDArray[np.float32]) -> None:
    one, two = Memory(base[:10]), Memory(base[10:])
    index = HnswIndex(DIM)
    index.append(base[:10], 1, one.rows(0, 10))
    index.append(base[10:], 11, two.rows(0, COUNT - 10))
    index.publish(COUNT)
    index.relocate(1, 10, [(1, base[:10].copy())], [one.bytes])
    gone, kept = one.gone, two.gone
    del one, two
    gc.collect()
    assert (gone() is None, kept() is None) == (True, False)
    assert index.search(base, k=1)[0][:, 0].tolist() == list(range(1, COUNT + 1))


def test_what_is_not_published_yet_stays_where_it_is(base: NDArray[np.float32]) -> None:
    """A commit may be under way in the memory that is given up."""
    memory = Memory(base)
    index = index_on(memory, base, COUNT - 10)
    index.relocate(1, COUNT, [(1, base[: COUNT - 10].copy())], [memory.bytes])
    kept = memory.gone
    del memory
    gc.collect()
    assert kept() is not None
    index.publish(COUNT)
    assert index.search(base, k=1)[0][:, 0].tolist() == list(range(1, COUNT + 1))


class Told:
    """A native index that says what it was told."""

    def __init__(self) -> None:
        self.erased: list[int] = []

    def erase(self, versions: NDArray[np.int64]) -> None:
        self.erased += versions.tolist()


def test_an_index_that_takes_its_place_meanwhile_is_told_what_is_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compaction may end between the looks at the one in use and at its successor."""
    old, new = Told(), Told()
    current: list[Any] = [old]
    graph: Any = None

    def read(_: CurrentGraph) -> Any:
        found = current[0]
        if graph is not None:
            # As soon as somebody has looked.
            current[0], graph._successor = new, None
        return found

    monkeypatch.setattr(CurrentGraph, "native", property(read, lambda _, native: None), raising=False)
    graph = CurrentGraph(old)  # type: ignore[arg-type]  # Nothing else of it is used.
    graph._successor = new
    graph.erase(np.array([3, 5]))
    assert new.erased == [3, 5]
