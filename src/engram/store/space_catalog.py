"""The catalogue of spaces: one directory per space, and a file that lists them all, so that a lost space is noticed."""

from __future__ import annotations

import errno
import logging
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from engram.errors import CorruptData, EngramError, NewerFormat
from engram.log.damage import Damages
from engram.log.files.checked_json import Encoded, decode_checked, encode_checked, encoded_member, format_of, joined
from engram.log.files.os_errors import is_passing, typed_failures, unavailable
from engram.log.files.storage import Storage
from engram.log.identity import Identity, new_id
from engram.log.manifest import FILE_NAME, Manifest
from engram.model.spaces import SpaceConfig, is_space_name
from engram.model.values.retention_policy import RetentionPolicy
from engram.store.directory import SPACES
from engram.store.space_settings import decode_settings, read_settings1, with_policy

_FILE: Final = "store.json"
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


class Listed(NamedTuple):
    """An entry of the list of spaces.

    Parameters
    ----------
    space
        The space's id; empty for a space of format 1.
    generation
        Generation that the space is known to have reached.
    """

    space: str
    generation: int


class SpaceCatalog:
    """The spaces of one data directory. Any thread may use it.

    The lock covers the write of a small file, so that no writer overwrites another's changes. Only callers that create
    a space or record reached generations take it.

    Parameters
    ----------
    storage
        The data directory.

    Attributes
    ----------
    damages
        Damage of the list of spaces itself.
    """

    def __init__(self, storage: Storage) -> None:
        self.damages: Final = Damages()
        self._storage = storage
        self._guard = threading.Lock()
        self._listed: dict[str, Listed] = {}
        # What the list has of each space, encoded: it is written whenever a space is made, and may be long.
        self._reached: dict[str, Listed] = {}
        self._encoded: dict[str, tuple[Listed, Encoded]] = {}
        with typed_failures("opening the catalogue of spaces"):
            self._spaces = storage.directory(SPACES)
            self.store_id: str = self._read_list()

    @property
    def names(self) -> list[str]:
        """Names of the spaces that exist or are listed, in whatever state they are; sorted.

        Raises
        ------
        Unavailable
            If the directory of spaces cannot be read.
        """
        with typed_failures("opening the catalogue of spaces"):
            listed = self._listed
            return sorted({*(name for name in self._names() if name in listed or not self._is_empty(name)), *listed})

    def listed(self, name: str) -> Listed:
        """Return the list's entry for a space; its id is empty if the space is not listed."""
        return self._listed.get(name, Listed("", 0))

    def directory(self, name: str) -> Storage:
        """Return the directory of a space."""
        return self._spaces.directory(name)

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
        """Return the space called `name`; None if its creation was interrupted.

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
            If it cannot be written.
        """
        with typed_failures(f"creating space {config.name}"):
            storage = self._spaces.directory(config.name)
            manifest = Manifest(storage, Identity.new(self.store_id), with_policy(config.settings(), RetentionPolicy()))
            manifest.save()
            self._list({config.name: Listed(manifest.identity.space, 0)})
        return StoredSpace(config, storage, manifest, 0)

    def note(self, generations: dict[str, tuple[str, int]]) -> None:
        """Record the id of each space and the generation it has reached.

        A space whose log ends before its recorded generation is refused when it is opened.

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
            with typed_failures("noting how far the spaces went"):
                self._list(self._reached | {name: Listed(*known) for name, known in generations.items()})

    def reached(self, name: str, space: str, generation: int) -> None:
        """Remember the generation of a space that is closed now; the next `note` records it, too."""
        self._reached[name] = Listed(space, generation)

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
            content = decode_checked(self._storage.read(_FILE), _FILE)
            if content.get("store") != self.store_id:
                self.damages.report(_FILE, 0, 0, 0, "it is the list of another store")
        except EngramError as error:
            self.damages.report(_FILE, 0, 0, 0, error.message)
        except OSError as error:
            if is_passing(error):
                raise unavailable(error, "checking the list of spaces") from error
            self.damages.report(_FILE, 0, 0, 0, f"it cannot be read: {error.strerror}")

    def _names(self) -> list[str]:
        return [name for name in self._spaces.names() if is_space_name(name) and self._spaces.is_directory(name)]

    def _is_empty(self, name: str) -> bool:
        """Return whether the directory of a space is empty, as an interrupted creation leaves it."""
        try:
            return not self._spaces.directory(name).names()
        except OSError:
            # Opening the space meets the same error and reports it.
            return False

    def _read_list(self) -> str:
        """Read the list of spaces, or infer it from the directories; return the store's id."""
        is_there = _FILE in self._storage.names()
        # A directory of format 1 that is opened read-only has no list and gets none.
        self._has_list = is_there or not self._storage.read_only
        if is_there:
            try:
                content = decode_checked(self._storage.read(_FILE), _FILE)
                self._listed = {name: Listed(**known) for name, known in content["spaces"].items()}
                return str(content["store"])
            except CorruptData as error:
                self.damages.report(_FILE, 0, 0, 0, error.message)
            except (KeyError, TypeError, AttributeError) as error:
                self.damages.report(_FILE, 0, 0, 0, f"it lacks or has something that does not belong there: {error}")
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self.damages.report(_FILE, 0, 0, 0, f"it cannot be read: {error.strerror}")
        return self._infer_list()

    def _infer_list(self) -> str:
        """Rebuild the list of a new store, of one of format 1, or of one whose list is lost; return the store's id."""
        stores: Counter[str] = Counter()
        silent: dict[str, EngramError | OSError] = {}
        for name in self._names():
            if self._is_empty(name):
                continue
            try:
                storage = self._spaces.directory(name)
                if format_of(storage.read(FILE_NAME)) == 1:
                    self._listed[name] = Listed("", 0)
                else:
                    stores[Manifest.read(storage, name).identity.store] += 1
            except (EngramError, OSError) as error:
                logger.info("space %s says nothing about the store: %s", name, error)
                silent[name] = error
        if not stores and not self._storage.read_only:
            self._check_is_new(silent)
        if stores and not self.damages.count:
            self.damages.report(_FILE, 0, 0, 0, "the list of spaces is missing; spaces that are missing go unnoticed")
        store_id = stores.most_common(1)[0][0] if stores else new_id()
        if not self._storage.read_only:
            write_list(self._storage, store_id, self._listed)
        return store_id

    def _check_is_new(self, silent: Mapping[str, EngramError | OSError]) -> None:
        """Refuse to give an id to a store that may have one: its spaces would be strangers for good.

        Parameters
        ----------
        silent
            The spaces that do not say which store they are of, and why.
        """
        for name, error in silent.items():
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                raise unavailable(error, f"finding out which store this is, since {_FILE} is lost") from error
            if self._listed:
                # What is of format 1 got no id yet, and neither did a damaged space beside it.
                continue
            if isinstance(error, NewerFormat):
                raise error
            raise _corrupt(
                f"{SPACES}/{name}/{FILE_NAME}",
                f"it does not say which store this is, and {_FILE} is lost; nothing was written. Put one of the two "
                f"back, or repair the directory into a new one ({error})",
                "unknown_store",
            )

    def _load(self, name: str) -> StoredSpace | None:
        file = f"{SPACES}/{name}/{FILE_NAME}"
        listed = self._listed.get(name)
        if not self._spaces.is_directory(name):
            raise _corrupt(f"{SPACES}/{name}", "the space is listed, and its directory is missing", "missing_space")
        storage = self._spaces.directory(name)
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
        config, identity = decode_settings(name, manifest.settings, file), manifest.identity
        if identity.store != self.store_id or (listed is not None and listed.space not in ("", identity.space)):
            raise _corrupt(file, "the space belongs to another store, or to another time of this one", "foreign_space")
        if listed is None:
            # The creation was interrupted after the space was made, or the list is older than the space.
            logger.warning("space %s was not listed; it is from now on", name)
            if not self._storage.read_only:
                self._list({name: Listed(identity.space, 0)})
        return StoredSpace(config, storage, manifest, listed.generation if listed else 0)

    def _list(self, known: dict[str, Listed]) -> None:
        with self._guard:
            listed = self._listed | known
            if listed != self._listed:
                write_list(self._storage, self.store_id, listed, self._encoded)
                self._listed = listed


def write_list(
    storage: Storage,
    store_id: str,
    spaces: Mapping[str, Listed],
    known: dict[str, tuple[Listed, Encoded]] | None = None,
) -> None:
    """Write the list of a data directory's spaces durably.

    Parameters
    ----------
    known
        What earlier calls encoded, by name, which is not encoded again; None: nothing. It is brought up to date.
    """
    known = {} if known is None else known
    for name, listed in spaces.items():
        if name not in known or known[name][0] != listed:
            known[name] = listed, encoded_member(name, listed._asdict())
    content = joined([known[name][1] for name in sorted(spaces)])
    storage.replace(_FILE, encode_checked({"store": store_id, "spaces": content}))


def _corrupt(file: str, what: str, code: str) -> CorruptData:
    return CorruptData(f"{file}: {what}", code=code, field=file)
