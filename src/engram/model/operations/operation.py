"""What an operation is: its request, its result, and what a transport has to know about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, cast

from engram.errors import InvalidInput
from engram.model.operations.action import Action

Result = TypeVar("Result")
# A request is never asked to take a result, so a request for a subclass is one for the class.
Result_co = TypeVar("Result_co", covariant=True)


class Request(Generic[Result_co]):
    """The request of an operation that answers with a `Result_co`: a dataclass of `requests.py`.

    Attributes
    ----------
    by_alias
        Whether the name of its space may be an alias, which then stands for the space. Otherwise the request is about
        the name itself.
    """

    __slots__ = ()
    by_alias: ClassVar[bool] = True

    @property
    def space_name(self) -> str | None:
        """Name of the space that the request is about; None if it is about the server as a whole."""
        return getattr(self, "space", None)

    @property
    def further_spaces(self) -> tuple[str, ...]:
        """Further names that the request is about, each of which its action must be allowed for, too."""
        return ()

    @property
    def follows(self) -> bool:
        """Whether answers come for as long as somebody listens."""
        return False

    def for_space(self, name: str) -> Self:
        """Return the same request about the space called `name`."""
        return cast("Self", replace(cast("Any", self), space=name))


@dataclass(frozen=True, slots=True)
class Route:
    """One way to reach an operation by HTTP.

    Parameters
    ----------
    method
        Method of HTTP, such as ``"POST"``.
    path
        Path below the base path. ``{space}`` and ``{id}`` stand for one segment each, which is the argument of that
        name.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str


@dataclass(frozen=True, slots=True)
class Operation(Generic[Result]):
    """One operation of a server.

    Parameters
    ----------
    name
        Name of the operation, in snake case; unique.
    request
        Class of the requests. Its fields are the arguments of the operation.
    result
        Class of the result; of each of the results if the operation `streams`.
    action
        What the authorizer is asked to allow, before the request is decoded.
    summary
        One line that says what the operation does.
    routes
        The ways to reach the operation by HTTP.
    streams
        Whether the answer is any number of results.
    writes
        Whether the operation changes what is stored.
    or_actions
        Further actions, each of which also permits the operation.
    names_space
        Whether the space must be named. Elsewhere, no name means the default space, which nobody drops by mistake.
    """

    name: str
    request: type[Request[Result]]
    result: type[Result]
    action: Action
    summary: str
    routes: tuple[Route, ...]
    streams: bool = False
    writes: bool = False
    or_actions: tuple[Action, ...] = ()
    names_space: bool = False


def check_space_is_named(operation: Operation[Any], space: str | None) -> None:
    """Check that a request names its space, if the operation wants that; no name means the default space elsewhere.

    Raises
    ------
    InvalidInput
        If it has to, and does not.
    """
    if operation.names_space and not space:
        raise InvalidInput(
            f"{operation.name} wants to be told a name; none does not mean the default space here",
            code="missing_field",
            field="space",
            limit="a name",
        )
