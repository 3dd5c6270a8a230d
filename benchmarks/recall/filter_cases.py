"""Filters of depth 3 for the store of `benchmarks.support.filled`, each with the rows that pass it.

Every filter has other constants, so nothing that was worked out for one helps another. A range of a number or of a time
decides how many pass. The rest of the filter, of which the share that meets it is known, is a group by ``or`` of a
condition and a group by ``and`` with a negation in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.filled import GRADES, PARTS, ROOMS, START_S, TAGS, Properties
from engram import Condition, F, Own

Case = tuple[Condition, NDArray[np.bool_]]
"""A filter, and which rows pass it."""
Make = Callable[[Properties, np.random.Generator], Case]
SELECTIVITIES: Final = (0.5, 0.1, 0.01, 0.001, 0.0001, 0.00001)


def numbers_and_texts(share: float) -> Make:
    """A range of numbers; and one of ten texts, or a number above a bound without a certain text."""

    def make(rows: Properties, rng: np.random.Generator) -> Case:
        order = rng.permutation(len(ROOMS)).tolist()
        rooms, without = order[:10], order[10]
        ranked, is_ranked = _ranked(rows, rng, share / (0.5 + 0.5 * 0.5 * 0.9))
        condition = F.room.is_in([ROOMS[room] for room in rooms]) | ((F.crew.deck >= 5) & ~(F.room == ROOMS[without]))
        meets = np.isin(rows.room, rooms) | ((rows.deck >= 5) & (rows.room != without))
        return ranked & condition, is_ranked & meets

    return make


def times_and_tags(share: float) -> Make:
    """A range of times; and one of two tags, or a key that exists without a certain tag."""

    def make(rows: Properties, rng: np.random.Generator) -> Case:
        one, other, without = rng.permutation(len(TAGS))[:3].tolist()
        # Of 45 pairs of tags, 17 have one of the two, and 21 none of the three.
        width = min(len(rows), max(1, round(len(rows) * share / ((17 + 0.9 * 21) / 45))))
        first = int(rng.integers(len(rows) - width + 1))
        made = (Own.observed_at >= START_S + first) & (Own.observed_at < START_S + first + width)
        condition = Own.tags.has_any([TAGS[one], TAGS[other]]) | (
            F.crew.deck.exists() & ~Own.tags.has_all([TAGS[without]])
        )
        meets = _has(rows.tags, one) | _has(rows.tags, other) | ((rows.deck > 0) & ~_has(rows.tags, without))
        meets[:first] = False
        meets[first + width :] = False
        return made & condition, meets

    return make


def prefixes_and_lists(share: float) -> Make:
    """A range of numbers; and a prefix, or one of fifty numbers without a certain element of a list."""

    def make(rows: Properties, rng: np.random.Generator) -> Case:
        side = ROOMS[int(rng.integers(len(ROOMS)))].partition("-")[0]
        grades = rng.permutation(GRADES)[:50].tolist()
        without = int(rng.integers(len(PARTS)))
        ranked, is_ranked = _ranked(rows, rng, share / (0.25 + 0.75 * 0.5 * 0.8))
        condition = F.room.starts_with(f"{side}-") | (F.grade.is_in(grades) & ~F.parts.contains(PARTS[without]))
        rooms = [number for number, room in enumerate(ROOMS) if room.startswith(side)]
        meets = np.isin(rows.room, rooms) | (np.isin(rows.grade, grades) & ~_has(rows.parts, without))
        return ranked & condition, is_ranked & meets

    return make


def missing(rows: Properties, rng: np.random.Generator) -> Case:
    """What has no deck, or one that is not the asked one, in one of the rooms."""
    deck, room = int(rng.integers(1, 10)), int(rng.integers(len(ROOMS)))
    found = (~F.crew.deck.exists() | (F.crew.deck != deck)) & (F.room == ROOMS[room])
    return found, (rows.deck != deck) & (rows.room == room)


def substring(rows: Properties, rng: np.random.Generator) -> Case:
    """What has three digits somewhere in a text of its own."""
    # The first digit is not 0, so that these are the digits of a number wherever they are.
    digits, left = int(rng.integers(100, 1000)), np.arange(len(rows))
    has = np.zeros(len(rows), dtype=bool)
    while left[-1] >= digits:
        has |= left % 1000 == digits
        left //= 10
    return F.note.contains(f"{digits}") & Own.tags.has_none(["never"]), has


SHAPES: Final[dict[str, Callable[[float], Make]]] = {
    "numbers and texts": numbers_and_texts,
    "times and tags": times_and_tags,
    "prefixes and lists": prefixes_and_lists,
}
"""The filters of depth 3."""

OTHERS: Final[dict[str, Make]] = {"missing keys": missing, "substrings": substring}
"""Filters that are slower by their nature."""


def _ranked(rows: Properties, rng: np.random.Generator, share: float) -> Case:
    """A range of ranks that about so many rows have."""
    width = min(1.0, share)
    low = float(rng.random() * (1 - width))
    high = low + width
    return (F.rank >= low) & (F.rank < high), (rows.rank >= low) & (rows.rank < high)


def _has(pairs: NDArray[np.int64], place: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (pairs == place).any(axis=1)
    return found
