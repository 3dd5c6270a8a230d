"""The ways in which a directory is damaged, each chosen by chance and noted so that it can be done again."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from campaigns.damage.anatomy import dissect
from campaigns.damage.pristine import Pristine

LIST: Final = "store.json"
_PAGES: Final = (512, 4096)
_CLASSES: Final = {
    "segment": "spaces/*/log/*.log",
    "checkpoint": "spaces/*/checkpoints/*.checkpoint",
    "description": "spaces/*/space.json",
    "list": LIST,
}


@dataclass(frozen=True, slots=True)
class Harm:
    """What was done.

    Parameters
    ----------
    kind
        In a few words.
    files
        What was hit, seen from the data directory.
    offset, nbytes
        Where in the (first) file; -1 and 0 where all of it is concerned.
    harmless
        Why it may be that nothing needs to be said of it; ``""`` if something must.
    may_unmake
        Whether it can look like an unfinished write at the end of a log that was not closed, or take its traces away.
    """

    kind: str
    files: tuple[str, ...]
    offset: int = -1
    nbytes: int = 0
    harmless: str = ""
    may_unmake: bool = False

    @property
    def spaces(self) -> frozenset[str]:
        """The spaces that are hit. The list of spaces belongs to none: they open without it."""
        return frozenset(file.split("/")[1] for file in self.files if file.startswith("spaces/"))


def do_harm(pristine: Pristine, directory: Path, chance: random.Random, running: bool) -> Harm:
    """Damage `directory`, a copy of `pristine`, in a way that is possible there."""
    kinds = {**_IN_FILES, **({} if running else _AT_REST), **_OF_FILES}
    while True:
        kind = chance.choice(list(kinds))
        harm = kinds[kind](_Place(pristine, directory, chance, kind))
        if harm is not None:
            return harm


@dataclass(frozen=True, slots=True)
class _Place:
    pristine: Pristine
    directory: Path
    chance: random.Random
    kind: str

    def files(self, kind: str) -> list[str]:
        """The files of a class."""
        return sorted(str(file.relative_to(self.directory)) for file in self.directory.glob(_CLASSES[kind]))

    def some_file(self) -> str | None:
        """A file, logs most often."""
        (kind,) = self.chance.choices(list(_CLASSES), weights=(6, 2, 2, 1))
        files = self.files(kind)
        return self.chance.choice(files) if files else None

    def is_blank(self, file: str, offset: int) -> bool:
        """Whether `offset` lies behind all records of a log's file, where nothing is read from."""
        return offset >= dissect(self.pristine.directory).ends.get(file, 1 << 62)

    def put(self, file: str, data: bytes) -> bool:
        """Replace a file as a whole; False if it held that already."""
        path = self.directory / file
        if path.exists() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(".put").write_bytes(data)
        path.with_name(".put").rename(path)
        return True


def _flip(place: _Place, file: str, offset: int) -> Harm:
    with (place.directory / file).open("r+b") as opened:
        byte = os.pread(opened.fileno(), 1, offset)[0]
        os.pwrite(opened.fileno(), bytes([byte ^ 1 << place.chance.randrange(8)]), offset)
    return Harm(place.kind, (file,), offset, 1)


def _flip_part(name: str) -> Callable[[_Place], Harm | None]:
    def flip(place: _Place) -> Harm | None:
        parts = dissect(place.pristine.directory).parts.get(name)
        if not parts:
            return None
        part = place.chance.choice(parts)
        return _flip(place, part.file, place.chance.randrange(part.start, part.stop))

    return flip


def _flip_file(kind: str) -> Callable[[_Place], Harm | None]:
    def flip(place: _Place) -> Harm | None:
        files = place.files(kind)
        if not files:
            return None
        file = place.chance.choice(files)
        data = (place.directory / file).read_bytes()
        used = [offset for offset in place.chance.sample(range(len(data)), min(len(data), 2000)) if data[offset]]
        return _flip(place, file, used[0]) if used else None

    return flip


def _page(place: _Place) -> Harm | None:
    file = place.some_file()
    if file is None:
        return None
    path = place.directory / file
    size, nbytes = path.stat().st_size, place.chance.choice(_PAGES)
    offset = place.chance.randrange(max(1, size // nbytes)) * nbytes
    nbytes = min(nbytes, size - offset)
    page = bytes(nbytes) if place.kind == "page of zeros" else place.chance.randbytes(nbytes)
    with path.open("r+b") as opened:
        if os.pread(opened.fileno(), nbytes, offset) == page:
            return None
        os.pwrite(opened.fileno(), page, offset)
    blank = "it lies behind the last record, where nothing is read" if place.is_blank(file, offset) else ""
    return Harm(place.kind, (file,), offset, nbytes, blank, may_unmake=page.count(0) == nbytes)


def _cut(place: _Place) -> Harm | None:
    file = place.some_file()
    if file is None or not (size := (place.directory / file).stat().st_size):
        return None
    offset = 0 if place.kind == "file emptied" else place.chance.randrange(size)
    os.truncate(place.directory / file, offset)
    return Harm(place.kind, (file,), offset, size - offset)


def _extend(place: _Place) -> Harm | None:
    file = place.some_file()
    if file is None:
        return None
    nbytes = place.chance.choice((1, 512, 4096))
    with (place.directory / file).open("ab") as opened:
        offset = opened.tell()
        opened.write(place.chance.randbytes(nbytes))
    return Harm(place.kind, (file,), offset, nbytes)


def _delete(place: _Place) -> Harm | None:
    file = place.some_file()
    if file is None:
        return None
    (place.directory / file).unlink()
    return Harm(place.kind, (file,))


def _exchange(place: _Place) -> Harm | None:
    kind = place.chance.choice(("segment", "segment", "checkpoint", "description"))
    files = place.files(kind)
    if len(files) < 2:
        return None
    one, other = sorted(place.chance.sample(files, 2))
    first, second = (place.directory / file for file in (one, other))
    if first.read_bytes() == second.read_bytes():
        return None
    between = first.with_name(".between")
    first.rename(between)
    second.rename(first)
    between.rename(second)
    return Harm(place.kind, (one, other))


def _foreign(place: _Place) -> Harm | None:
    """The file with the same name of another store, or of another space of this one."""
    file = place.some_file()
    if file is None:
        return None
    name = Path(file).name
    sources = [source for source in place.pristine.other.glob("**/*") if source.name == name]
    sources += [source for source in place.directory.glob(f"**/{name}") if source != place.directory / file]
    if file.endswith(".checkpoint"):
        sources = sorted(place.pristine.other.glob(_CLASSES["checkpoint"]))
    if not sources or not place.put(file, place.chance.choice(sorted(sources)).read_bytes()):
        return None
    return Harm(place.kind, (file,))


def _older(place: _Place) -> Harm | None:
    """The same file as it was at an earlier time."""
    file = place.some_file()
    sources = [state / file for state in place.pristine.older if file is not None and (state / file).exists()]
    if file is None or not sources or not place.put(file, place.chance.choice(sources).read_bytes()):
        return None
    why = {
        LIST: "the list lacks what is newer, and each space says that itself",
        "space.json": "it lists the same files, and its older mark is true",
    }.get(Path(file).name, "")
    return Harm(place.kind, (file,), harmless=why, may_unmake=file.endswith(".log"))


def _space(place: _Place) -> Path:
    return place.chance.choice(sorted(path for path in (place.directory / "spaces").iterdir() if path.is_dir()))


def _directory_of_older(place: _Place) -> Harm | None:
    space = _space(place)
    sources = [state / "spaces" / space.name for state in place.pristine.older]
    sources = [source for source in sources if source.is_dir()]
    if not sources:
        return None
    shutil.rmtree(space)
    shutil.copytree(place.chance.choice(sources), space)
    # Where nothing was written since, nothing has changed.
    return Harm(
        place.kind,
        (f"spaces/{space.name}/", f"spaces/{space.name}/space.json"),
        may_unmake=True,
        harmless="nothing was observed in it since" if space.name == "empty" else "",
    )


def _directory_exchanged(place: _Place) -> Harm | None:
    one, other = _space(place), _space(place)
    if one == other:
        return None
    between = place.directory / "between"
    one.rename(between)
    other.rename(one)
    between.rename(other)
    return Harm(place.kind, (f"spaces/{one.name}/", f"spaces/{other.name}/"))


def _directory_copied(place: _Place) -> Harm | None:
    space = _space(place)
    shutil.copytree(space, space.with_name(f"{space.name}-copy"))
    return Harm(place.kind, (f"spaces/{space.name}-copy/",))


def _directory_foreign(place: _Place) -> Harm | None:
    space = _space(place)
    source = place.pristine.other / "spaces" / space.name
    shutil.rmtree(space)
    shutil.copytree(source, space)
    return Harm(place.kind, (f"spaces/{space.name}/",))


def _directory_deleted(place: _Place) -> Harm | None:
    space = _space(place)
    shutil.rmtree(space)
    return Harm(place.kind, (f"spaces/{space.name}/",))


def _lock_deleted(place: _Place) -> Harm | None:
    lock = place.directory / "LOCK"
    if not lock.exists():
        return None
    lock.unlink()
    return Harm(place.kind, ("LOCK",), harmless="the lock is made anew")


def _stray(place: _Place) -> Harm | None:
    name = place.chance.choice((".DS_Store", "notes.txt", "spaces/.DS_Store", "spaces/alpha/log/old.log~", "spaces/x"))
    path = place.directory / name
    if not path.parent.is_dir():
        return None
    path.write_bytes(place.chance.randbytes(100))
    return Harm(place.kind, (name,), harmless="files that are not the store's are left alone")


PARTS: Final = (
    "segment header",
    "record header",
    "sums in a header",
    "table of sums",
    "vectors",
    "vector sums",
    "times",
    "confidences",
    "importances",
    "expiries",
    "vector presence",
    "text presence",
    *(f"{offsets}{name}" for name in ("ids", "contents", "metadata", "tags") for offsets in ("", "offsets of ")),
    "ids of a deletion",
    "offsets of ids of a deletion",
)
_IN_FILES: Final[Mapping[str, Callable[[_Place], Harm | None]]] = {
    **{f"bit in the {name}": _flip_part(name) for name in PARTS},
    **{f"bit in a {kind}": _flip_file(kind) for kind in _CLASSES if kind != "list"},
    "bit in the list": _flip_file("list"),
    "page of zeros": _page,
    "page of noise": _page,
    "file cut": _cut,
    "file emptied": _cut,
    "file extended": _extend,
}
_OF_FILES: Final[Mapping[str, Callable[[_Place], Harm | None]]] = {
    "file deleted": _delete,
    "files exchanged": _exchange,
    "foreign file": _foreign,
    "older file": _older,
}
_AT_REST: Final[Mapping[str, Callable[[_Place], Harm | None]]] = {
    "older directory of a space": _directory_of_older,
    "directories exchanged": _directory_exchanged,
    "directory copied": _directory_copied,
    "foreign directory of a space": _directory_foreign,
    "directory deleted": _directory_deleted,
    "lock deleted": _lock_deleted,
    "stray file": _stray,
}
