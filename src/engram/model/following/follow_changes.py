"""The request of a change feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from engram.model.filters.conditions import Condition
from engram.model.filters.filter import NO_FILTER, Filter
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.following.change import Changes
from engram.model.following.options import ChangeOptions, as_after_generation
from engram.model.operations.operation import Request
from engram.model.values.scalars import as_flag


@dataclass(frozen=True, slots=True)
class FollowChanges(Request[Changes]):
    """Tell what changes in a space, in the order of generations, for as long as somebody listens.

    Parameters
    ----------
    space
        Name of the space.
    after_generation
        Tell what came after this generation; None: what comes from now on.
    filter
        Conditions: only changes are told of which the new version meets them, or the one that it replaces.
    include_vectors
        Whether the hits have their vectors.
    skip_damaged
        Whether to leave out what is damaged, and mark the answer as incomplete.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range.
    """

    space: str
    after_generation: int | None = None
    filter: Filter | Condition = NO_FILTER
    include_vectors: bool = False
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "after_generation", as_after_generation(self.after_generation))
        keep(self, "filter", as_filter(self.filter))
        for name in ("include_vectors", "skip_damaged"):
            keep(self, name, as_flag(name, getattr(self, name)))

    @property
    def follows(self) -> bool:
        """Whether answers come for as long as somebody listens."""
        return True


def changes_request(space: str, filter: FilterLike | None, **options: Unpack[ChangeOptions]) -> FollowChanges:
    """Return the request of ``changes(filter, **options)``.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range.
    """
    return FollowChanges(
        space,
        options.get("after_generation"),
        as_filter(filter),
        options.get("include_vectors", False),
        options.get("skip_damaged", False),
    )
