"""The report of a repair: what was kept, what was lost, and what was set aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engram.errors import EngramError
from engram.maintenance.generations import GenerationRange
from engram.model.damage import Damage


@dataclass(slots=True)
class RepairedSpace:
    """A space that was created again from what is intact.

    Parameters
    ----------
    name
        Name of the space.
    generation
        The generation that its new log ends with.
    kept
        Number of rows in it: observations and deletions, under their old generations.
    lost
        The generations that are lost.
    lost_ids
        The id and the generation of each lost row whose id could be read. Such an id has no state any more, unless a
        later one was kept.
    set_aside
        Number of observations that are in a file instead of the space, because the newest state of their ids is not
        proven.
    set_aside_ids
        Number of ids that these observations have.
    is_cut
        Whether it is unknown how much is lost at the end.
    end_is_proven
        Whether something outside of the log shows how far the log reached.
    description
        Source of the settings: ``"manifest"``, ``"format 1"`` or ``"options"``.
    unfinished
        Writes that a crash interrupted and that were left out. Nothing in them was acknowledged.
    damages
        All damage that was found.
    """

    name: str
    generation: int = 0
    kept: int = 0
    lost: list[GenerationRange] = field(default_factory=list)
    lost_ids: list[tuple[str, int]] = field(default_factory=list)
    set_aside: int = 0
    set_aside_ids: int = 0
    is_cut: bool = False
    end_is_proven: bool = True
    description: str = "manifest"
    unfinished: list[str] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was acknowledged is missing from the space."""
        return not (self.lost or self.set_aside or self.is_cut) and self.end_is_proven


@dataclass(slots=True)
class RepairReport:
    """The result of a repair for each space of a data directory.

    Parameters
    ----------
    source, path
        Paths of the old directory and of the new one.
    spaces
        The spaces that were created again.
    left_behind
        The spaces that were not, by name, each with the reason.
    damages
        Damage of the list of spaces.
    """

    source: str
    path: str
    spaces: list[RepairedSpace] = field(default_factory=list)
    left_behind: dict[str, EngramError] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.left_behind and all(space.is_complete for space in self.spaces)

    def values(self) -> dict[str, object]:
        """Return the report as values for JSON."""
        return {
            "source": self.source,
            "path": self.path,
            "complete": self.is_complete,
            "spaces": [_space_values(space) for space in self.spaces],
            "left_behind": {n: {"code": e.code, "message": e.message} for n, e in self.left_behind.items()},
            "damages": [damage._asdict() for damage in self.damages],
        }


def _space_values(space: RepairedSpace) -> dict[str, Any]:
    return {
        "name": space.name,
        "complete": space.is_complete,
        "generation": space.generation,
        "kept": space.kept,
        "lost": [list(one) for one in space.lost],
        "lost_ids": [{"id": id, "generation": generation} for id, generation in space.lost_ids],
        "set_aside": space.set_aside,
        "set_aside_ids": space.set_aside_ids,
        "cut": space.is_cut,
        "end_proven": space.end_is_proven,
        "description": space.description,
        "unfinished": space.unfinished,
        "damages": [damage._asdict() for damage in space.damages],
    }
