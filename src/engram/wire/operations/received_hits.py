"""The hits in an answer as a client receives them: they decode each attribute when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.model.hit import Hit, received_hit
from engram.model.values.metadata import read_metadata
from engram.wire import engram_pb2 as pb
from engram.wire.times import stored_us


def decode_hits(memories: Sequence[pb.Memory]) -> list[Hit]:
    """Return the hits in `memories`, a repeated field."""
    received = _Received(memories)
    return [received_hit(received, row) for row in range(len(memories))]


class _Received:
    """The source of the hits of one response; each method returns one attribute of a row.

    The attributes that a memory has under the same name have their methods from below.
    """

    __slots__ = ("_memories",)

    def __init__(self, memories: Sequence[pb.Memory]) -> None:
        self._memories = memories

    def id(self, row: int) -> str:
        return self._memories[row].id

    def has_content(self, row: int) -> bool:
        return not self._memories[row].no_content

    def metadata(self, row: int) -> dict[str, Any]:
        return read_metadata(self._memories[row].metadata_json) or {}

    def tags(self, row: int) -> list[str]:
        return list(self._memories[row].tags)

    def time_us(self, row: int) -> int:
        return stored_us(self._memories[row].created_at)

    def vector(self, row: int) -> NDArray[np.float32] | None:
        embedding = self._memories[row].embedding
        if not embedding:
            return None
        vector = np.array(embedding, np.float32)
        vector.flags.writeable = False
        return vector

    def strength(self, row: int) -> float | None:
        memory = self._memories[row]
        return memory.strength if memory.HasField("strength") else None

    def expires_us(self, row: int) -> int | None:
        memory = self._memories[row]
        return memory.expires_us if memory.HasField("expires_us") else None

    def recalled_us(self, row: int) -> int:
        return self.time_us(row) + round(self._memories[row].age_s * 1e6)


def _reader(name: str) -> Callable[[_Received, int], Any]:
    def read(self: _Received, row: int) -> Any:
        return getattr(self._memories[row], name)

    return read


for _name in {item.name for item in fields(Hit)} & pb.Memory.DESCRIPTOR.fields_by_name.keys() - vars(_Received).keys():
    setattr(_Received, _name, _reader(_name))
