"""Every argument of every method of an index, a table of cues and a walk, with all that careless callers pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.index import CueTable, HnswIndex, Walk
from tests.doubles.bad_values import BAD, problems_of, public_methods

DIM: Final = 3
NUMBER: Final = {"one"}
OR_NONE: Final = {"one", "None"}
NUMBERS: Final = {"one", "an empty list", "an array without dimensions"}
DAMAGED: Final = {label for label, value in BAD.items() if value is None or isinstance(value, list)}
# By argument, what it takes.
TAKEN: Final[dict[str, set[str]]] = {
    "vectors": set(),
    "queries": set(),
    "query": set(),
    "vector": set(),
    "threads": OR_NONE,
    "first_generation": NUMBER,
    "last_generation": NUMBER,
    "generation": NUMBER,
    "dropped": NUMBER,
    "generations": NUMBERS,
    "at": {"one", "an array without dimensions"},
    "raw": {"None"},
    "sums": {"None"},
    "count_max": NUMBER,
    "count": NUMBER,
    "background": {"True"},
    "with_vectors": {"True"},
    "horizon": OR_NONE,
    "go_on": {"a class", "a function"},
    "path": {"a text", "a huge text"},
    "descriptor": set(),
    "k": NUMBER,
    "ef": NUMBER,
    "max_generation": OR_NONE,
    "allowed": NUMBERS | {"None"},
    "allowed_begin": set(),
    "damaged": DAMAGED,
    "cues": set(),
    "key": {"one", "a negative number"},
    "threshold": {"one", "a negative number", "a fraction", "a whole float", "a huge number", "infinity"},
}


def index() -> HnswIndex:
    made = HnswIndex(DIM)
    made.add(np.eye(DIM))
    return made


ROWS: Final = np.eye(DIM, dtype=np.float32)
# By class, how one is made, and valid arguments for each of its methods.
CASES: Final[dict[type, tuple[Callable[[], Any], dict[str, dict[str, Any]]]]] = {
    HnswIndex: (
        index,
        {
            "add": {"vectors": ROWS},
            "append": {"vectors": ROWS, "first_generation": 4},
            "append_unreadable": {"generations": [9]},
            "centre_on": {"vectors": ROWS, "last_generation": 3},
            "publish": {"generation": 3},
            "discard": {},
            "delete": {"generations": [1], "at": 4},
            "link": {"count_max": 1},
            "compact": {},
            "droppable_count": {},
            "save": {"path": "graph"},
            "save_into": {"descriptor": None},
            "load": {"path": "graph"},
            "search": {"queries": ROWS},
            "walk": {"query": ROWS[0]},
            "match": {"cues": CueTable(DIM), "first_generation": 1, "last_generation": 3},
            "vectors": {"generations": [1]},
            "erase": {"generations": [1]},
            "relocate": {"first_generation": 1, "last_generation": 3, "vectors": [(1, ROWS)], "retired": []},
            "statistics": {},
        },
    ),
    CueTable: (lambda: CueTable(DIM), {"add": {"key": 1, "vector": ROWS[0], "threshold": 0.5}, "remove": {"key": 1}}),
    Walk: (lambda: index().walk(ROWS[0]), {"next": {}}),
}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_every_method_has_valid_arguments(kind: type) -> None:
    assert CASES[kind][1].keys() == public_methods(kind)


@pytest.mark.parametrize(
    ("kind", "name"),
    [pytest.param(kind, name, id=f"{kind.__name__}.{name}") for kind, (_, cases) in CASES.items() for name in cases],
)
def test_bad_arguments(kind: type, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, cases = CASES[kind]
    index().save("graph")

    def call(**arguments: Any) -> object:
        try:
            return getattr(make(), name)(**arguments)
        except OSError:
            # The file system refuses a path, or a descriptor.
            return None

    with (tmp_path / "other").open("wb") as file:
        valid = {key: file.fileno() if value is None else value for key, value in cases[name].items()}
        taken = dict(TAKEN)
        if name in {"add", "append"}:
            taken["generations"] = {"None"}
        if name == "relocate":
            taken["retired"] = {"an empty list"}
            taken["vectors"] = {"an empty list", "a mapping"}
        if name == "load":
            taken["vectors"] = {"None"}
        if name == "save_into":
            # Small numbers are descriptors of the test's own process, which it had better not write to.
            monkeypatch.setitem(BAD, "one", file.fileno())
            taken["descriptor"] = {"one"}
        assert problems_of(getattr(kind, name), call, valid, taken) == []


@pytest.mark.parametrize("kind", [HnswIndex, CueTable], ids=lambda kind: kind.__name__)
def test_bad_arguments_of_a_new_one(kind: type) -> None:
    for name in inspect.signature(kind).parameters:
        for label, bad in BAD.items():
            if (name, label) in {("dim", "one"), ("m", "None"), ("ef_construction", "None")}:
                continue
            with pytest.raises(InvalidInput):
                kind(**{"dim": DIM, name: bad})
