"""The digest of a request: the same for what asks for the same, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engram.model.filters.conditions import Condition
from engram.model.filters.fields import F, Own
from engram.model.filters.filter import Filter
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.digest import request_digest
from engram.model.operations.operation import Request
from engram.model.operations.requests import CreateSpace, Delete, Get, Observe
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig

GIVEN: dict[str, Any] = {
    "contents": ["x", ""],
    "times_us": np.array([1, 2], np.int64),
    "confidences": np.array([1.0, 0.5], np.float32),
    "importances": np.array([0.5, 0.5], np.float32),
    "metadata": ['{"a": 1, "b": [2]}', ""],
    "tags": [["t"], []],
}
# What is not named is told from what is empty, and from what is the default.
CHANGES: list[tuple[Any, dict[str, Any]]] = [
    (np.ones((2, 3), np.float32), {}),
    (None, {"contents": ["", ""]}),
    (None, {"contents": ["", ""], "tags": [[], []]}),
    (None, {"tags": [[], []]}),
    (None, {"metadata": ["", ""]}),
    (None, {"confidences": np.ones(2, np.float32)}),
    (None, {"importances": np.ones(2, np.float32)}),
]

CONDITIONS: list[Condition | Filter] = [
    Filter(tags={"x"}),
    F.deck == 1,
    F.deck == True,  # noqa: E712  # A condition, and not a truth value.
    F.deck == "1",
    F.deck == None,  # noqa: E711
    F.deck.port == 1,
    F.deck.is_in([1, 2]),
    F.deck >= datetime(2026, 1, 1, tzinfo=UTC),
    (F.deck == 1) & (F.room == "mess"),
    (F.deck == 1) | (F.room == "mess"),
    ~(F.deck == 1),
    Own.id.is_in(["1"]),
    Own.tags.has_any(["x"]),
    Own.confidence >= 0.5,
]


def batch(**changed: Any) -> ObservationBatch:
    columns = {name: column for name, column in {**GIVEN, **changed}.items() if column is not None}
    ids = columns.pop("ids", ["a", "b"])
    return fill_batch(ids, columns.pop("vectors", np.ones((2, 3), np.float32)), columns)


def observed(**changed: Any) -> bytes:
    return request_digest(Observe("s", batch(**changed)))


def test_what_asks_for_the_same_is_the_same() -> None:
    assert len(observed()) == 32
    assert observed() == observed(ids=("a", "b"), tags=(("t",), ()), metadata=['{"b":[2],"a":1}', ""])
    assert observed(metadata=None, tags=None) == observed(metadata=["", ""], tags=[[], []])
    assert observed(importances=None) == observed()
    assert request_digest(Delete("s", ["a"], "k1")) == request_digest(Delete("s", ("a",), "k2"))
    assert request_digest(Observe("s", batch(), idempotency_key="k")) == observed()
    conditional = Observe("s", batch(), expected_generations=[0, 7])
    assert request_digest(conditional) == request_digest(replace(conditional, expected_generations=(0, 7)))
    first, second = (
        ObservationChanges(ids, columns={"metadata": [text, ""]})
        for ids, text in ((["a", "b"], '{"a": 1, "b": [2]}'), (("a", "b"), '{"b":[2],"a":1}'))
    )
    assert request_digest(Update("s", first)) == request_digest(Update("s", second, idempotency_key="k"))


def test_times_that_nobody_gave_do_not_count_and_those_that_were_given_do(monkeypatch: pytest.MonkeyPatch) -> None:
    now_us = iter([1, 2, 3])
    monkeypatch.setattr("engram.model.columns.now_us", lambda: next(now_us))
    first, second = batch(times_us=None), batch(times_us=None)
    assert first.times_us.tolist() != second.times_us.tolist()
    assert (first.has_times, batch().has_times) == (False, True)
    assert request_digest(Observe("s", first)) == request_digest(Observe("s", second))
    assert request_digest(Observe("s", first)) != observed(times_us=first.times_us)


def test_whatever_differs_is_told_apart() -> None:
    requests: list[Request[Any]] = [
        Observe("s", batch()),
        Observe("t", batch()),
        Observe("s", batch(), Priority.HIGH),
        *(
            Observe("s", batch(**{name: value}))
            for name, value in {
                "ids": ["ab", ""],
                "vectors": np.zeros((2, 3), np.float32),
                "contents": ["", "x"],
                "times_us": np.array([1, 3], np.int64),
                "confidences": np.array([1.0, 0.25], np.float32),
                "importances": np.array([0.25, 0.5], np.float32),
                "metadata": ['{"a": 1, "b": [3]}', ""],
                "tags": [[], ["t"]],
            }.items()
        ),
        Observe("s", batch(vectors=np.ones((2, 0), np.float32))),
        Observe("s", batch(metadata=["no JSON", ""])),
        Observe("s", batch(metadata=["[" * 100_000, ""])),
        Observe("s", batch(), expected_generations=[0, 7]),
        Observe("s", batch(), expected_generations=[7, 7]),
        *(Update("s", ObservationChanges(["a", "b"], *changes)) for changes in CHANGES),
        Update("s", ObservationChanges(["a", "b"], *CHANGES[0]), merge=False),
        Update("s", ObservationChanges(["a", "b"], *CHANGES[0]), Priority.LOW),
        Update("s", ObservationChanges(["ab"], None, {"contents": ["x"]})),
        Delete("s", ["a", "b"]),
        Delete("s", ["ab"]),
        *(Delete("s", None, filter=condition) for condition in CONDITIONS),
        Get("s", ["a", "b"]),
        Get("s", ["a", "b"], max_generation=1),
        Get("s", ["a", "b"], include_vectors=True),
        CreateSpace(SpaceConfig("notes", 8)),
        CreateSpace(SpaceConfig("notes", 9)),
    ]
    assert len(set(map(request_digest, requests))) == len(requests)


@dataclass(frozen=True)
class Odd(Request[None]):
    value: object


def test_values_of_any_kind_have_a_digest_and_what_has_none_is_a_defect() -> None:
    values: list[object] = [None, True, 1, 1.5, float("nan"), "1", [], [[]], {}, {"a": 1}, {"a": None}]
    assert len({request_digest(Odd(value)) for value in values}) == len(values)
    assert request_digest(Odd(1)) == request_digest(replace(Odd(2), value=1.0))
    assert request_digest(Odd({"a": 1, "b": 2})) == request_digest(Odd({"b": 2, "a": 1}))
    with pytest.raises(TypeError, match="object"):
        request_digest(Odd(object()))
