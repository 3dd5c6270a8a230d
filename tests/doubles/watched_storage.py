"""A storage of which a copy is taken before each call, as a kill or a loss of power would leave it."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.doubles.faulty_storage import Faults, FaultyStorage


class Watched(Faults):
    """Takes a copy of a storage before each call, as it would be found after a kill and after a loss of power."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.storage: FaultyStorage | None = None
        self.found: list[FaultyStorage] = []
        self._random = Random(seed)

    def take(self, operation: str) -> Any:
        if self.storage is not None:
            self.found += [frozen(self.storage.after_kill()), self.storage.after_power_loss(self._random)]
        return super().take(operation)


def frozen(storage: FaultyStorage) -> FaultyStorage:
    """A storage that was found after a kill, apart from that of the process that goes on here."""
    for name, content in storage._files.items():
        storage._files[name] = content.copy()
    for child in storage._directories.values():
        assert isinstance(child, FaultyStorage)
        frozen(child)
    return storage
