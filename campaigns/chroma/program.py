"""Random programs: what a collection is asked to do, in values of JSON, so that a failing one can be written down."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

DIM: Final = 8
IDS: Final = [f"id-{number}" for number in range(24)]
WORDS: Final = ("heron", "pump", "mast", "", "ünïcode 🦆", "a 'quoted' \"text\"", "x" * 300)
# Among them, numbers that a float cannot hold.
WHOLE: Final = (0, 1, -1, 2, 2**53, 2**53 + 1, -(2**40))
BROKEN: Final = (0.5, 2.5, -0.25, 1e300)
TEXTS: Final = ("", "a", "A", "mess", "ünïcode", "true", "1")
# Each with the numbers that it has, if it has any.
KEYS: Final[dict[str, tuple[float, ...]]] = {
    "deck": WHOLE,
    "room": WHOLE,
    "open": BROKEN,
    "with space": BROKEN,
    "ключ": WHOLE,
}
STEPS: Final = 40
_DEPTH_MAX: Final = 3

Step = Mapping[str, Any]


def program(seed: int) -> list[Step]:
    """Return the steps of the program with this seed."""
    chance = random.Random(seed)
    return [_step(chance) for _ in range(STEPS)]


def _step(chance: random.Random) -> Step:
    kind = chance.choices(
        ("upsert", "add", "update", "delete", "delete_where", "get", "get_where", "query", "count", "create"),
        (6, 3, 3, 3, 1, 3, 4, 6, 2, 0.3),
    )[0]
    some = chance.sample(IDS, chance.randint(1, 6))
    if kind in ("upsert", "add"):
        return {
            "kind": kind,
            "ids": some,
            "vectors": [_vector(chance) for _ in some],
            "documents": [chance.choice(WORDS) for _ in some],
            "metadata": [_metadata(chance) for _ in some],
        }
    if kind == "update":
        return {"kind": kind, "ids": some, "metadata": [_metadata(chance) for _ in some]}
    if kind in ("delete", "get"):
        return {"kind": kind, "ids": some}
    if kind in ("delete_where", "get_where"):
        return {"kind": kind, "where": _where(chance, _DEPTH_MAX)}
    if kind == "query":
        where = _where(chance, _DEPTH_MAX) if chance.random() < 0.6 else None
        return {"kind": kind, "vector": _vector(chance), "where": where}
    return {"kind": kind}


def _vector(chance: random.Random) -> list[float]:
    # Few values, so that equal distances are common.
    vector = [float(chance.choice((-1, 0, 1, 2))) for _ in range(DIM)]
    vector[0] += 3.5
    return vector


def _metadata(chance: random.Random) -> dict[str, Any]:
    keys = chance.sample(list(KEYS), chance.randint(1, len(KEYS)))
    return {key: _value(chance, key) for key in keys}


def _value(chance: random.Random, key: str) -> str | float | bool:
    kind = chance.randrange(3)
    if kind == 0:
        return chance.choice(KEYS[key])
    return chance.choice(TEXTS) if kind == 1 else chance.random() < 0.5


def _where(chance: random.Random, depth: int) -> dict[str, Any]:
    """Return a filter in Chroma's form."""
    if depth > 1 and chance.random() < 0.5:
        parts = [_where(chance, depth - 1) for _ in range(chance.randint(2, 3))]
        return {chance.choice(("$and", "$or")): parts}
    key = chance.choice(list(KEYS))
    operator = chance.choice(("plain", "$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte"))
    if operator == "plain":
        return {key: _value(chance, key)}
    if operator in ("$gt", "$gte", "$lt", "$lte"):
        return {key: {operator: chance.choice(KEYS[key])}}
    if operator in ("$eq", "$ne"):
        return {key: {operator: _value(chance, key)}}
    # Chroma wants values of one type.
    pool: tuple[Any, ...] = chance.choice((TEXTS, KEYS[key], (True, False)))
    return {key: {operator: chance.sample(pool, chance.randint(1, 2))}}
