"""What a client for coroutines does with the names of a server's spaces: drop, rename, and alias."""

from __future__ import annotations

import secrets

from engram.client.collection.async_collection import AsyncCollection
from engram.model.operations.naming import DropAlias, DropSpace, ListAliases, RenameSpace, SetAlias, SpaceDropped
from engram.model.spaces import check_space_name


class AsyncNaming(AsyncCollection):
    """The spaces of a server by their names; a base class of `AsyncClient`. Its own space is one of them."""

    async def drop_space(self, name: str) -> SpaceDropped:
        """Drop a space of the server with all that is in it. It is gone for good.

        Sessions and streams of it end with the error ``space_dropped``. A space of that name that is made later is
        another one.

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
            If there is no such space.
        FailedPrecondition
            If it is an alias (code ``is_alias``).
        Unavailable
            If the server cannot be reached, or cannot record it.
        """
        # If an answer is lost and the request is sent again, a space that was made meanwhile must stay.
        return await self._calls.unary(DropSpace(check_space_name(name, "space"), secrets.token_hex(16)))

    async def rename_space(self, old: str, new: str) -> None:
        """Give a space of the server another name, in one step. Its aliases follow it.

        Sessions and streams of it end with the error ``space_renamed``, which says the new name; they go on with a
        client of that.

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
            If there is no such space.
        AlreadyExists
            If the new name is taken.
        FailedPrecondition
            If `old` is an alias (code ``is_alias``).
        CorruptData
            If the space cannot be opened.
        Unavailable
            If the server cannot be reached, or cannot record it.
        """
        check_space_name(old, "old")
        await self._calls.unary(RenameSpace(old, new, secrets.token_hex(16)))

    async def set_alias(self, name: str, space: str) -> None:
        """Let a name mean a space of the server from now on, in one step, also one that is an alias already.

        A session that was opened by the alias stays in its space, and so does a scan. Other calls by the alias are
        answered by the space that it means when they come.

        Parameters
        ----------
        name
            The alias, which is no name of a space.
        space
            Name of the space; an alias stands for its space.

        Raises
        ------
        InvalidInput
            If a name is not allowed.
        NotFound
            If there is no such space.
        AlreadyExists
            If a space has the name.
        FailedPrecondition
            If the server has 1024 aliases already.
        Unavailable
            If the server cannot be reached, or cannot record it.
        """
        check_space_name(name, "alias")
        await self._calls.unary(SetAlias(name, check_space_name(space, "space")))

    async def drop_alias(self, name: str) -> None:
        """Drop an alias. Its space stays as it is.

        Raises
        ------
        InvalidInput
            If the name is not allowed.
        NotFound
            If there is no such alias.
        Unavailable
            If the server cannot be reached, or cannot record it.
        """
        await self._calls.unary(DropAlias(check_space_name(name, "alias"), secrets.token_hex(16)))

    async def aliases(self) -> dict[str, str]:
        """Return the space that each alias of the server means, in the order of the aliases."""
        return dict((await self._calls.unary(ListAliases())).aliases)
