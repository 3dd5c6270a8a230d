"""Data directories whose every write is known, and ways to damage copies of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.store import MemoryStore, Space, StoreOptions

DIM: Final = 8
SPACE: Final = "notes"
# So small that a log of some hundred rows has many segments.
SMALL_SEGMENTS: Final = StoreOptions(segment_bytes=16 << 10)


@dataclass(repr=False, eq=False)
class Written:
    """What was written to a space: of each generation the id, and the text and vector or None for a deletion."""

    rows: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def newest(self) -> dict[str, int]:
        """Of each id that is alive the generation of its version."""
        alive: dict[str, int] = {}
        for generation, (id, text) in sorted(self.rows.items()):
            if text is None:
                alive.pop(id, None)
            else:
                alive[id] = generation
        return alive


def write(space: Space, random: Random, batches: int, ids: int = 120) -> Written:
    """Observe, supersede and delete at random; return what was written."""
    written = Written()
    alive: set[str] = set()
    for _ in range(batches):
        if alive and random.random() < 0.2:
            chosen = random.sample(sorted(alive), min(len(alive), random.randint(1, 5)))
            first = space.generation + 1
            space.delete(chosen)
            written.rows |= {first + n: (id, None) for n, id in enumerate(chosen)}
            alive -= set(chosen)
            continue
        chosen = [f"id-{random.randrange(ids)}" for _ in range(random.choice([1, 3, 70]))]
        vectors = np.random.default_rng(random.getrandbits(32)).standard_normal((len(chosen), DIM)).astype(np.float32)
        texts = [f"{id} {random.getrandbits(40):x}" for id in chosen]
        last = space.observe(chosen, vectors, texts, tags=[["t"]] * len(chosen), metadata=[{"n": 1}] * len(chosen))
        first = last - len(chosen) + 1
        written.rows |= {first + n: (id, text) for n, (id, text) in enumerate(zip(chosen, texts, strict=True))}
        written.vectors |= {first + n: vector for n, vector in enumerate(vectors)}
        alive |= set(chosen)
    return written


def make_store(path: Path, seed: int, batches: int = 40) -> Written:
    """A data directory with one space, closed cleanly."""
    with MemoryStore(path, options=SMALL_SEGMENTS) as store:
        return write(store.space(SPACE, dim=DIM), Random(seed), batches)


def make_crashed_store(path: Path, seed: int, crashes: int = 3) -> Written:
    """A data directory that lived through crashes, each of which left a torn write, and was closed cleanly at last."""
    random = Random(seed)
    written = Written()
    # Without a mark of the time: only what is torn below must not be known to be durable.
    options = StoreOptions(segment_bytes=16 << 10, mark_interval_s=3600)
    for number in range(crashes):
        with MemoryStore(path, options=options) as store:
            space = store.space(SPACE, dim=DIM)
            written = _joined(written, write(space, random, 8))
            space.observe(["torn"] * 3, np.ones((3, DIM)), ["t" * 1000] * 3)
            after = copied(path, path.with_name(f"{path.name}-{number}"))
        shutil.rmtree(path)
        after.rename(path)
        file = next(file for file in reversed(logs_of(path)) if b"t" * 1000 in file.read_bytes())
        place = file.read_bytes().rfind(b"t" * 1000)
        zero(file, place - place % 512, 512)
    with MemoryStore(path, options=options) as store:
        return _joined(written, write(store.space(SPACE), random, 8))


def _joined(one: Written, two: Written) -> Written:
    return Written(one.rows | two.rows, one.vectors | two.vectors)


def logs_of(path: Path, space: str = SPACE) -> list[Path]:
    """The segments that were written to, in order."""
    return [file for file in sorted((path / "spaces" / space / "log").iterdir()) if any(file.read_bytes()[512:])]


def copied(path: Path, to: Path) -> Path:
    """A copy of a data directory."""
    shutil.copytree(path, to)
    return to


def flip(file: Path, offset: int, bit: int = 0) -> None:
    """Change one bit, in place: somebody may have the file open."""
    with file.open("r+b") as opened:
        opened.seek(offset)
        (found,) = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([found ^ 1 << bit]))


def flip_stored(path: Path, what: bytes, space: str = SPACE) -> tuple[Path, int]:
    """Change one bit in the middle of what is stored in a space's log; return where: the file, and the offset."""
    for file in sorted((path / "spaces" / space / "log").iterdir()):
        place = file.read_bytes().find(what)
        if place >= 0:
            flip(file, place + len(what) // 2)
            return file, place + len(what) // 2
    raise AssertionError(f"{what!r} is not in the log of {space}")


def zero(file: Path, offset: int, nbytes: int = 4096) -> None:
    """Make part of a file zeros, in its size."""
    data = bytearray(file.read_bytes())
    end = min(len(data), offset + nbytes)
    data[offset:end] = bytes(end - offset)
    file.write_bytes(data)


def cut(file: Path, nbytes: int) -> None:
    """Make a file shorter."""
    file.write_bytes(file.read_bytes()[:nbytes])


def damage_log(path: Path, random: Random) -> str:
    """Break one thing that the log holds; return what."""
    logs = logs_of(path)
    if not logs:
        return "nothing is left"
    file = random.choice(logs)
    used = len(file.read_bytes().rstrip(b"\0"))
    offset = random.randrange(used)
    kind = random.choice(["flip", "flip", "flip", "zero", "cut", "remove", "swap", "empty"])
    if kind == "flip":
        flip(file, offset, random.randrange(8))
    elif kind == "zero":
        zero(file, offset - offset % 512, random.choice([512, 4096]))
    elif kind == "cut":
        cut(file, offset)
    elif kind == "remove":
        file.unlink()
    elif kind == "empty":
        zero(file, 0, len(file.read_bytes()))
    else:
        other = random.choice(logs)
        one, two = file.read_bytes(), other.read_bytes()
        file.write_bytes(two)
        other.write_bytes(one)
    return f"{kind} {file.name} at {offset}"


def damage_description(path: Path, random: Random) -> str:
    file = random.choice([path / "store.json", path / "spaces" / SPACE / "space.json"])
    if random.random() < 0.5:
        file.unlink()
    else:
        flip(file, random.randrange(len(file.read_bytes())), random.randrange(8))
    return f"broke {file.name}"


def everything_in(path: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a directory, with the time of its last change and its bytes."""
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    found = {str(file.relative_to(path)): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}
    folders = (folder for folder in sorted(path.rglob("*")) if folder.is_dir())
    return found | {f"{folder.relative_to(path)}/": (folder.stat().st_mtime_ns, b"") for folder in folders}
