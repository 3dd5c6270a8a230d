"""The catalogue of spaces: one directory per space, and a file that lists them all, so that a lost space is noticed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from engram.errors import CorruptData, EngramError
from engram.log.damage import Damages
from engram.log.files.checked_json import decode_checked, format_of
from engram.log.files.os_errors import is_passing, typed_failures, unavailable
from engram.log.files.storage import Storage
from engram.log.identity import Identity
from engram.log.manifest import FILE_NAME, Manifest
from engram.model.spaces import SpaceConfig
from engram.model.values.retention_policy import RetentionPolicy
from engram.store.directory import SPACES
from engram.store.naming.list_reading import read_list
from engram.store.naming.name_changes import NameChanges
from engram.store.naming.space_directories import SpaceDirectories
from engram.store.naming.space_list import FILE, Listed, ListedSpaces
from engram.store.naming.space_register import SpaceRegister
from engram.store.space_settings import decode_listed, read_settings1, with_policy

logger: logging.Logger = logging.getLogger(__name__)


class StoredSpace(NamedTuple):
    """A stored space that can be opened.

    Parameters
    ----------
    config
        Settings of the space.
    storage
        Directory of the space.
    manifest
        Manifest of the space; None for a space of format 1, which has none yet.
    generation_min
        Generation that the space is known to have reached; its log must not end before it.
    """

    config: SpaceConfig
    storage: Storage
    manifest: Manifest | None
    generation_min: int


class SpaceCatalog:
    """The spaces of one data directory. Any thread may use it.

    Parameters
    ----------
    storage
        The data directory. Unless it is read-only, what was left half dropped or half renamed is finished.

    Attributes
    ----------
    damages
        Damage of the list of spaces itself.
    changes
        Drops and renames its spaces, and changes their aliases.
    """

    def __init__(self, storage: Storage) -> None:
        self.damages: Final = Damages()
        self._storage = storage
        self._reached: dict[str, Listed] = {}
        with typed_failures("opening the catalogue of spaces"):
            self._spaces = storage.directory(SPACES)
            # A directory of format 1 that is opened read-only has no list and gets none.
            self._has_list = not storage.read_only or FILE in storage.names()
            self._register = SpaceRegister(storage, read_list(storage, self._spaces, self.damages))
            self._directories = SpaceDirectories(self._spaces, self._register)
            if not storage.read_only:
                self._directories.finish()
        self.changes: Final = NameChanges(self._register, self._directories)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed."""
        return self._storage.read_only

    @property
    def store_id(self) -> str:
        """The store's id."""
        return self._register.content.store_id

    @property
    def names(self) -> list[str]:
        """Names of the spaces that exist or are listed, in whatever state they are; sorted.

        Raises
        ------
        Unavailable
            If the directory of spaces cannot be read.
        """
        with typed_failures("opening the catalogue of spaces"):
            return sorted({*self._directories.names(), *self._register.content.spaces})

    @property
    def aliases(self) -> Mapping[str, str]:
        """The space that each alias means. It is never changed: a change makes another one."""
        return self._register.content.aliases

    def listed(self, name: str) -> Listed:
        """Return the list's entry for a space; its id is empty if the space is not listed."""
        return self._register.content.spaces.get(name, Listed("", 0))

    def name_of(self, begin: str, likely: str) -> str:
        """Return the name of the space whose id begins with `begin`, which is probably `likely`; that one if none does.

        It looks at all of them only if another one is meant.
        """
        spaces = self._register.content.spaces
        if not begin or self.listed(likely).space.startswith(begin):
            return likely
        return next((name for name, listed in spaces.items() if listed.space.startswith(begin)), likely)

    def directory(self, name: str) -> Storage:
        """Return the directory of a space."""
        return self._directories.of(name)

    def load(self) -> tuple[list[StoredSpace], dict[str, EngramError]]:
        """Return the spaces that can be opened, in the order of their names, and the errors of the others, by name.

        A space whose creation was interrupted does not exist. A directory that is not a space's directory is ignored.

        Raises
        ------
        Unavailable
            If the spaces cannot be listed.
        """
        sound: list[StoredSpace] = []
        unsound: dict[str, EngramError] = {}
        for name in self.names:
            try:
                space = self.find(name)
            except EngramError as error:
                unsound[name] = error
            else:
                if space is not None:
                    sound.append(space)
        return sound, unsound

    def find(self, name: str) -> StoredSpace | None:
        """Return the space called `name`; None if its creation was interrupted, or it has been dropped.

        Raises
        ------
        CorruptData, NewerFormat
            If it cannot be opened.
        Unavailable
            If it cannot be read now.
        """
        with typed_failures(f"opening space {name}"):
            return self._load(name)

    def add(self, config: SpaceConfig) -> StoredSpace:
        """Record a new space durably.

        Raises
        ------
        Unavailable
            If it cannot be written, or what a former space left in its directory cannot be removed.
        """
        with typed_failures(f"creating space {config.name}"):
            self._directories.claim(config.name)
            storage = self._spaces.directory(config.name)
            manifest = Manifest(storage, Identity.new(self.store_id), with_policy(config.settings(), RetentionPolicy()))
            manifest.save()
            self._list({config.name: Listed(manifest.identity.space, 0)})
        return StoredSpace(config, storage, manifest, 0)

    def note(self, generations: dict[str, tuple[str, int]]) -> None:
        """Record the id of each space and the generation it has reached.

        A space whose log ends before its recorded generation is refused when it is opened. What is known of a space
        that has been dropped meanwhile, or that has another space's name now, is left out.

        Parameters
        ----------
        generations
            Id and durable generation of each space, by name.

        Raises
        ------
        Unavailable
            If the list cannot be written.
        """
        if not self._storage.read_only:
            known = self._reached | {name: Listed(*reached) for name, reached in generations.items()}

            def noted(content: ListedSpaces) -> ListedSpaces:
                listed = content.spaces
                same = {name: one for name, one in known.items() if name in listed and _may_be(listed[name], one)}
                return replace(content, spaces={**listed, **same})

            with typed_failures("noting how far the spaces went"):
                self._register.change(noted)

    def reached(self, name: str, space: str, generation: int) -> None:
        """Remember the generation of a space that is closed now; the next `note` records it, too."""
        self._reached[name] = Listed(space, generation)

    def forget(self, name: str) -> None:
        """Forget how far a closed space went that is not called `name` any more."""
        self._reached.pop(name, None)

    def check(self) -> None:
        """Check that the list of spaces still exists and belongs to this store; otherwise report damage.

        Raises
        ------
        Unavailable
            If descriptors or memory are short, which says nothing about the list.
        """
        if not self._has_list:
            return
        try:
            content = decode_checked(self._storage.read(FILE), FILE)
            if content.get("store") != self.store_id:
                self.damages.report(FILE, 0, 0, 0, "it is the list of another store")
        except EngramError as error:
            self.damages.report(FILE, 0, 0, 0, error.message)
        except OSError as error:
            if is_passing(error):
                raise unavailable(error, "checking the list of spaces") from error
            self.damages.report(FILE, 0, 0, 0, f"it cannot be read: {error.strerror}")

    def _load(self, name: str) -> StoredSpace | None:
        file = f"{SPACES}/{name}/{FILE_NAME}"
        listed = self._register.content.spaces.get(name)
        if not self._directories.exists(name):
            if listed is None:
                return None
            raise _corrupt(f"{SPACES}/{name}", "the space is listed, and its directory is missing", "missing_space")
        storage = self._directories.of(name)
        if FILE_NAME not in storage.names():
            if listed is None and not storage.names():
                return None
            raise _corrupt(file, "the space is there, and its description is missing", "missing_description")
        data = storage.read(FILE_NAME)
        if format_of(data) == 1:
            if listed is None or listed.space:
                raise _corrupt(file, "it is of an older space than the one that belongs here", "foreign_space")
            return StoredSpace(read_settings1(name, data, file), storage, None, 0)
        manifest = Manifest.read(storage, name)
        config, identity = decode_listed(name, manifest, listed.space if listed else "", file), manifest.identity
        if identity.store != self.store_id or (listed is not None and listed.space not in ("", identity.space)):
            raise _corrupt(file, "the space belongs to another store, or to another time of this one", "foreign_space")
        if listed is None:
            # The creation was interrupted after the space was made, or the list is older than the space.
            logger.warning("space %s was not listed; it is from now on", name)
            if not self._storage.read_only:
                self._list({name: Listed(identity.space, 0)})
        return StoredSpace(config, storage, manifest, listed.generation if listed else 0)

    def _list(self, known: dict[str, Listed]) -> None:
        def listed(content: ListedSpaces) -> ListedSpaces:
            # A space that was found before it was dropped does not come back.
            new = {name: one for name, one in known.items() if name not in content.dropped}
            return replace(content, spaces={**content.spaces, **new})

        self._register.change(listed)


def _may_be(listed: Listed, known: Listed) -> bool:
    """Return whether an entry of the list may be that of a known space: one of format 1 has no id there yet."""
    return listed.space in ("", known.space)


def _corrupt(file: str, what: str, code: str) -> CorruptData:
    return CorruptData(f"{file}: {what}", code=code, field=file)
