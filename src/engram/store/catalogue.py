"""Which spaces there are: one directory each, with the settings in a small JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final, cast

from engram.errors import CorruptData, InvalidInput
from engram.log.failures import typed_failures
from engram.log.storage import Storage
from engram.spaces import SpaceConfig, is_space_name

_DIRECTORY: Final = "spaces"
_FILE: Final = "space.json"
_FORMAT: Final = 1


class Catalogue:
    """The spaces of one data directory.

    Parameters
    ----------
    storage
        The data directory.
    """

    def __init__(self, storage: Storage) -> None:
        with typed_failures("opening the catalogue of spaces"):
            self._spaces = storage.directory(_DIRECTORY)

    def load(self) -> list[SpaceConfig]:
        """The settings of every space, by name. A space whose creation was interrupted does not exist.

        Whatever else lies there is none of ours, such as what file managers and file systems leave behind
        (``.DS_Store``, ``lost+found``), and is left alone: a file, and a directory that has no name of a space.

        Raises
        ------
        CorruptData
            If a file does not hold the settings of a space.
        """
        with typed_failures("reading the catalogue of spaces"):
            found = [(name, self._directory_or_none(name)) for name in self._spaces.names() if is_space_name(name)]
            return [
                _decode(name, storage.read(_FILE))
                for name, storage in found
                if storage is not None and _FILE in storage.names()
            ]

    def add(self, config: SpaceConfig) -> None:
        """Record a new space, durably.

        Raises
        ------
        Unavailable
            If it cannot be written.
        """
        with typed_failures(f"creating space {config.name}"):
            data = json.dumps({"format": _FORMAT, **asdict(config)}, indent=2) + "\n"
            self._spaces.directory(config.name).replace(_FILE, data.encode())

    def storage_of(self, name: str) -> Storage:
        """The directory of a space."""
        with typed_failures(f"opening space {name}"):
            return self._spaces.directory(name)

    def _directory_or_none(self, name: str) -> Storage | None:
        try:
            return self._spaces.directory(name)
        except (FileExistsError, NotADirectoryError):
            return None


def _decode(name: str, data: bytes) -> SpaceConfig:
    try:
        settings = cast("dict[str, Any]", json.loads(data))
        if settings.pop("format") != _FORMAT:
            raise ValueError("unknown format")
        config = SpaceConfig(**settings)
    except (ValueError, TypeError, AttributeError, KeyError, InvalidInput) as error:
        raise CorruptData(f"{_DIRECTORY}/{name}/{_FILE} is damaged: {error}", field=_FILE, value=name) from error
    if config.name != name:
        raise CorruptData(
            f"{_DIRECTORY}/{name}/{_FILE} is that of space {config.name}", field="name", limit=name, value=config.name
        )
    return config
