"""What one does with the names of the spaces of a store in this process: drop, rename, and alias."""

from __future__ import annotations

from engram.model.operations.naming import SpaceDropped
from engram.store.naming.space_naming import SpaceNaming


class SpaceNames:
    """A store in this process by the names of its spaces; the base class of `MemoryStore`."""

    @property
    def _naming(self) -> SpaceNaming:
        """What changes the names, if the store is open; a store has it."""
        raise NotImplementedError

    def drop(self, name: str) -> SpaceDropped:
        """Drop a space with all that is in it, whatever state it is in. It is gone for good, also after a crash.

        Whoever uses it gets the error ``space_dropped``: a `Space`, a snapshot, a stream, a session of a server. A
        space of that name that is made later is another one. What waits to be written to the space is refused.

        Parameters
        ----------
        name
            Name of the space; an alias cannot be dropped like this.

        Returns
        -------
        SpaceDropped
            Its name, and its aliases, which are dropped, too.

        Raises
        ------
        InvalidInput
            If the name is not allowed.
        NotFound
            If there is no such space; the message offers the name that is most like it.
        FailedPrecondition
            If it is an alias (code ``is_alias``), or the store is closed.
        Unavailable
            If the store is read-only, or cannot record it; the space stays as it was then.
        """
        return self._naming.drop(name)

    def rename(self, old: str, new: str) -> None:
        """Give a space another name, in one step. Nothing in it changes, and its aliases follow it.

        Whoever uses it by its former name gets the error ``space_renamed``, which says the new one.

        Parameters
        ----------
        old
            Name of the space; an alias cannot be renamed.
        new
            A name that neither a space nor an alias has.

        Raises
        ------
        InvalidInput
            If a name is not allowed.
        NotFound
            If there is no such space; the message offers the name that is most like it.
        AlreadyExists
            If the new name is taken.
        FailedPrecondition
            If `old` is an alias (code ``is_alias``), or the store is closed.
        Unavailable
            If the store is read-only, or cannot record it; the space stays as it was then.
        EngramError
            The error in `unsound`, if the space cannot be opened.
        """
        self._naming.rename(old, new)

    def alias(self, name: str, space: str) -> None:
        """Let a name mean a space from now on, in one step, also one that is the alias of another space now.

        Whoever has opened the space that it meant before stays with that.

        Parameters
        ----------
        name
            The alias: ``[a-z0-9_-]{3,64}``, and no name of a space.
        space
            Name of the space; an alias stands for its space.

        Raises
        ------
        InvalidInput
            If a name is not allowed.
        NotFound
            If there is no such space; the message offers the name that is most like it.
        AlreadyExists
            If a space has the name.
        FailedPrecondition
            If there are 1024 aliases already, or the store is closed.
        Unavailable
            If the store is read-only, or cannot record it.
        """
        self._naming.alias(name, space)

    def aliases(self) -> dict[str, str]:
        """Return the space that each alias means, in the order of the aliases."""
        return self._naming.aliases

    def drop_alias(self, name: str) -> None:
        """Drop an alias. Its space stays as it is.

        Raises
        ------
        InvalidInput
            If the name is not allowed.
        NotFound
            If there is no such alias; the message offers the one that is most like it.
        FailedPrecondition
            If the store is closed.
        Unavailable
            If the store is read-only, or cannot record it.
        """
        self._naming.drop_alias(name)
