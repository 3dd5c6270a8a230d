"""Observations without a vector or a text: the same embedded and over every transport."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram import Cue, F
from engram.errors import EngramError, FailedPrecondition, InvalidInput
from tests.integration.homes import HOMES, ids, vector_of
from tests.integration.server_process import DIM
from tests.integration.socket_client import SocketServer


@pytest.fixture(params=HOMES)
def optional_home(request: pytest.FixtureRequest, server: SocketServer) -> Iterator[Any]:
    with HOMES[request.param].space(server, vectors="optional") as home:
        yield home


@pytest.fixture(params=HOMES)
def vectorless_home(request: pytest.FixtureRequest, server: SocketServer) -> Iterator[Any]:
    with HOMES[request.param].space(server, vectors="none") as home:
        yield home


@pytest.fixture(params=HOMES)
def optional_reading_home(request: pytest.FixtureRequest, server: SocketServer) -> Iterator[Any]:
    with HOMES[request.param].space(server, embedder="lexical", vectors="optional") as home:
        yield home


def refused(kind: type[EngramError], call: Any) -> tuple[str, str]:
    with pytest.raises(kind) as error:
        call()
    return error.value.code, error.value.field


def fill(home: Any) -> None:
    home.observe("a", vector_of("a"), "the pump leaks", metadata={"deck": 1})
    home.observe(["b", "c"], [None, vector_of("c")], ["the pump is dry", None], metadata=[{"deck": 2}, {"deck": 2}])
    home.observe("d", None, None, metadata={"deck": 3})


def test_what_has_no_vector_is_found_by_all_but_similarity(optional_home: Any) -> None:
    fill(optional_home)
    assert sorted(ids(optional_home.recall(vector_of("b"), k=10))) == ["a", "c"]
    assert ids(optional_home.recall(Cue(vector_of("b"), filter=F.deck == 2))) == ["c"]
    assert sorted(ids(optional_home.recall(Cue(text="pump", by="words")))) == ["a", "b"]
    assert ids(optional_home.recall(Cue(filter=F.deck >= 2))) == ["d", "c", "b"]
    assert sorted(ids(optional_home.scan())) == ["a", "b", "c", "d"]
    assert (optional_home.count(), optional_home.count(F.deck == 2)) == (4, 2)
    assert optional_home.facets("deck")["deck"].count == 4


def test_a_hit_tells_no_vector_and_no_text(optional_home: Any) -> None:
    fill(optional_home)
    hits = optional_home.get(["a", "b", "c", "d"], include_vectors=True)
    assert [hit.vector is None for hit in hits] == [False, True, False, True]
    assert hits[2].vector.tolist() == vector_of("c").tolist()
    assert [(hit.content, hit.has_content) for hit in hits] == [
        ("the pump leaks", True),
        ("the pump is dry", True),
        ("", False),
        ("", False),
    ]
    optional_home.observe("e", vector_of("e"), "")
    optional_home.observe("f", vector_of("f"))
    assert [optional_home.get(id).has_content for id in "ef"] == [True, True]
    for hit in optional_home.scan(include_vectors=True):
        assert (hit.vector is None) == (hit.id in "bd")


def test_many_recalls_pass_over_what_has_no_vector(optional_home: Any) -> None:
    fill(optional_home)
    cues = np.stack([vector_of("a"), vector_of("c")])
    for found in (optional_home.recall_many(cues), optional_home.recall_many(cues, filter=F.deck <= 2)):
        assert [sorted(ids(hits)) for hits in found] == [["a", "c"], ["a", "c"]]


def test_single_observations_are_submitted_without_vectors(optional_home: Any) -> None:
    futures = [optional_home.submit(f"n{n}", None if n % 2 else vector_of(f"n{n}"), f"note {n}") for n in range(6)]
    assert [int(future.result()) for future in futures] == [1, 2, 3, 4, 5, 6]
    assert sorted(ids(optional_home.recall(vector_of("n0")))) == ["n0", "n2", "n4"]


def test_an_update_leaves_what_is_not_named(optional_home: Any) -> None:
    fill(optional_home)
    optional_home.update(["a", "d"], tags=[["x"], ["y"]])
    hits = optional_home.get(["a", "d"], include_vectors=True)
    assert [(hit.vector is None, hit.has_content, hit.tags) for hit in hits] == [
        (False, True, ["x"]),
        (True, False, ["y"]),
    ]
    optional_home.update("d", vector_of("d"), "a text")
    hit = optional_home.get("d", include_vectors=True)
    assert (hit.vector.tolist(), hit.content, hit.has_content) == (vector_of("d").tolist(), "a text", True)
    assert refused(InvalidInput, lambda: optional_home.update("a", content="x", embed=False)) == (
        "invalid_arguments",
        "embed",
    )


def test_streams_pass_over_what_has_no_vector(optional_home: Any) -> None:
    fill(optional_home)
    near = [hit.id for hits in optional_home.recall_stream(vector_of("b"), 10) for hit in hits]
    assert sorted(near) == ["a", "c"]
    newest = [hit.id for hits in optional_home.recall_stream(Cue(filter=F.deck >= 2), 10) for hit in hits]
    assert newest == ["d", "c", "b"]


def test_a_standing_recall_hears_of_what_has_no_vector_by_its_filter_alone(optional_home: Any) -> None:
    optional_home.observe("a", vector_of("a"), metadata={"deck": 1})
    similar = optional_home.recall_stream(Cue(vector_of("a"), score_min=0.9), follow=True)
    passing = optional_home.recall_stream(Cue(filter=F.deck >= 1), follow=True)
    assert (ids(next(similar)), ids(next(passing))) == (["a"], ["a"])
    optional_home.observe(["b", "c"], [None, vector_of("a")], ["one", "two"], metadata=[{"deck": 2}, {"deck": 2}])
    assert ids(next(similar)) == ["c"]
    heard: list[str] = []
    while len(heard) < 2:
        heard += ids(next(passing))
    assert heard == ["b", "c"]
    similar.close()
    passing.close()


def test_the_past_is_what_it_was(optional_home: Any) -> None:
    fill(optional_home)
    assert optional_home.update("b", vector_of("b")) == 5
    assert (optional_home.delete(filter=F.deck == 3), optional_home.get("d")) == (1, None)
    assert sorted(ids(optional_home.recall(vector_of("b"), 10))) == ["a", "b", "c"]
    held = optional_home.snapshot(4)
    assert [hit.vector is None for hit in held.get(["b", "c", "d"], include_vectors=True)] == [True, False, True]
    assert sorted(ids(held.recall(vector_of("b"), 10))) == ["a", "c"]
    assert (held.count(), ids(held.scan(F.deck == 3))) == (4, ["d"])
    optional_home.erase(["b"])
    assert (optional_home.get("b"), optional_home.count()) == (None, 2)


def test_conditions_and_expiry_need_no_vectors(optional_home: Any) -> None:
    assert optional_home.observe("a", None, "one", if_absent=True) == 1
    met = refused(FailedPrecondition, lambda: optional_home.observe("a", None, "two", if_absent=True))
    assert met == ("condition_failed", "expected_generations[0]")
    assert optional_home.observe(["a", "b"], [None, vector_of("b")], expected_generations=[1, 0]) == 3
    optional_home.observe(["c", "d"], [None, None], ["one", "two"], ttl=[0, 3600])
    assert [hit and hit.id for hit in optional_home.get(["a", "b", "c", "d"])] == ["a", "b", None, "d"]
    assert optional_home.get("d").expires_us is not None


def test_a_space_without_vectors(vectorless_home: Any) -> None:
    vectorless_home.observe(["a", "b"], None, ["the pump leaks", None], tags=[["x"], ["x"]])
    vectorless_home.observe("c", content="the mast creaks")
    vectorless_home.update("c", content="the mast is down")
    assert ids(vectorless_home.recall(Cue(text="mast", by="words"))) == ["c"]
    assert sorted(ids(vectorless_home.scan())) == ["a", "b", "c"]
    assert vectorless_home.get("a", include_vectors=True).vector is None
    assert refused(InvalidInput, lambda: vectorless_home.observe("d", vector_of("d")))[0] == "vectors_refused"
    assert refused(InvalidInput, lambda: vectorless_home.observe(["d"], [vector_of("d")]))[0] == "vectors_refused"
    assert refused(InvalidInput, lambda: vectorless_home.recall(vector_of("d")))[0] == "dimension_mismatch"
    assert refused(FailedPrecondition, lambda: vectorless_home.recall("mast"))[0] == "no_embedder"
    assert vectorless_home.delete(["a"]) == 1


def test_a_space_that_requires_vectors_refuses_what_has_none(home: Any, reading_home: Any) -> None:
    missing = ("vector_missing", "embedding[1]")
    assert refused(InvalidInput, lambda: home.observe(["a", "b"], [vector_of("a"), None])) == missing
    assert refused(FailedPrecondition, lambda: home.observe("a", content="x"))[0] == "no_embedder"
    assert refused(InvalidInput, lambda: reading_home.observe("a", content="x", embed=False))[0] == "vector_missing"
    assert refused(InvalidInput, lambda: reading_home.observe("a", None, None))[0] == "empty_text"
    assert (home.count(), reading_home.count()) == (0, 0)


def test_an_embedder_makes_what_is_missing_unless_told_not_to(optional_reading_home: Any) -> None:
    home = optional_reading_home
    home.observe("a", content="the pump leaks")
    home.observe("b", content="the pump leaks", embed=False)
    home.observe(["c", "d", "e"], [vector_of("c"), None, None], ["one", "two words", None])
    home.observe("f", content=" ")
    hits = home.get(list("abcdef"), include_vectors=True)
    assert [hit.vector is None for hit in hits] == [False, True, False, False, True, True]
    assert len(hits[3].vector) == DIM
    home.update("b", content="the pump is dry")
    assert home.get("b", include_vectors=True).vector is not None
    home.update("e", tags=["x"])
    assert home.get("e", include_vectors=True).vector is None


@pytest.mark.parametrize("name", HOMES)
def test_the_setting_is_shown_and_checked(name: str, server: SocketServer) -> None:
    if "client" not in name:
        return
    with HOMES[name].space(server, vectors="optional") as client:
        assert client.space_status().config.vectors == "optional"
        space = client.space_status().name
        assert refused(EngramError, lambda: client.create_space(space, DIM))[0] == "space_exists"
        for bad, code in (("some", "invalid_vectors_setting"), (1, "invalid_vectors_setting")):
            assert refused(InvalidInput, lambda bad=bad: client.create_space("new", DIM, vectors=bad))[0] == code
        bad_dim = refused(InvalidInput, lambda: client.create_space("new", DIM, vectors="none"))
        assert bad_dim[0] == "invalid_dimension"
        with_embedder = refused(InvalidInput, lambda: client.create_space("new", embedder="lexical", vectors="none"))
        assert with_embedder == ("vectors_refused", "embedder")
