"""Random programs: what a collection is asked to do, in values of JSON, so that a failing one can be written down."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

DIM: Final = 8
IDS: Final = [f"id-{number}" for number in range(24)]
NAMES: Final = ("programs", "renamed")
WORDS: Final = ("heron", "Heron", "pump", "mast", "", "ünïcode 🦆", "a 'quoted' \"text\"", "100 % of_it", "x" * 300)
# Parts of them, and of none.
PARTS: Final = ("er", "He", "p", "mast", "ünï", "🦆", "'quoted'", "%", "_", "x" * 280, "xy", "\\")
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
# What is asked, and how often.
KINDS: Final[dict[str, float]] = {
    "upsert": 6,
    "add": 3,
    "update": 5,
    "delete": 3,
    "delete_where": 1.5,
    "get": 3,
    "get_where": 5,
    "query": 6,
    "count": 2,
    "names": 0.5,
    "create": 0.4,
    "rename": 0.4,
}
# What an update changes. Chroma embeds a new document anew, unless a vector comes with it.
CHANGED: Final = (
    ("metadata",),
    ("vectors",),
    ("vectors", "documents"),
    ("vectors", "metadata"),
    ("vectors", "documents", "metadata"),
)
_DEPTH_MAX: Final = 3

Step = Mapping[str, Any]


def program(seed: int) -> list[Step]:
    """Return the steps of the program with this seed: those drawn by chance, and a read behind each update."""
    chance = random.Random(seed)
    drawn = (_step(chance) for _ in range(STEPS))
    return [step for each in drawn for step in (each, *_read_behind(each))]


def _read_behind(step: Step) -> list[Step]:
    """Return a read of what an update names, and nothing behind any other step."""
    # Chroma 1.5.9 takes in what was written when it is read next. If it takes in an update of an id that is not there
    # together with the add of that id, it may search by the vector of the update from then on.
    return [{"kind": "get", "ids": step["ids"]}] if step["kind"] == "update" else []


def _step(chance: random.Random) -> Step:
    (kind,) = chance.choices(list(KINDS), list(KINDS.values()))
    step: dict[str, Any] = {"kind": kind}
    if kind in ("upsert", "add", "update", "delete", "get"):
        step["ids"] = chance.sample(IDS, chance.randint(1, 6))
    if kind in ("upsert", "add"):
        named = ["vectors", *(each for each in ("documents", "metadata") if chance.random() < 0.8)]
        step |= _columns(chance, named, len(step["ids"]), removes=False)
    elif kind == "update":
        step |= _columns(chance, chance.choice(CHANGED), len(step["ids"]), removes=True)
    elif kind in ("delete_where", "get_where"):
        step |= _conditions(chance)
    elif kind == "query":
        step["vector"] = _vector(chance)
        step |= _conditions(chance) if chance.random() < 0.6 else dict.fromkeys(("ids", "where", "where_document"))
    return step


def _columns(chance: random.Random, named: Any, count: int, *, removes: bool) -> dict[str, Any]:
    """Return the columns that are named with a value for each of `count` rows, and None for the others."""
    made: dict[str, Callable[[], Any]] = {
        "vectors": lambda: _vector(chance),
        "documents": lambda: chance.choice(WORDS),
        "metadata": lambda: _metadata(chance, removes=removes),
    }
    return {name: [make() for _ in range(count)] if name in named else None for name, make in made.items()}


def _conditions(chance: random.Random) -> dict[str, Any]:
    """Return filters of metadata and of documents, at least one, and perhaps ids that are looked among."""
    has_where, has_document = chance.choice(((True, False), (True, False), (False, True), (True, True)))
    return {
        "where": _where(chance, _DEPTH_MAX) if has_where else None,
        "where_document": _where_document(chance, _DEPTH_MAX) if has_document else None,
        "ids": chance.sample(IDS, 12) if chance.random() < 0.2 else None,
    }


def _vector(chance: random.Random) -> list[float]:
    # Few values, so that equal distances are common.
    vector = [float(chance.choice((-1, 0, 1, 2))) for _ in range(DIM)]
    vector[0] += 3.5
    return vector


def _metadata(chance: random.Random, *, removes: bool) -> dict[str, Any]:
    keys = chance.sample(list(KEYS), chance.randint(1, len(KEYS)))
    return {key: None if removes and chance.random() < 0.2 else _value(chance, key) for key in keys}


def _value(chance: random.Random, key: str) -> str | float | bool:
    kind = chance.randrange(3)
    if kind == 0:
        return chance.choice(KEYS[key])
    return chance.choice(TEXTS) if kind == 1 else chance.random() < 0.5


def _where(chance: random.Random, depth: int) -> dict[str, Any]:
    """Return a filter of metadata in Chroma's form."""
    if depth > 1 and chance.random() < 0.5:
        return _group(chance, lambda: _where(chance, depth - 1))
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


def _where_document(chance: random.Random, depth: int) -> dict[str, Any]:
    """Return a filter of documents in Chroma's form."""
    if depth > 1 and chance.random() < 0.4:
        return _group(chance, lambda: _where_document(chance, depth - 1))
    return {chance.choice(("$contains", "$not_contains")): chance.choice(PARTS)}


def _group(chance: random.Random, part: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return {chance.choice(("$and", "$or")): [part() for _ in range(chance.randint(2, 3))]}
