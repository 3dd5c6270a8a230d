"""What a graph looks like from inside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraphStatistics:
    """What the graph looks like, found by visiting all of it.

    There are no levels: walks begin at the nearest of a sample of the vectors (docs/decisions/0007).

    Parameters
    ----------
    slots, linked, dead
        Vectors published, linked into the graph, and no longer live.
    links
        All neighbour entries together.
    entries
        Nodes that searches may begin at.
    unreachable
        Linked nodes that no path from the entries leads to; 0 in a sound graph.
    invalid_links
        Links to oneself, to nothing, or twice to the same; 0 in a sound graph.
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
