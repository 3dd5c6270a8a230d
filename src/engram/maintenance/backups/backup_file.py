"""The files of a backup: a list of its contents, and the segments, which are named after their content."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from engram.errors import CorruptData, NotFound
from engram.log.files.checked_json import decode_checked, encode_checked
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures
from engram.log.identity import Identity
from engram.log.manifest import SegmentEntry
from engram.model.spaces import is_space_name
from engram.model.values.scalars import shown
from engram.store.directory import BACKUP

FILE_NAME: Final = BACKUP
SEGMENTS: Final = "segments"


class BackedSegment(NamedTuple):
    """A segment in a backup.

    Parameters
    ----------
    entry
        The segment's entry in the manifest.
    end
        Number of the segment's bytes that are in the backup; all bytes behind them are zeros.
    crc
        CRC32C of these bytes.
    """

    entry: SegmentEntry
    end: int
    crc: int

    def file_name(self, space_id: str) -> str:
        """Return the segment's file name in the backup. Other bytes have another name, so nothing is overwritten."""
        return f"{space_id}-{self.entry.epoch:012d}-{self.end:x}-{self.crc:08x}.log"


class BackedSpace(NamedTuple):
    """A space in a backup.

    Parameters
    ----------
    identity, settings
        As in the space's manifest.
    generation
        The last generation in the backup, which holds everything up to it and nothing else.
    taken_us
        Time at which the space was copied, in microseconds since 1970 UTC.
    segments
        The segments of its log.
    erasing
        What was being erased then, as in the manifest.
    """

    identity: Identity
    settings: dict[str, Any]
    generation: int
    taken_us: int
    segments: tuple[BackedSegment, ...]
    erasing: Mapping[str, int]

    @property
    def nbytes(self) -> int:
        """Size of the space's log in the backup, in bytes."""
        return sum(segment.end for segment in self.segments)

    @property
    def file_names(self) -> list[str]:
        """File names of the space's segments, in order."""
        return [segment.file_name(self.identity.space) for segment in self.segments]


class Backup(NamedTuple):
    """The content of a backup.

    Parameters
    ----------
    store
        Id of the data directory.
    spaces
        The spaces, by name.
    aliases
        The space that each alias means.
    """

    store: str
    spaces: dict[str, BackedSpace]
    aliases: Mapping[str, str] = MappingProxyType({})

    @property
    def file_names(self) -> set[str]:
        """File names of all segments."""
        return {name for space in self.spaces.values() for name in space.file_names}


def read_backup(storage: FileStorage) -> Backup:
    """Return the backup in a directory.

    Raises
    ------
    NotFound
        If there is no backup.
    CorruptData
        If the list of its contents is damaged.
    NewerFormat
        If a newer version of Engram wrote it.
    Unavailable
        If it cannot be read.
    """
    try:
        with typed_failures(f"reading backup {storage.path}"):
            if FILE_NAME not in storage.names():
                raise NotFound(f"{storage.path} is no backup: it has no {FILE_NAME}", code="no_backup", field="path")
            content = decode_checked(storage.read(FILE_NAME), FILE_NAME)
        spaces = {_checked_name(name): _space(space) for name, space in content["spaces"].items()}
        # Backups from before spaces had aliases have none.
        aliases = {_checked_name(alias): str(space) for alias, space in content.get("aliases", {}).items()}
        return Backup(content["store"], spaces, aliases)
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptData(
            f"{FILE_NAME} is damaged: it lacks or has something that does not belong there: {error}",
            code="corrupt_description",
            field=FILE_NAME,
        ) from error


def write_backup(storage: FileStorage, backup: Backup) -> None:
    """Replace the backup in the directory by `backup`, atomically and durably.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    spaces = {
        name: {
            "identity": space.identity._asdict(),
            "settings": space.settings,
            "generation": space.generation,
            "taken_us": space.taken_us,
            "segments": [{**segment._asdict(), "entry": segment.entry._asdict()} for segment in space.segments],
            **({"erasing": space.erasing} if space.erasing else {}),
        }
        for name, space in sorted(backup.spaces.items())
    }
    aliases = {"aliases": dict(sorted(backup.aliases.items()))} if backup.aliases else {}
    storage.replace(FILE_NAME, encode_checked({"store": backup.store, "spaces": spaces, **aliases}))


def _checked_name(name: str) -> str:
    """Refuse what cannot name a space before it becomes part of a path, which might lead anywhere."""
    if not is_space_name(name):
        raise CorruptData(
            f"{FILE_NAME} is damaged: {shown(name, with_type=False)} is no name of a space",
            code="corrupt_description",
            field=FILE_NAME,
            value=shown(name, with_type=False),
        )
    return name


def _space(content: dict[str, Any]) -> BackedSpace:
    segments = tuple(
        BackedSegment(SegmentEntry(**segment["entry"]), segment["end"], segment["crc"])
        for segment in content["segments"]
    )
    identity = Identity(**content["identity"])
    # Backups from before erasures have none.
    erasing = dict(content.get("erasing", {}))
    return BackedSpace(identity, content["settings"], content["generation"], content["taken_us"], segments, erasing)
