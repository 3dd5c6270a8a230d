"""Dropping and renaming stored spaces, and changing aliases: first in the list, which decides, and then their files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from engram.errors import EngramError
from engram.log.files.os_errors import typed_failures
from engram.model.limits import ALIASES_MAX
from engram.model.operations.naming_errors import too_many_aliases
from engram.store.naming.space_directories import SpaceDirectories
from engram.store.naming.space_list import Listed, ListedSpaces
from engram.store.naming.space_register import SpaceRegister

_Value = TypeVar("_Value")
logger: logging.Logger = logging.getLogger(__name__)


class Leftover(NamedTuple):
    """What is left of a dropped space.

    Parameters
    ----------
    directory
        Name of the directory that it was in.
    aliases
        The aliases that it had, sorted.
    """

    directory: str
    aliases: tuple[str, ...]


class NameChanges:
    """Changes what the stored spaces of one data directory are called. Any thread may use it.

    Each change is one write of the list, so that a process that is killed has made it or has not. Whoever makes one
    sees to it that nobody opens or creates a space of that name meanwhile.

    Parameters
    ----------
    register
        The list of spaces.
    directories
        The directories of the spaces.
    """

    def __init__(self, register: SpaceRegister, directories: SpaceDirectories) -> None:
        self._register = register
        self._directories = directories

    def drop(self, name: str, space_id: str) -> Leftover:
        """Decide durably that a space, in whatever state, and its aliases are no more; its files remain for `remove`.

        Parameters
        ----------
        space_id
            Its id; empty if it has none, or none is known.

        Raises
        ------
        Unavailable
            If it cannot be recorded. Nothing has changed then.
        """
        directory = self._directories.place(name)
        aliases: tuple[str, ...] = ()

        def dropped(content: ListedSpaces) -> ListedSpaces:
            nonlocal aliases
            aliases = content.aliases_of(name)
            return replace(
                content,
                spaces=_without(content.spaces, name),
                aliases={alias: space for alias, space in content.aliases.items() if space != name},
                dropped={**content.dropped, directory: space_id},
                renamed=_without(content.renamed, name),
            )

        self._change(f"dropping space {name}", dropped)
        return Leftover(directory, aliases)

    def remove(self, leftover: Leftover) -> None:
        """Remove the files of a dropped space that nobody writes any more.

        A failure is logged. They are removed when their room is needed for another space of that name, or at the
        latest when the store is opened again.
        """
        try:
            self._directories.remove(leftover.directory)
        except OSError as error:
            logger.warning("the files of a dropped space in %s are not removed yet: %s", leftover.directory, error)

    def rename(self, old: str, new: str, space_id: str) -> None:
        """Decide durably that space `old` is called `new`, also by its aliases; its files remain for `move`.

        Parameters
        ----------
        space_id
            Its id.

        Raises
        ------
        Unavailable
            If it cannot be recorded, or what a former space left in the directory of that name cannot be removed.
            Nothing has changed then.
        """
        with typed_failures(f"renaming space {old}"):
            directory = self._directories.place(old)
            if directory != new:
                self._directories.claim(new)

        def renamed(content: ListedSpaces) -> ListedSpaces:
            generation = content.spaces.get(old, Listed(space_id, 0)).generation
            return replace(
                content,
                spaces={**_without(content.spaces, old), new: Listed(space_id, generation)},
                aliases={alias: new if space == old else space for alias, space in content.aliases.items()},
                renamed={**_without(content.renamed, old), new: directory},
            )

        self._change(f"renaming space {old}", renamed)

    def move(self, name: str) -> None:
        """Move the files of a renamed space, which is closed, to the directory of its new name.

        A failure is logged. The space is used where it is, until it is moved when the store is opened again.
        """
        try:
            self._directories.move(name)
        except (OSError, EngramError) as error:
            logger.warning("the directory of space %s is not moved yet: %s", name, error, extra={"space": name})

    def set_alias(self, alias: str, space: str) -> None:
        """Let an alias mean a space, durably, whatever it meant before.

        Raises
        ------
        FailedPrecondition
            If there are too many aliases.
        Unavailable
            If it cannot be recorded. Nothing has changed then.
        """

        def aliased(content: ListedSpaces) -> ListedSpaces:
            aliases = {**content.aliases, alias: space}
            if len(aliases) > ALIASES_MAX:
                raise too_many_aliases(alias)
            return replace(content, aliases=aliases)

        self._change(f"setting alias {alias}", aliased)

    def drop_alias(self, alias: str) -> None:
        """Let an alias mean nothing any more, durably.

        Raises
        ------
        Unavailable
            If it cannot be recorded. Nothing has changed then.
        """
        self._change(
            f"dropping alias {alias}", lambda content: replace(content, aliases=_without(content.aliases, alias))
        )

    def _change(self, doing: str, change: Callable[[ListedSpaces], ListedSpaces]) -> None:
        with typed_failures(doing):
            self._register.change(change)


def _without(entries: Mapping[str, _Value], name: str) -> dict[str, _Value]:
    return {key: value for key, value in entries.items() if key != name}
