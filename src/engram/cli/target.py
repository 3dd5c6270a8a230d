"""The targets of commands: a server, or a data directory that no server has open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import click

from engram.cli.context import CliContext
from engram.cli.files.given_path import GivenPath
from engram.cli.setting_options import setting_option
from engram.client import Client, SpaceStatus, UnsoundSpace
from engram.config import ClientSettings
from engram.errors import NotFound
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.hit import Hits
from engram.model.operations.naming import SpaceDropped
from engram.model.operations.results import Counted
from engram.model.query import RecallQuery
from engram.model.spaces import Metric, Vectors, check_space_name
from engram.store import Space
from engram.store.resting.space_access import SpaceAccess
from engram.store.resting.status_at_rest import status_at_rest
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine

F = TypeVar("F", bound=Callable[..., Any])


class ServerTarget:
    """A running server."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self.client: Client = Client(address, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def recall(self, space: str, query: RecallQuery) -> Hits:
        """Return the best hits."""
        with Client(self.address, space=space, timeout_s=self.timeout_s) as client:
            return client.answer(query)

    def count(self, space: str, filter: FilterLike, max_generation: int | None) -> Counted:
        """Return how many observations pass a filter."""
        with Client(self.address, space=space, timeout_s=self.timeout_s) as client:
            return client.count(filter, max_generation)

    def follow(self, space: str, query: RecallQuery) -> Iterator[Hits]:
        """Yield the best hits, and then new observations that match, until the server no longer answers."""
        with Client(self.address, space=space, timeout_s=self.timeout_s) as client:
            yield from client.open(query)

    @contextmanager
    def opened(self, space: str) -> Iterator[Client | Space]:
        """Open a client for a space."""
        with Client(self.address, space=space, timeout_s=self.timeout_s) as client:
            yield client

    def spaces(self) -> list[SpaceStatus]:
        """Return all spaces that can be used."""
        return self.client.spaces()

    def unsound_spaces(self) -> list[UnsoundSpace]:
        """Return the spaces that cannot be used, with the reasons."""
        return self.client.unsound_spaces()

    def create_space(
        self,
        name: str,
        dim: int | None,
        metric: Metric,
        embedder: str,
        vectors: Vectors = "required",
        ttl_s: float | None = None,
    ) -> SpaceStatus:
        """Create a space, or return the existing one if it has the same settings."""
        return self.client.create_space(name, dim, metric, embedder, vectors, ttl_s)

    def drop(self, name: str) -> SpaceDropped:
        """Drop a space with all that is in it."""
        return self.client.drop_space(name)

    def rename(self, old: str, new: str) -> None:
        """Give a space another name."""
        self.client.rename_space(old, new)

    def alias(self, name: str, space: str) -> None:
        """Let a name mean a space."""
        self.client.set_alias(name, space)

    def drop_alias(self, name: str) -> None:
        """Drop an alias."""
        self.client.drop_alias(name)

    def aliases(self) -> dict[str, str]:
        """Return the space that each alias means."""
        return self.client.aliases()


class DirectoryTarget:
    """A data directory, opened by this process.

    Parameters
    ----------
    path
        The directory.
    create
        Whether to create the directory if it does not exist, and make a data directory of one that is none.
    read_only
        Whether to leave the directory unchanged.

    Raises
    ------
    NotFound
        If there is no such data directory and `create` is False.
    StoreLocked
        If another process, such as a server, has the directory open.
    """

    def __init__(self, path: Path, create: bool = False, read_only: bool = False) -> None:
        if not create and not path.is_dir():
            raise NotFound(f"there is no data directory {path}", code="no_data", field="data", value=path)
        self.store: StoreEngine = StoreEngine(path, read_only=read_only, creates=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()

    def recall(self, space: str, query: RecallQuery) -> Hits:
        """Return the best hits."""
        answer = existing_space(self.store, space).answer(query)
        return Hits(answer.hits, answer.generation, answer.incomplete)

    def count(self, space: str, filter: FilterLike, max_generation: int | None) -> Counted:
        """Return how many observations pass a filter."""
        return existing_space(self.store, space).count(as_filter(filter), max_generation)

    def follow(self, space: str, query: RecallQuery) -> Iterator[Hits]:
        """Yield the best hits only; this process has the directory open, so nothing new can be observed in it."""
        yield self.recall(space, query)

    @contextmanager
    def opened(self, space: str) -> Iterator[Client | Space]:
        """Open a space, which must exist."""
        yield Space(SpaceAccess.to(existing_space(self.store, space)))

    def spaces(self) -> list[SpaceStatus]:
        """Return all spaces that can be used."""
        found = {space.config.name: space_status(space) for space in self.store.spaces()}
        for known in self.store.table.resting():
            found.setdefault(known.config.name, status_at_rest(known, self.store.table.left))
        return [found[name] for name in sorted(found)]

    def unsound_spaces(self) -> list[UnsoundSpace]:
        """Return the spaces that cannot be used, with the reasons, by name."""
        found = sorted(self.store.unsound.items())
        return [UnsoundSpace(name, error.code, error.message) for name, error in found]

    def create_space(
        self,
        name: str,
        dim: int | None,
        metric: Metric,
        embedder: str,
        vectors: Vectors = "required",
        ttl_s: float | None = None,
    ) -> SpaceStatus:
        """Create a space, or return the existing one if it has the same settings."""
        return space_status(self.store.space(name, dim, metric, embedder, vectors=vectors, ttl=ttl_s))

    def drop(self, name: str) -> SpaceDropped:
        """Drop a space with all that is in it."""
        return self.store.naming.drop(name)

    def rename(self, old: str, new: str) -> None:
        """Give a space another name."""
        self.store.naming.rename(old, new)

    def alias(self, name: str, space: str) -> None:
        """Let a name mean a space."""
        self.store.naming.alias(name, space)

    def drop_alias(self, name: str) -> None:
        """Drop an alias."""
        self.store.naming.drop_alias(name)

    def aliases(self) -> dict[str, str]:
        """Return the space that each alias means."""
        return self.store.naming.aliases


def existing_space(store: StoreEngine, name: str) -> SpaceEngine:
    """Return the space called `name`.

    A missing space is not created, not even ``default``, because the settings of a space can never be changed.

    Raises
    ------
    InvalidInput
        If `name` is not a valid name of a space.
    NotFound
        If there is no such space.
    CorruptData
        If the space exists but could not be opened.
    """
    check_space_name(name)
    if store.table.has(name):
        # Raises the error that keeps the space from being opened, if there is one.
        return store.space(name, create=False)
    raise store.naming.unknown(name)


def space_status(space: SpaceEngine) -> SpaceStatus:
    """Return the status that a server would report for an embedded space."""
    stats = space.stats()
    return SpaceStatus(
        space.config,
        stats.durable_generation,
        stats.visible_generation,
        stats.indexed_generation,
        stats.live_count,
        stats.log_bytes,
        stats.index_bytes,
        stats.damaged_count,
        stats.metrics,
        problems=stats.problems,
    )


Target = ServerTarget | DirectoryTarget
"""What commands work on; both have the same calls."""


def target_options(command: F) -> F:
    """Add ``--address`` and ``--data`` to a command."""
    data = click.option(
        "--data",
        type=GivenPath(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Work on this data directory without a server.",
    )
    return setting_option("client", "address")(data(command))


def open_target(
    cli: CliContext,
    address: str | None,
    data: Path | None,
    create: bool = False,
    *,
    read_only: bool = False,
    timeout_s: float | None = None,
) -> Target:
    """Return the target that the options and settings name.

    Parameters
    ----------
    cli
        Context of the command.
    address, data
        The options ``--address`` and ``--data``.
    create, read_only
        See `DirectoryTarget`.
    timeout_s
        Seconds that a call of a server may take; None: as the settings say.

    Raises
    ------
    click.UsageError
        If both `address` and `data` are given.
    InvalidInput
        If a setting or the address is invalid.
    NotFound, StoreLocked
        See `DirectoryTarget`.
    """
    if address is not None and data is not None:
        raise click.UsageError("--address and --data exclude each other: a server, or a directory without one.")
    if data is not None:
        return DirectoryTarget(data, create, read_only)
    settings = client_settings(cli, address)
    return ServerTarget(settings.address, settings.timeout_s if timeout_s is None else timeout_s)


def client_settings(cli: CliContext, address: str | None = None, space: str | None = None) -> ClientSettings:
    """Return the settings of a client command, whose options override all other sources."""
    return cli.settings({"client.address": address, "client.space": space}).of(ClientSettings)
