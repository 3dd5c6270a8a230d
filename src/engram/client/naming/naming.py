"""What a client for blocking code does with the names of a server's spaces: create, drop, rename, and alias."""

from __future__ import annotations

from engram.client.following.following import BlockingFollowCalls
from engram.model.operations.naming import SpaceDropped
from engram.model.operations.status import SpaceStatus
from engram.model.spaces import Metric, Vectors
from engram.model.values.expiry import Ttl


class BlockingNaming(BlockingFollowCalls):
    """The spaces of a server by their names; a base class of `Client`. Its own space is one of them."""

    def create_space(
        self,
        name: str,
        dim: int | None = None,
        metric: Metric = "cosine",
        embedder: str = "",
        vectors: Vectors = "required",
        ttl: Ttl | None = None,
    ) -> SpaceStatus:
        """Create a space, or return the existing one with the same settings. See `AsyncClient.create_space`."""
        return self._thread.run(self._client.create_space(name, dim, metric, embedder, vectors, ttl))

    def drop_space(self, name: str) -> SpaceDropped:
        """Drop a space of the server with all that is in it. See `AsyncClient.drop_space`."""
        return self._thread.run(self._client.drop_space(name))

    def rename_space(self, old: str, new: str) -> None:
        """Give a space of the server another name. See `AsyncClient.rename_space`."""
        self._thread.run(self._client.rename_space(old, new))

    def set_alias(self, name: str, space: str) -> None:
        """Let a name mean a space of the server from now on. See `AsyncClient.set_alias`."""
        self._thread.run(self._client.set_alias(name, space))

    def drop_alias(self, name: str) -> None:
        """Drop an alias. See `AsyncClient.drop_alias`."""
        self._thread.run(self._client.drop_alias(name))

    def aliases(self) -> dict[str, str]:
        """Return the space that each alias of the server means, in the order of the aliases."""
        return self._thread.run(self._client.aliases())
