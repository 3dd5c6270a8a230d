"""Directories as programs left them, each made once, to be copied and damaged many times."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from campaigns.damage.model import Model
from campaigns.damage.story import SPACES, Change, Row, write_story
from campaigns.damage.writer import PLANS
from engram import MemoryStore
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from engram.store import StoreOptions
from engram.store.space import Space

FORMAT_1: Final = "of format 1"
WAYS: Final = (*PLANS, FORMAT_1)
_FIXTURE: Final = Path(__file__).parents[2] / "tests" / "fixtures" / "format1.tar.gz"
_QUIET: Final = StoreOptions(scrub_bytes_per_s=0, mark_interval_s=86_400.0, checkpoint_rest_count_min=1)


@dataclass(frozen=True, slots=True)
class Pristine:
    """A directory that nothing was done to.

    Parameters
    ----------
    way
        How it was left.
    directory
        Where it is.
    older
        Copies of it from earlier, oldest first.
    other
        A directory of another store with the same spaces, left the same way.
    seed
        Of the story in it.
    """

    way: str
    directory: Path
    older: Sequence[Path]
    other: Path
    seed: str

    def provable(self, space: str, untouched: Sequence[str]) -> int:
        """How far the untouched ones of the files with a mark say that `space` went."""
        list_file, description = "store.json", f"spaces/{space}/space.json"
        proven = [0]
        if list_file in untouched:
            proven.append(_read(self.directory / list_file)["spaces"][space]["generation"])
        if description in untouched:
            content = _read(self.directory / description)
            proven += [content["mark"]["generation"], *(entry["generation"] for entry in content["checkpoints"])]
        return max(proven)


def make_pristine(way: str, seed: str, work: Path) -> Pristine:
    """Write a story, and that of another store, and end it the `way` that is meant."""
    work.mkdir(parents=True)
    if way == FORMAT_1:
        for name in ("directory", "other"):
            with tarfile.open(_FIXTURE) as archive:
                # `extractall(filter=...)` came with Python 3.11.4; Debian 12 has 3.11.2.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(work / name)  # noqa: S202 - our own archive.
            # The first opening lists the old files in a manifest; from then on strangers are known.
            MemoryStore(work / name, options=_QUIET).close()
        return Pristine(way, work / "directory", [], work / "other", seed)
    for name, one_seed in (("directory", seed), ("other", f"{seed} other")):
        older = work / f"older-{name}"
        older.mkdir()
        step = 0
        while step >= 0:
            step = _write(work / name, older, one_seed, PLANS[way], step)
    return Pristine(way, work / "directory", sorted((work / "older-directory").iterdir()), work / "other", seed)


@cache
def models(way: str, seed: str, directory: Path) -> Mapping[str, Model]:
    """What the spaces of a pristine directory must answer; only for format 1 it is read from the sound directory."""
    if way == FORMAT_1:
        with MemoryStore(directory, options=_QUIET, read_only=True) as store:
            return {
                space.config.name: Model(space.config.metric, space.config.dim, _changes_of(space))
                for space in store.spaces()
            }
    changes = write_story(seed)
    return {
        name: Model(config.metric, config.dim, [change for change in changes if change.space == name])
        for name, config in SPACES.items()
    }


def _write(directory: Path, older: Path, seed: str, plan: str, begin: int) -> int:
    command = [sys.executable, "-m", "campaigns.damage.writer", str(directory), str(older), seed, plan, str(begin)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=False)
    if done.returncode not in (0, -9):
        raise RuntimeError(f"the writer ended with {done.returncode}")
    return int(done.stdout.split()[-1])


def _changes_of(space: Space) -> list[Change]:
    return [_change_of(space.config.name, record) for record in space._engine._state.log.records()]


def _change_of(space: str, record: Record) -> Change:
    session = (record.session, record.first_sequence)
    if record.kind is not RecordKind.OBSERVE:
        return Change(space, (), tuple(record.ids()), *session)
    # Every row of these stores has a vector and a text, and none expires.
    vectors = record.vectors(np.arange(record.count))
    rows = (
        Row(
            record.id(row),
            vectors[row],
            record.content(row),
            record.metadata(row),
            record.tags(row),
            record.time_us(row),
            record.confidence(row),
            record.importance(row),
        )
        for row in range(record.count)
    )
    return Change(space, tuple(rows), (), *session)


def _read(file: Path) -> Any:
    return json.loads(file.read_bytes())
