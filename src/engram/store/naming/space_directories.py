"""The directories of the spaces, which follow the list: those of dropped spaces are removed, of renamed ones moved."""

from __future__ import annotations

import logging
from dataclasses import replace

from engram.errors import EngramError, Unavailable
from engram.log.files.os_errors import is_passing
from engram.log.files.storage import Storage
from engram.log.manifest import FILE_NAME, Manifest
from engram.store.naming.list_reading import directories_in, is_empty
from engram.store.naming.space_list import ListedSpaces
from engram.store.naming.space_register import SpaceRegister

logger: logging.Logger = logging.getLogger(__name__)


class SpaceDirectories:
    """The directories of the spaces of one data directory. Any thread may use them.

    The list decides which spaces there are. What it notes as dropped is hidden here from then on, and what it notes as
    renamed is found where it still is, so that nobody sees what is half done.

    Parameters
    ----------
    spaces
        The directory that has them.
    register
        The list of spaces.
    """

    def __init__(self, spaces: Storage, register: SpaceRegister) -> None:
        self._spaces = spaces
        self._register = register

    def names(self) -> list[str]:
        """Return the names of the spaces of which there is a directory, without those of interrupted creations."""
        content = self._register.content
        moving = {directory: name for name, directory in content.renamed.items()}
        found = []
        for directory in directories_in(self._spaces):
            name = moving.get(directory, directory)
            is_space = name in content.spaces or not is_empty(self._spaces, directory)
            if is_space and directory not in content.dropped:
                found.append(name)
        return found

    def place(self, name: str) -> str:
        """Return the name of the directory of a space: its own, unless it has been renamed and not moved yet."""
        former = self._register.content.renamed.get(name)
        return name if former is None or not self._spaces.is_directory(former) else former

    def of(self, name: str) -> Storage:
        """Return the directory of a space."""
        return self._spaces.directory(self.place(name))

    def exists(self, name: str) -> bool:
        """Return whether there is a directory of a space called `name`."""
        directory = self.place(name)
        return directory not in self._register.content.dropped and self._spaces.is_directory(directory)

    def claim(self, directory: str) -> None:
        """See to it that a directory is free for another space: finish what is unfinished there.

        Raises
        ------
        Unavailable
            If the space that was there before could not be moved away yet.
        OSError
            If the space that was there cannot be removed.
        """
        content = self._register.content
        if directory in content.dropped:
            if self._is_of_another(directory):
                raise Unavailable(
                    f"directory {directory!r} of a dropped space has another space; it is looked at when the store is "
                    "opened again",
                    code="in_the_way",
                    field="space",
                    value=directory,
                )
            self.remove(directory)
        moving = next((name for name, former in content.renamed.items() if directory in (name, former)), None)
        if moving is not None:
            # It may be open, so that it is moved when nobody uses it: at the next opening of the store.
            raise Unavailable(
                f"space {moving!r} is still in directory {self.place(moving)!r}; it is moved when the store is opened "
                "again",
                code="in_the_way",
                field="space",
                value=moving,
            )

    def finish(self) -> None:
        """Finish what earlier processes left unfinished. What cannot be finished now stays noted, and is logged."""
        content = self._register.content
        for directory in content.dropped:
            try:
                self.remove(directory)
            except OSError as error:
                logger.warning("the files of a dropped space in %s are not removed yet: %s", directory, error)
        for name in content.renamed:
            try:
                self.move(name)
            except (OSError, EngramError) as error:
                logger.warning("the directory of space %s is not moved yet: %s", name, error, extra={"space": name})

    def remove(self, directory: str) -> None:
        """Remove the directory of a dropped space, and the note of it.

        Raises
        ------
        OSError
            If something cannot be removed. It stays noted.
        """
        if self._spaces.is_directory(directory) and not self._is_of_another(directory):
            inside = self._spaces.directory(directory)
            if FILE_NAME in inside.names():
                # First of all, so that what is left of a space is never taken for one.
                inside.remove(FILE_NAME)
            self._spaces.remove_directory(directory)

        def removed(content: ListedSpaces) -> ListedSpaces:
            return replace(content, dropped={key: id for key, id in content.dropped.items() if key != directory})

        self._register.change(removed)

    def move(self, name: str) -> None:
        """Move the directory of a renamed space, which is closed, have its description say the new name, unnote it.

        Raises
        ------
        OSError
            If it cannot be moved or described. It stays noted, and the space can be used where it is.
        """
        former = self.place(name)
        if former != name:
            self._spaces.rename(former, name)
        if self._spaces.is_directory(name):
            self._describe(name)

        def moved(content: ListedSpaces) -> ListedSpaces:
            return replace(content, renamed={key: old for key, old in content.renamed.items() if key != name})

        self._register.change(moved)

    def _describe(self, name: str) -> None:
        try:
            manifest = Manifest.read(self._spaces.directory(name), name)
        except (EngramError, FileNotFoundError) as error:
            # Opening the space meets the same error and reports it. Nothing could be made of the description anyway.
            logger.warning("the description of space %s keeps its former name: %s", name, error, extra={"space": name})
            return
        if manifest.settings.get("name") != name:
            manifest.change_settings(lambda settings: {**settings, "name": name})

    def _is_of_another(self, directory: str) -> bool:
        """Return whether somebody put another space in the place of a dropped one, which is none of ours to remove."""
        space_id = self._register.content.dropped.get(directory, "")
        if not space_id:
            return False
        try:
            return Manifest.read(self._spaces.directory(directory), directory).identity.space != space_id
        except EngramError:
            return False
        except OSError as error:
            if is_passing(error):
                raise
            return False
