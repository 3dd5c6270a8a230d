"""A space behaves the same embedded and over every transport: one suite for all homes.

`test_one_face_members.py` says which members there are, and `test_one_face_refusals.py` what they refuse.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest

from engram import Ack, Deletion
from engram.model.columns import COLUMNS
from tests.integration.homes import CLIENTS, HOMES, ids, vector_of
from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer


def test_one_observation(home: Any) -> None:
    ack = home.observe(
        "a", vector_of("a"), "a text", timestamp=12.5, confidence=0.5, importance=0.25, metadata={"n": 1}, tags=["x"]
    )
    assert isinstance(ack, Ack)
    assert (ack, ack.generation, ack.count, str(ack)) == (1, 1, 1, "1")
    hit = home.get("a")
    assert (hit.content, hit.time_us, hit.confidence, hit.importance) == ("a text", 12_500_000, 0.5, 0.25)
    assert (hit.metadata, hit.tags, hit.generation) == ({"n": 1}, ["x"], 1)


def test_one_observation_by_keywords(home: Any) -> None:
    assert home.observe(id="a", vector=vector_of("a"), content="t") == 1
    assert home.observe(ids="b", vector=vector_of("b")) == 2
    assert home.get("a").content == "t"


def test_many_observations(home: Any) -> None:
    names = ["a", "b", "c"]
    ack = home.observe(
        names,
        [vector_of(name) for name in names],
        ["text of " + name for name in names],
        timestamps=[1, 2, 3],
        confidences=[0.1, 0.2, 0.3],
        metadata=[{"n": 1}, None, '{"n": 3}'],
        tags=[["x"], [], ["y", "z"]],
    )
    assert (ack, ack.first_generation, ack.last_generation, ack.count) == (3, 1, 3, 3)
    hit = home.get("c")
    assert (hit.content, hit.time_us, hit.metadata, hit.tags) == ("text of c", 3_000_000, {"n": 3}, ["y", "z"])


def named_by(answer: Any) -> Any:
    """The ids of an `observe`, or of a `submit`."""
    ack = answer if isinstance(answer, Ack) else answer.result(TIMEOUT_S)
    assert list(ack.ids) == sorted(set(ack.ids))
    return ack.ids


@pytest.mark.parametrize("name", ["observe", "submit"])
def test_who_gives_no_ids_gets_some_in_rising_order(home: Any, name: str) -> None:
    store = getattr(home, name)
    (one,) = named_by(store(vector=vector_of("a"), content="one"))
    many = named_by(store(vectors=[vector_of("b"), vector_of("c")], contents=["two", "three"]))
    (placed,) = named_by(store(None, vector_of("d"), "four"))
    together = named_by(store(None, [vector_of("e")], ["five"]))
    made = [one, *many, placed, *together]
    assert made == sorted(set(made))
    assert [hit.content for hit in home.get(made)] == ["one", "two", "three", "four", "five"]
    assert named_by(store("mine", vector_of("f"))) == ()
    assert named_by(store(["mine"], [vector_of("f")])) == ()


def test_an_observation_on_a_condition_may_have_no_id(home: Any) -> None:
    (made,) = named_by(home.observe(vector=vector_of("a"), content="t", if_absent=True))
    assert home.get(made).content == "t"


ONE: dict[str, Any] = {
    "content": "t",
    "timestamp": 12.5,
    "confidence": 0.5,
    "importance": 0.25,
    "metadata": {"n": 1},
    "tags": ["x"],
    "expires_at": 4_000_000_000,
}
"""Something else than the default for each column."""


def what_is(hit: Any) -> list[Any]:
    return [getattr(hit, spec.attribute) for spec in COLUMNS]


def stored(home: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
    """Store the observation ``a`` by `name`, and return what is stored then."""
    answer = getattr(home, name)(*arguments, **keywords)
    assert (answer.result(TIMEOUT_S) if name == "submit" else answer) == 1
    hit = home.get("a", include_vectors=True)
    np.testing.assert_array_equal(hit.vector, vector_of("a"))
    return hit


@pytest.mark.parametrize("name", ["observe", "submit"])
@pytest.mark.parametrize("spec", COLUMNS, ids=lambda spec: spec.name)
def test_each_column_is_taken_by_its_keywords(home: Any, name: str, spec: Any) -> None:
    assert set(ONE) == {one.singular for one in COLUMNS}
    value = ONE[spec.singular]
    one = stored(home, name, id="a", vector=vector_of("a"), **{spec.singular: value})
    assert getattr(one, spec.attribute) == (value * 1_000_000 if spec.attribute.endswith("_us") else value)
    getattr(home, name)(ids=["b"], vectors=[vector_of("b")], **{spec.plural: [value]})
    while (many := home.get("b")) is None:
        home.observe("after", vector_of("after"))
    assert getattr(many, spec.attribute) == getattr(one, spec.attribute)


@pytest.mark.parametrize("name", ["observe", "submit"])
def test_one_may_be_given_by_place(home: Any, name: str) -> None:
    assert stored(home, name, "a", vector_of("a"), "t").content == "t"


@pytest.mark.parametrize("name", ["observe", "submit"])
def test_many_may_be_given_by_place(home: Any, name: str) -> None:
    assert stored(home, name, ["a"], [vector_of("a")], ["t"]).content == "t"


@pytest.mark.parametrize("name", ["observe", "submit"])
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_none_is_not_given(home: Any, name: str, many: bool) -> None:
    before = time.time()
    if many:
        hit = stored(home, name, ["a"], [vector_of("a")], **{spec.plural: None for spec in COLUMNS})
    else:
        hit = stored(home, name, "a", vector_of("a"), **{spec.singular: None for spec in COLUMNS})
    assert before - 1 <= hit.time_us / 1e6 <= time.time() + 1
    assert (hit.content, hit.confidence, hit.importance, hit.metadata, hit.tags) == ("", 1.0, 0.5, {}, [])


def test_a_space_knows_its_name(home: Any) -> None:
    assert home.name in repr(home)


def test_no_ids_delete_nothing(home: Any) -> None:
    home.observe("a", vector_of("a"))
    nothing: list[Any] = [[], (), set(), np.array([])]
    for none in nothing:
        assert (home.delete(none), home.delete(none).generation) == (0, 1)
    assert home.get("a") is not None


def test_flags_of_numpy_are_flags(home: Any) -> None:
    home.observe("a", vector_of("a"))
    yes = np.bool_(True)
    assert home.recall(vector_of("a"), include_vectors=yes, skip_damaged=yes)[0].vector is not None
    assert home.get("a", include_vectors=yes).vector is not None


def test_submit_returns_a_future_of_the_same(home: Any) -> None:
    futures = [home.submit(f"id-{number}", vector_of(f"id-{number}")) for number in range(20)]
    many = home.submit(["x", "y"], [vector_of("x"), vector_of("y")])
    assert [future.result(TIMEOUT_S).generation for future in futures] == list(range(1, 21))
    assert many.result(TIMEOUT_S) == 22


def test_a_look_up(home: Any) -> None:
    assert home.get("a") is None
    home.observe("a", vector_of("a"), "first")
    home.observe("a", vector_of("a"), "second")
    assert home.get("a").content == "second"
    assert home.get("a", 1).content == "first"
    assert home.get("a", max_generation=0) is None
    assert np.allclose(home.get("a", include_vectors=True).vector, vector_of("a"))


def test_a_deletion(home: Any) -> None:
    home.observe(["a", "b"], [vector_of("a"), vector_of("b")])
    gone = home.delete(["a", "never"])
    assert isinstance(gone, Deletion)
    assert (gone, gone.generation, home.get("a")) == (1, 3, None)
    assert home.delete(["a"]) == 0


def test_statistics(home: Any) -> None:
    home.observe(["a", "b", "c"], [vector_of(name) for name in "abc"])
    home.delete(["a"])
    stats = home.stats()
    assert (stats.durable_generation, stats.visible_generation, stats.live_count) == (4, 4, 2)
    assert (stats.observed, stats.deleted, stats.commits, stats.damaged_count) == (3, 1, 2, 0)
    assert stats.log_bytes > 0
    assert stats.metrics
    assert (stats.health, stats.problems) == ("ok", ())


def test_whoever_wants_to_may_wait_until_all_is_linked(home: Any) -> None:
    assert home.wait_indexed() == 0
    names = [f"id-{number}" for number in range(50)]
    home.observe(names, [vector_of(name) for name in names])
    home.delete(["id-7"])
    assert home.wait_indexed(1, timeout_s=TIMEOUT_S) >= 1
    assert home.wait_indexed(timeout_s=None) == 51
    assert {hit.indexed for hit in home.recall(vector_of("id-3"), 50)} == {True}
    # What is linked is not waited for.
    assert home.wait_indexed(51, timeout_s=0) == 51


def test_ids_that_no_observation_has_are_no_error(home: Any) -> None:
    assert (home.get(""), home.get("x" * 2000), home.delete([""])) == (None, None, 0)


def test_ids_of_every_kind(home: Any) -> None:
    names = ["a/b", "a?b=c&d#e", "%2F", "..", " ", "ä 木", "a\nb\r\x00", '"', "x" * 1024]
    home.observe(names, [vector_of(name) for name in names], names)
    for name in names:
        assert home.get(name).content == name
        assert ids(home.recall(vector_of(name), 1)) == [name]
    assert home.delete(names) == len(names)


def test_texts_of_every_kind(home: Any) -> None:
    metadata = {'quote"': ["\n", {"deep": [1, 2.5, -(2**63), 2**64 - 1, None, True]}], "ä": "木 🙂"}
    texts = ["", "line\nline\r\n", '"\\', "木 🙂", "\u2028", "x" * 65536]
    for text in texts:
        home.observe("a", vector_of("a"), text, metadata=metadata, tags=["ä 木", '"\n'])
        hit = home.get("a")
        assert (hit.content, hit.metadata, hit.tags) == (text, metadata, ["ä 木", '"\n'])
        streamed = [each for hits in home.recall_stream(vector_of("a"), 1) for each in hits]
        for each in (*streamed, *home.recall(vector_of("a"), 1)):
            assert (each.content, each.metadata, each.tags) == (text, metadata, ["ä 木", '"\n'])


def test_old_forms_work_and_warn(home: Any) -> None:
    home.observe("a", vector_of("a"))
    with pytest.warns(DeprecationWarning, match="max_results is deprecated; pass k"):
        assert len(list(home.recall_stream(vector_of("a"), max_results=5))) == 1
    with pytest.warns(DeprecationWarning, match="time is deprecated; pass snapshot_time"):
        assert home.snapshot(time=time.time() + 60).generation == 1
    with pytest.warns(DeprecationWarning, match="timestamps by place is deprecated"):
        assert home.observe(["b"], [vector_of("b")], ["t"], [7]) == 2
    with pytest.warns(DeprecationWarning, match="submit"):
        assert home.observe("c", vector_of("c")).result() == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        home.observe("d", vector_of("d"), "t", confidence=0.5)
        home.recall(vector_of("d"), 3, ef=50)


def test_old_forms_of_a_space_work_and_warn(server: SocketServer) -> None:
    with HOMES["embedded"].space(server) as space:
        space.observe("a", vector_of("a"))
        with pytest.warns(DeprecationWarning, match="max_generation, ef by place"):
            assert len(space.recall(vector_of("a"), 10, 0, 50)) == 0
        with pytest.warns(DeprecationWarning, match="Space.generation"):
            assert space.visible_generation == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_old_forms_of_a_client_work_and_warn(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as client:
        with pytest.warns(DeprecationWarning, match="connect"):
            client.open()
        with pytest.warns(DeprecationWarning, match="submit"):
            assert client.observe_batch(["a"], [vector_of("a")], tags=[["x"]]).result(TIMEOUT_S).generation == 1
        with pytest.warns(DeprecationWarning, match="delete"):
            assert client.forget(["a"]) == 1
