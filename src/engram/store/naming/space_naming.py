"""Dropping and renaming the spaces of an open store, and their aliases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engram.errors import EngramError, InvalidInput, NotFound, Unavailable
from engram.model.operations.naming import SpaceDropped
from engram.model.operations.naming_errors import (
    is_alias,
    name_taken,
    space_dropped,
    space_renamed,
    unknown_alias,
    unknown_space,
)
from engram.model.scans.cursor import decode_cursor
from engram.model.spaces import check_space_name
from engram.store.resting.space_summaries import SpaceSummaries
from engram.store.space_catalog import SpaceCatalog
from engram.store.space_engine import SpaceEngine
from engram.store.space_table import SpaceTable


class SpaceNaming:
    """Drops and renames the spaces of a store, and changes their aliases. Any thread may use it.

    Each change is decided by one write of the list of spaces. Then whoever uses the space is told, and files follow.

    Parameters
    ----------
    table
        The spaces of the store.
    catalogue
        The catalogue of the stored spaces.
    summaries
        What is known of those that rest.
    forget
        Forgets what else the store knows of a space by its name.
    """

    def __init__(
        self,
        table: SpaceTable,
        catalogue: SpaceCatalog,
        summaries: SpaceSummaries,
        forget: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._table = table
        self._catalogue = catalogue
        self._summaries = summaries
        self._forget = forget

    @property
    def aliases(self) -> dict[str, str]:
        """The space that each alias means, in the order of the aliases."""
        return dict(sorted(self._catalogue.aliases.items()))

    def drop(self, name: str) -> SpaceDropped:
        """Drop a space; see `MemoryStore.drop`."""
        check_space_name(name, "space")
        self._check_writable()
        changes = self._catalogue.changes
        with self._table.leaving(name):
            self._check_is_space(name, "dropped")
            # What cannot be opened may be anything, and is removed whatever it is.
            space_id = "" if name in self._table.refused else self._catalogue.listed(name).space
            leftover = changes.drop(name, space_id)
            ended = self._end(name, space_dropped(name), saving=False)
            self._table.left.leave(name, ended)
            changes.remove(leftover)
        return SpaceDropped(name, leftover.aliases)

    def rename(self, old: str, new: str) -> None:
        """Rename a space; see `MemoryStore.rename`."""
        check_space_name(old, "old")
        check_space_name(new, "new")
        self._check_writable()
        self._check_is_space(old, "renamed")
        # One that cannot be opened is not renamed, because nobody knows what it is.
        space = self._table.reopened(old)
        changes = self._catalogue.changes
        with self._table.leaving(old, new):
            space.life.check()
            self._check_is_free(new, "new")
            # What is wrong with it stays so under its new name.
            space.health.look()
            changes.rename(old, new, space.identity.space)
            ended = self._end(old, space_renamed(old, new), saving=True)
            self._table.left.rename(old, new, ended)
            changes.move(new)
            if ended is not None:
                summary = ended.summary()
                self._summaries.note(replace(summary, config=replace(summary.config, name=new)))
            self._table.add_resting(new)

    def alias(self, name: str, space: str) -> str:
        """Let a name mean a space; return the name of the space. See `MemoryStore.alias`."""
        check_space_name(name, "alias")
        check_space_name(space, "space")
        self._check_writable()
        space = self._table.resolved(space)
        with self._table.leaving(name, space):
            self._check_is_free(name, "alias", but_an_alias=True)
            if not self._table.is_space(space):
                raise unknown_space(space, self._known_names())
            self._catalogue.changes.set_alias(name, space)
        return space

    def drop_alias(self, name: str) -> str:
        """Drop an alias; return the name of the space that it meant. See `MemoryStore.drop_alias`."""
        check_space_name(name, "alias")
        self._check_writable()
        with self._table.leaving(name):
            aliases = self._catalogue.aliases
            if name not in aliases:
                raise unknown_alias(name, aliases)
            self._catalogue.changes.drop_alias(name)
        return aliases[name]

    def begun_in(self, cursor: str, space: str) -> str:
        """Return the name of the space that a scan goes on in, which has got to `space` by an alias.

        It is the space that the cursor is of, if there is one and the cursor says so.
        """
        if not cursor:
            return space
        try:
            return self._catalogue.name_of(decode_cursor(cursor).space, space)
        except InvalidInput:
            # Reading the page meets the same error and reports it.
            return space

    def unknown(self, name: str, create: bool | None = False) -> NotFound:
        """Return the error that there is no space `name` to open; `create` is what `MemoryStore.space` was told."""
        return unknown_space(name, self._known_names(), create=create)

    def space_id(self, name: str) -> str:
        """Return the id of the space that `name` means; empty if there is none, or it has none yet."""
        return self._catalogue.listed(self._table.resolved(name)).space

    def _end(self, name: str, error: EngramError, *, saving: bool) -> SpaceEngine | None:
        """End the life of a space that has been dropped or renamed, and close it; return its engine if it was open."""
        self._table.life(name).end(error)
        space = self._table.take_out(name)
        if space is not None:
            space.end(saving=saving)
        self._summaries.forget(name)
        self._catalogue.forget(name)
        self._forget(name)
        return space

    def _check_is_space(self, name: str, doing: str) -> None:
        if self._table.is_space(name):
            return
        meant = self._catalogue.aliases.get(name)
        if meant is not None:
            raise is_alias(name, meant, doing, "space")
        raise unknown_space(name, self._known_names())

    def _check_is_free(self, name: str, field: str, *, but_an_alias: bool = False) -> None:
        """Check that no space has a name, nor an alias, unless it is to be another space's."""
        if self._table.is_space(name):
            raise name_taken(name, None, field)
        meant = self._catalogue.aliases.get(name)
        if meant is not None and not but_an_alias:
            raise name_taken(name, meant, field)

    def _known_names(self) -> list[str]:
        return [*self._table.all_names(), *self._catalogue.aliases]

    def _check_writable(self) -> None:
        if self._catalogue.read_only:
            raise Unavailable("the store was opened read-only", code="read_only", field="path")
