"""Reading the list of spaces, or inferring it from the directories if there is none or it is damaged."""

from __future__ import annotations

import errno
import logging
from collections import Counter
from collections.abc import Mapping

from engram.errors import CorruptData, EngramError, NewerFormat
from engram.log.damage import Damages
from engram.log.files.checked_json import format_of
from engram.log.files.os_errors import unavailable
from engram.log.files.storage import Storage
from engram.log.identity import new_id
from engram.log.manifest import FILE_NAME, Manifest
from engram.model.spaces import is_space_name
from engram.store.directory import SPACES
from engram.store.naming.space_list import FILE, Listed, ListedSpaces, decode_list, write_list

logger: logging.Logger = logging.getLogger(__name__)


def read_list(storage: Storage, spaces: Storage, damages: Damages) -> ListedSpaces:
    """Return the list of spaces of a data directory; one that is missing or damaged is made anew.

    Parameters
    ----------
    storage
        The data directory.
    spaces
        The directory of its spaces.
    damages
        Told of a list that is missing or damaged.

    Raises
    ------
    NewerFormat
        If a newer version of Engram wrote it.
    CorruptData
        If it is lost, and nothing says which store this is.
    Unavailable, OSError
        If it cannot be read or written now.
    """
    if FILE in storage.names():
        try:
            return decode_list(storage.read(FILE))
        except CorruptData as error:
            damages.report(FILE, 0, 0, 0, error.message)
        except (KeyError, TypeError, AttributeError) as error:
            damages.report(FILE, 0, 0, 0, f"it lacks or has something that does not belong there: {error}")
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            damages.report(FILE, 0, 0, 0, f"it cannot be read: {error.strerror}")
    return _inferred(storage, spaces, damages)


def directories_in(spaces: Storage) -> list[str]:
    """Return the names of the directories that may be those of spaces."""
    return [name for name in spaces.names() if is_space_name(name) and spaces.is_directory(name)]


def is_empty(spaces: Storage, directory: str) -> bool:
    """Return whether the directory of a space is empty, as an interrupted creation leaves it."""
    try:
        return not spaces.directory(directory).names()
    except OSError:
        # Opening the space meets the same error and reports it.
        return False


def _inferred(storage: Storage, spaces: Storage, damages: Damages) -> ListedSpaces:
    """Rebuild the list of a new store, of one of format 1, or of one whose list is lost."""
    stores: Counter[str] = Counter()
    listed: dict[str, Listed] = {}
    silent: dict[str, EngramError | OSError] = {}
    for name in directories_in(spaces):
        if is_empty(spaces, name):
            continue
        try:
            directory = spaces.directory(name)
            if format_of(directory.read(FILE_NAME)) == 1:
                listed[name] = Listed("", 0)
            else:
                stores[Manifest.read(directory, name).identity.store] += 1
        except (EngramError, OSError) as error:
            logger.info("space %s says nothing about the store: %s", name, error)
            silent[name] = error
    if not stores and not storage.read_only:
        _check_is_new(listed, silent)
    if stores and not damages.count:
        damages.report(FILE, 0, 0, 0, "the list of spaces is missing; spaces and aliases that are missing go unnoticed")
    content = ListedSpaces(stores.most_common(1)[0][0] if stores else new_id(), listed)
    if not storage.read_only:
        write_list(storage, content)
    return content


def _check_is_new(listed: Mapping[str, Listed], silent: Mapping[str, EngramError | OSError]) -> None:
    """Refuse to give an id to a store that may have one: its spaces would be strangers for good.

    Parameters
    ----------
    listed
        The spaces of format 1.
    silent
        The spaces that do not say which store they are of, and why.
    """
    for name, error in silent.items():
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise unavailable(error, f"finding out which store this is, since {FILE} is lost") from error
        if listed:
            # What is of format 1 got no id yet, and neither did a damaged space beside it.
            continue
        if isinstance(error, NewerFormat):
            raise error
        file = f"{SPACES}/{name}/{FILE_NAME}"
        raise CorruptData(
            f"{file}: it does not say which store this is, and {FILE} is lost; nothing was written. Put one of the two "
            f"back, or repair the directory into a new one ({error})",
            code="unknown_store",
            field=file,
        )
