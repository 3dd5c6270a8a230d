"""Conditions on what is observed, and updates: the same embedded and over every transport."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from engram import Ack
from engram.errors import EngramError, FailedPrecondition, InvalidInput, NotFound
from engram.model.columns import COLUMNS
from tests.integration.homes import HOMES, ids, vector_of
from tests.integration.socket_client import SocketServer

BEFORE: dict[str, Any] = {
    "content": "t",
    "timestamp": 12.5,
    "confidence": 0.5,
    "importance": 0.25,
    "metadata": {"n": 1},
    "tags": ["x"],
    "expires_at": 4_000_000_000,
}
AFTER: dict[str, Any] = {
    "content": "new",
    "timestamp": 99,
    "confidence": 0.75,
    "importance": 1,
    "metadata": {"n": 2},
    "tags": ["y", "z"],
    "expires_at": 4_000_000_001,
}
BLOCKING = [name for name in HOMES if "async" not in name]
WRITERS = 4
WRITES = 10


def vectors(*names: str) -> list[Any]:
    return [vector_of(name) for name in names]


def unmet(call: Any) -> tuple[str, str, str, str]:
    """What is said of a condition that does not hold."""
    with pytest.raises(FailedPrecondition) as refused:
        call()
    error = refused.value
    return error.code, error.field, error.limit, error.value


def test_if_absent_stores_only_what_is_not_alive(home: Any) -> None:
    ack = home.observe("a", vector_of("a"), "first", if_absent=True)
    assert isinstance(ack, Ack)
    assert (ack, ack.first_generation, ack.count) == (1, 1, 1)
    told = unmet(lambda: home.observe("a", vector_of("a"), "second", if_absent=True))
    assert told == ("condition_failed", "expected_generations[0]", "0", "1")
    assert home.get("a").content == "first"
    assert home.observe("b", vector_of("b"), if_absent=np.bool_(True)) == 2
    home.delete(["a"])
    assert home.observe("a", vector_of("a"), "third", if_absent=True) == 4
    assert home.observe("a", vector_of("a"), "fourth", if_absent=False) == 5


def test_an_observation_is_stored_if_the_live_version_is_the_expected_one(home: Any) -> None:
    first = home.observe("a", vector_of("a"), "first")
    second = home.observe("a", vector_of("a"), "second", expected_generations=first)
    assert second == 2
    for expected in (first, 0, 99):
        told = unmet(lambda expected=expected: home.observe("a", vector_of("a"), expected_generations=expected))
        assert told == ("condition_failed", "expected_generations[0]", str(int(expected)), "2")
    hit = home.get("a")
    assert (hit.content, hit.generation) == ("second", 2)


def test_all_conditions_of_a_call_hold_or_nothing_is_stored(home: Any) -> None:
    home.observe(["a", "b"], vectors("a", "b"))
    names = ["new", "a", "b"]
    with pytest.raises(FailedPrecondition, match=r"2 of 3 conditions .* id 'a' has generation 1") as refused:
        home.observe(names, vectors(*names), expected_generations=[0, 2, 1])
    assert (refused.value.code, refused.value.field) == ("condition_failed", "expected_generations[1]")
    assert (home.get("new"), home.get("a").generation) == (None, 1)
    ack = home.observe(names, vectors(*names), expected_generations=np.array([0, 1, 2]))
    assert (ack.first_generation, ack.last_generation) == (3, 5)
    assert home.observe(["x", "y"], vectors("x", "y"), expected_generations=0) == 7
    told = unmet(lambda: home.observe(["x", "y"], vectors("x", "y"), expected_generations=6))
    assert told == ("condition_failed", "expected_generations[1]", "6", "7")


def test_a_condition_comes_with_texts_to_embed(reading_home: Any) -> None:
    assert reading_home.observe("a", content="the pump leaks", if_absent=True) == 1
    told = unmet(lambda: reading_home.observe(["b", "a"], None, ["x", "y"], if_absent=True))
    assert told == ("condition_failed", "expected_generations[1]", "0", "1")


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize("spec", COLUMNS, ids=lambda spec: spec.name)
def test_what_is_not_named_stays(home: Any, spec: Any, many: bool) -> None:
    assert set(BEFORE) == set(AFTER) == {one.singular for one in COLUMNS}
    home.observe("a", vector_of("a"), **BEFORE)
    before, value = home.get("a"), AFTER[spec.singular]
    ack = home.update(["a"], **{spec.plural: [value]}) if many else home.update("a", **{spec.singular: value})
    assert isinstance(ack, Ack)
    assert (ack, ack.count) == (2, 1)
    hit = home.get("a", include_vectors=True)
    np.testing.assert_array_equal(hit.vector, vector_of("a"))
    wanted = {each.attribute: getattr(before, each.attribute) for each in COLUMNS}
    wanted[spec.attribute] = value * 1_000_000 if spec.attribute in ("time_us", "expires_us") else value
    assert {name: getattr(hit, name) for name in wanted} == wanted


def test_a_default_is_a_change_like_any_other(home: Any) -> None:
    home.observe("a", vector_of("a"), **BEFORE)
    home.update("a", content="", confidence=1.0, importance=0.5, metadata={}, tags=[], merge=False)
    hit = home.get("a")
    assert (hit.content, hit.confidence, hit.importance, hit.metadata, hit.tags) == ("", 1.0, 0.5, {}, [])
    assert hit.time_us == 12_500_000


def test_a_vector_may_change_alone(home: Any) -> None:
    home.observe(["a", "b"], vectors("a", "b"), ["text of a", "text of b"])
    home.update("a", vector_of("c"))
    hit = home.get("a", include_vectors=True)
    np.testing.assert_array_equal(hit.vector, vector_of("c"))
    assert hit.content == "text of a"
    assert ids(home.recall(vector_of("c"), 1)) == ["a"]


def test_metadata_merge_by_their_keys(home: Any) -> None:
    home.observe("a", vector_of("a"), metadata={"keep": 1, "nest": {"x": 1}, "gone": 2, "null": None})
    home.update("a", metadata={"nest": {"y": 2}, "gone": None, "new": [1]})
    assert home.get("a").metadata == {"keep": 1, "nest": {"y": 2}, "null": None, "new": [1]}
    home.update("a", metadata={"never": None})
    assert home.get("a").metadata == {"keep": 1, "nest": {"y": 2}, "null": None, "new": [1]}
    home.update("a", metadata={"only": None}, merge=False)
    assert home.get("a").metadata == {"only": None}
    home.update("a", metadata={"only": None})
    assert home.get("a").metadata == {}
    home.update("a", metadata='{"text": 1}')
    assert home.get("a").metadata == {"text": 1}


def test_of_many_each_row_is_changed_by_its_own(home: Any) -> None:
    home.observe(["a", "b", "c"], vectors("a", "b", "c"), metadata=[{"n": 1}, {"n": 2}, None])
    ack = home.update(["c", "a"], contents=["x", "y"], metadata=[{"n": 3}, None])
    assert (ack.first_generation, ack.last_generation, ack.count) == (4, 5, 2)
    assert [(hit.id, hit.content, hit.metadata, hit.generation) for hit in home.get(["a", "b", "c"])] == [
        ("a", "y", {"n": 1}, 5),
        ("b", "", {"n": 2}, 2),
        ("c", "x", {"n": 3}, 4),
    ]


def test_a_new_text_is_embedded_where_there_is_an_embedder(reading_home: Any) -> None:
    reading_home.observe(["a", "b"], None, ["the pump leaks", "a heron stands"])
    before = reading_home.get("a", include_vectors=True).vector
    reading_home.update("a", tags=["x"])
    np.testing.assert_array_equal(reading_home.get("a", include_vectors=True).vector, before)
    reading_home.update("a", content="the mast creaks")
    hit = reading_home.get("a", include_vectors=True)
    assert not np.array_equal(hit.vector, before)
    assert (hit.content, hit.tags) == ("the mast creaks", ["x"])
    assert ids(reading_home.recall("the mast creaks", 1)) == ["a"]
    reading_home.update("a", vector_of("v"), "a text that is not embedded")
    np.testing.assert_array_equal(reading_home.get("a", include_vectors=True).vector, vector_of("v"))
    with pytest.raises(InvalidInput) as refused:
        reading_home.update("a", content=" ")
    assert refused.value.code == "empty_text"


def test_an_id_that_does_not_exist_is_named_and_nothing_is_changed(home: Any) -> None:
    home.observe("a", vector_of("a"), "first")
    with pytest.raises(NotFound, match="2 of 3 ids do not exist") as refused:
        home.update(["a", "b", "c"], contents=["x", "y", "z"])
    assert (refused.value.code, refused.value.field, refused.value.value) == ("missing_ids", "ids[1]", "'b'")
    assert home.get("a").content == "first"
    home.delete(["a"])
    with pytest.raises(NotFound) as refused:
        home.update("a", content="x")
    assert (refused.value.code, refused.value.field) == ("missing_ids", "ids[0]")


def test_a_snapshot_has_the_version_of_its_time(home: Any) -> None:
    home.observe("a", vector_of("a"), "first")
    held = home.snapshot()
    home.update("a", content="second")
    assert (held.get("a").content, home.get("a").content, home.get("a", 1).content) == ("first", "second", "first")
    assert (len(home.get(["a"])), int(home.count()), home.stats().live_count) == (1, 1, 1)


@pytest.mark.parametrize("name", BLOCKING)
def test_no_update_of_many_writers_is_lost(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as space:
        space.observe("a", vector_of("a"))

        def write(writer: int) -> None:
            for number in range(WRITES):
                space.update("a", metadata={f"{writer}-{number}": number})

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        hit = space.get("a")
        assert (len(hit.metadata), hit.generation) == (WRITERS * WRITES, 1 + WRITERS * WRITES)


@pytest.mark.parametrize("name", BLOCKING)
def test_of_many_writers_of_one_id_one_is_right(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as space:

        def write(writer: int) -> str:
            try:
                space.observe("a", vector_of("a"), f"{writer}", if_absent=True)
            except EngramError as error:
                return error.code
            return f"{writer}"

        with ThreadPoolExecutor(WRITERS) as pool:
            told = list(pool.map(write, range(WRITERS)))
        right = [each for each in told if each != "condition_failed"]
        assert (len(told), right) == (WRITERS, [space.get("a").content])
