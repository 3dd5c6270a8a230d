"""Byte patterns that are searched for in files, all at once and at every offset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

_BEGIN_BYTES: Final = 8


class Patterns:
    """Patterns of at least 8 bytes, found by how they begin; few of them should begin alike.

    Parameters
    ----------
    patterns
        The patterns.
    """

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._by_begin: dict[int, list[bytes]] = {}
        for pattern in patterns:
            assert len(pattern) >= _BEGIN_BYTES, pattern
            self._by_begin.setdefault(int.from_bytes(pattern[:_BEGIN_BYTES], "little"), []).append(pattern)
        self._begins = np.array(sorted(self._by_begin), dtype="<u8")

    def found_in(self, contents: Iterable[bytes]) -> set[bytes]:
        """Return the patterns that are in any of `contents`."""
        found: set[bytes] = set()
        for content in contents:
            found |= self._found(content)
        return found

    def _found(self, content: bytes) -> set[bytes]:
        found: set[bytes] = set()
        if not self._by_begin:
            return found
        # With a rest that no pattern is in, so that there is something to look at behind each shift.
        memory = np.frombuffer(content + bytes(2 * _BEGIN_BYTES), dtype=np.uint8)
        for shift in range(_BEGIN_BYTES):
            count = (len(memory) - shift) // _BEGIN_BYTES
            words = memory[shift : shift + count * _BEGIN_BYTES].view("<u8")
            places = np.minimum(self._begins.searchsorted(words), len(self._begins) - 1)
            for place in np.flatnonzero(self._begins[places] == words).tolist():
                begins_alike = self._by_begin[int(words[place])]
                offset = place * _BEGIN_BYTES + shift
                found.update(pattern for pattern in begins_alike if content.startswith(pattern, offset))
        return found


def contents_of(directory: Path) -> Iterator[bytes]:
    """Yield what is in each file of a directory and of those in it."""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.read_bytes()
