"""The catalogue of spaces on storage."""

from __future__ import annotations

import errno
import json

import pytest

from doubles.faulty_storage import Fault, FaultyStorage
from engram.errors import CorruptData, Unavailable
from engram.log.memory_storage import MemoryStorage
from engram.spaces import SpaceConfig
from engram.store.catalogue import Catalogue

CONFIG = SpaceConfig("notes", 64, "l2", "lexical")


def test_spaces_come_back_by_name() -> None:
    storage = MemoryStorage()
    catalogue = Catalogue(storage)
    others = [SpaceConfig("zzz"), SpaceConfig("aaa", 8)]
    for config in (CONFIG, *others):
        catalogue.add(config)
    assert Catalogue(storage).load() == [others[1], CONFIG, others[0]]


def test_an_interrupted_creation_is_no_space() -> None:
    storage = MemoryStorage()
    catalogue = Catalogue(storage)
    catalogue.storage_of("half-made")
    assert catalogue.load() == []
    catalogue.add(SpaceConfig("half-made", 16))
    assert Catalogue(storage).load() == [SpaceConfig("half-made", 16)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"null",
        b"{}",
        json.dumps({"format": 2, "name": "notes", "dim": 8}).encode(),
        json.dumps({"format": 1, "name": "notes", "dim": 4}).encode(),
        json.dumps({"format": 1, "name": "notes", "colour": "red"}).encode(),
        json.dumps({"format": 1, "name": "other", "dim": 8}).encode(),
    ],
)
def test_damaged_settings_are_reported(content: bytes) -> None:
    storage = MemoryStorage()
    catalogue = Catalogue(storage)
    catalogue.storage_of("notes").replace("space.json", content)
    with pytest.raises(CorruptData, match=r"spaces/notes/space\.json"):
        catalogue.load()


def test_a_space_that_cannot_be_recorded() -> None:
    storage = FaultyStorage()
    catalogue = Catalogue(storage)
    storage.faults.pending.append(Fault("replace", errno.ENOSPC))
    with pytest.raises(Unavailable) as refusal:
        catalogue.add(CONFIG)
    assert refusal.value.code == "disk_full"
    assert catalogue.load() == []
