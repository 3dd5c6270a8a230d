"""Dropping, renaming and aliasing spaces: the requests of these operations, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from engram.model.operations.operation import Request
from engram.model.spaces import check_space_name


@dataclass(frozen=True, slots=True)
class SpaceDropped:
    """What was dropped with a space.

    Parameters
    ----------
    space
        Name of the space.
    aliases
        The aliases that it had, sorted. They are dropped, too.
    """

    space: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpaceRenamed:
    """A space that has another name now.

    Parameters
    ----------
    space
        Name of the space until now.
    new
        Its name from now on.
    """

    space: str
    new: str


@dataclass(frozen=True, slots=True)
class AliasChanged:
    """An alias that was set or dropped.

    Parameters
    ----------
    alias
        The alias.
    space
        The space that it means from now on; of one that was dropped, the space that it meant.
    """

    alias: str
    space: str


@dataclass(frozen=True, slots=True)
class AliasList:
    """The aliases of the spaces of a server.

    Parameters
    ----------
    aliases
        The space that each alias means, in the order of the aliases.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DropSpace(Request[SpaceDropped]):
    """Drop a space with all that is in it, and its aliases. It is gone for good.

    Parameters
    ----------
    space
        Name of the space, which is no alias.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.
    """

    space: str
    idempotency_key: str = ""
    by_alias: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class RenameSpace(Request[SpaceRenamed]):
    """Give a space another name. Whoever uses it under the old one is told, and opens it anew.

    Parameters
    ----------
    space
        Name of the space, which is no alias.
    new
        Its new name, which neither a space nor an alias has.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.

    Raises
    ------
    InvalidInput
        If the new name is not allowed.
    """

    space: str
    new: str
    idempotency_key: str = ""
    by_alias: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_space_name(self.new, "new")

    @property
    def further_spaces(self) -> tuple[str, ...]:
        """The new name."""
        return (self.new,)


@dataclass(frozen=True, slots=True)
class SetAlias(Request[AliasChanged]):
    """Let a name mean a space from now on, also one that is the alias of another space now.

    Parameters
    ----------
    space
        The alias, which is no name of a space.
    to
        Name of the space that it is to mean; an alias stands for its space.

    Raises
    ------
    InvalidInput
        If the name of the space is not allowed.
    """

    space: str
    to: str
    by_alias: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_space_name(self.to, "to")

    @property
    def further_spaces(self) -> tuple[str, ...]:
        """The space."""
        return (self.to,)


@dataclass(frozen=True, slots=True)
class DropAlias(Request[AliasChanged]):
    """Drop an alias. Its space stays as it is.

    Parameters
    ----------
    space
        The alias.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.
    """

    space: str
    idempotency_key: str = ""
    by_alias: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ListAliases(Request[AliasList]):
    """Name the aliases of all spaces."""
