"""Logs by themselves: a manifest and segments in one storage."""

from __future__ import annotations

from typing import Any

from engram.log.files.storage import Storage
from engram.log.identity import Identity
from engram.log.log import Log
from engram.log.manifest import FILE_NAME, Manifest
from engram.log.segments.segment import segment_of
from tests.doubles.batches import DIM


def manifest_of(storage: Storage) -> Manifest:
    """The manifest in `storage`, made if there is none."""
    if FILE_NAME in storage.names():
        return Manifest.read(storage)
    manifest = Manifest(storage, Identity.new(), {})
    manifest.save()
    return manifest


def open_log(storage: Storage, dim: int = DIM, **options: Any) -> Log:
    """The log in `storage`, opened or begun."""
    return Log.open(storage, manifest_of(storage), dim, **options)


def segment_names(storage: Storage) -> list[str]:
    """The names of the segments in `storage`."""
    return [name for name in storage.names() if segment_of(name) is not None]
