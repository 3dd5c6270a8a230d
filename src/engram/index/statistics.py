"""Statistics of a graph."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraphStatistics:
    """The shape of a graph, determined by visiting all of it.

    The graph has no levels: a walk starts at the nearest of a sample of the vectors (docs/decisions/0007).

    Parameters
    ----------
    slots, linked, dead
        Number of vectors that are published, that are linked into the graph, and that are no longer live.
    links
        Number of neighbour entries in all lists together.
    entries
        Number of nodes at which a search may start.
    unreachable
        Number of linked nodes that no path from the entries reaches; 0 in a sound graph.
    invalid_links
        Number of links from a node to itself, to a node that is not linked, or to the same node twice; 0 in a sound
        graph.
    degrees
        ``degrees[d]`` is the number of nodes with ``d`` links.
    """

    slots: int
    linked: int
    dead: int
    links: int
    entries: int
    unreachable: int
    invalid_links: int
    degrees: tuple[int, ...]
