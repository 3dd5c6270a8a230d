"""Planning a space by the first rows of a file, without losing or hoarding any."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from engram.cli.files.chunk import BadRow, FileChunk
from engram.cli.new_space import NewSpaceSink, plan_space
from engram.cli.sinks import Sink
from engram.errors import InvalidInput
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig


def chunk(first: int, count: int, dim: int) -> FileChunk:
    numbers = range(first, first + count)
    return FileChunk(numbers, [str(number) for number in numbers], np.ones((count, dim), np.float32))


def bad(first: int, count: int) -> FileChunk:
    return FileChunk([], [], np.empty((0, 0)), bad=[BadRow(first + row, "unreadable") for row in range(count)])


def test_most_vectors_have_the_say() -> None:
    chunks = [bad(1, 2), chunk(3, 1, 768), chunk(4, 9, 16), chunk(13, 2, 0), chunk(15, 3, 8)]
    config, rest = plan_space(iter(chunks), "notes", None, "l2", "")
    assert config == SpaceConfig("notes", 16, "l2", "")
    assert list(rest) == chunks


def test_what_is_known_need_not_be_looked_for() -> None:
    def unread() -> Iterator[FileChunk]:
        raise AssertionError("nobody has to look into the file")
        yield chunk(1, 1, 8)

    assert plan_space(unread(), "notes", 32, "cosine", "")[0].dim == 32


@pytest.mark.parametrize("make", [lambda first: chunk(first, 100, 0), lambda first: bad(first, 100)])
def test_a_large_file_is_not_read_to_its_end(make: Callable[[int], FileChunk]) -> None:
    read: list[int] = []

    def endless() -> Iterator[FileChunk]:
        for first in range(1, 10**9, 100):
            read.append(first)
            yield make(first)

    plan_space(endless(), "notes", None, "cosine", "lexical")
    assert len(read) == 10


def test_without_vectors_there_must_be_an_embedder() -> None:
    with pytest.raises(InvalidInput, match=r"the first 3 rows have no vectors.*--embedder lexical") as refusal:
        plan_space([chunk(1, 3, 0)], "notes", None, "cosine", "")
    assert refusal.value.code == "no_vectors"
    assert plan_space([chunk(1, 3, 0)], "notes", None, "cosine", "lexical")[0].embedder == "lexical"


def test_a_dimension_that_no_space_can_have_is_refused() -> None:
    with pytest.raises(InvalidInput, match="dimension is 4097; it must be within 1"):
        plan_space([chunk(1, 3, 4097)], "notes", None, "cosine", "")


class RecordingSink:
    """What takes the place of the space once it is made."""

    def __init__(self) -> None:
        self.config = SpaceConfig("notes", 8)
        self.durable_sequence = 0
        self.batches: list[ObservationBatch] = []

    def put(self, batch: ObservationBatch) -> None:
        self.batches.append(batch)

    def finish(self) -> int:
        return 7

    def abandon(self) -> tuple[int, int]:
        return 5, 3


def test_the_space_is_made_once_and_with_the_first_batch() -> None:
    made: list[RecordingSink] = []

    def make() -> Sink:
        made.append(RecordingSink())
        return made[-1]

    sink = NewSpaceSink(SpaceConfig("notes", 8), make)
    assert (sink.finish(), sink.abandon(), sink.durable_sequence, made) == (0, (0, 0), 0, [])
    batch = make_batch(["a"], np.ones((1, 8), np.float32))
    sink.put(batch)
    sink.put(batch)
    assert [len(each.batches) for each in made] == [2]
    assert (sink.finish(), sink.abandon()) == (7, (5, 3))
