"""Both clients over every transport: the same calls, the same answers, the same errors.

A new transport is to pass these tests, too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engram.client import Ack, Client, OutboxLimits
from engram.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound, Unavailable
from engram.model.cue import Cue
from tests.integration.either_client import Either, client, make, new_name, observe_ids, transport
from tests.integration.server_process import DIM, TIMEOUT_S, numbered, vectors_of

# Pytest finds the fixtures of a module by their names.
__all__ = ["client", "make", "transport"]


def test_an_observation_is_recallable_as_soon_as_its_future_is_done(client: Either) -> None:
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    future = client.submit(
        "a",
        vectors_of(["a"])[0],
        "text of a",
        timestamp=moment,
        confidence=0.75,
        importance=0.25,
        metadata={"k": [1, {"ä": None}]},
        tags=["x", "y"],
    )
    assert client.result(future) == Ack(1, 1, 1, 1)
    (hit,) = client.recall(vectors_of(["a"])[0], include_vectors=True)
    assert (hit.id, hit.content, hit.generation) == ("a", "text of a", 1)
    assert (hit.confidence, hit.importance) == (0.75, 0.25)
    assert (hit.metadata, hit.tags) == ({"k": [1, {"ä": None}]}, ["x", "y"])
    assert hit.time_us == moment.timestamp() * 1e6
    assert hit.score == pytest.approx(1, abs=1e-5)
    assert np.array_equal(hit.vector, vectors_of(["a"])[0])


def test_single_observations_and_batches_share_one_sequence(client: Either) -> None:
    vectors = vectors_of(numbered(0, 300))
    first = [client.submit(f"single-{row}", vectors[row]) for row in range(300)]
    batch = client.submit(ids=numbered(0, 300), vectors=vectors)
    last = client.submit("last", vectors[0])
    assert [client.result(future) for future in first] == [Ack(n, n, n, n) for n in range(1, 301)]
    assert client.result(batch) == Ack(301, 600, 301, 600)
    assert client.result(last) == Ack(601, 601, 601, 601)
    assert client.durable_sequence == 601


def test_the_callers_arrays_may_be_reused_at_once(client: Either) -> None:
    ids, vectors = numbered(1, 64), vectors_of(numbered(1, 64))
    original, single = vectors.copy(), vectors[0].copy()
    futures = [client.submit(ids=ids, vectors=vectors), client.submit("single", single)]
    vectors[:] = single[:] = 7
    for future in futures:
        client.result(future)
    hit = client.recall(original[5], k=1, include_vectors=True)[0]
    assert hit.id == ids[5]
    assert np.array_equal(hit.vector, original[5])


def test_flush_waits_for_everything(client: Either) -> None:
    futures = [client.submit(name, vector) for name, vector in zip("abc", vectors_of(["a", "b", "c"]), strict=True)]
    client.flush(TIMEOUT_S)
    assert all(future.done() for future in futures)


def test_a_bad_observation_fails_alone_and_flush_tells_of_it(client: Either) -> None:
    good, bad = client.submit("a", vectors_of(["a"])[0]), client.submit("b", np.zeros(DIM))
    with pytest.raises(InvalidInput, match="zero vector"):
        client.flush(TIMEOUT_S)
    assert client.error(bad).code == "zero_vector"
    assert client.result(good) == Ack(1, 1, 1, 1)
    client.flush(TIMEOUT_S)


@pytest.mark.parametrize(("id", "code"), [("", "id_size"), ([""], "id_size"), ("zero", "zero_vector")])
def test_what_observe_has_raised_is_not_told_again(
    client: Either, id: Any, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    vector = np.zeros(DIM) if id == "zero" else np.ones(DIM)
    with pytest.raises(InvalidInput) as caught:
        client.observe(id, vector[None] if isinstance(id, list) else vector)
    assert caught.value.code == code
    client.flush(TIMEOUT_S)
    client.close()
    assert "not acknowledged" not in caplog.text


def test_a_refusal_that_nobody_waited_for_is_told_by_flush(client: Either) -> None:
    client.submit("", np.ones(DIM))
    with pytest.raises(InvalidInput):
        client.observe("zero", np.zeros(DIM))
    with pytest.raises(InvalidInput) as caught:
        client.flush(TIMEOUT_S)
    assert caught.value.code == "id_size"
    client.flush(TIMEOUT_S)


def test_a_bad_batch_is_refused_before_it_is_sent(client: Either) -> None:
    vectors = vectors_of(["a", "b", "c"])
    vectors[1, 3] = np.nan
    with pytest.raises(InvalidInput, match="embedding 1 holds nan at position 3"):
        client.submit(ids=["a", "b", "c"], vectors=vectors)
    with pytest.raises(InvalidInput, match="has dimension 3 where"):
        client.submit(ids=["a"], vectors=np.ones((1, 3)))
    with pytest.raises(InvalidInput, match="a batch of 0 observations"):
        client.submit(ids=[], vectors=np.ones((0, DIM)))
    with pytest.raises(FailedPrecondition, match="has no embedder"):
        client.submit(ids=["a"], contents=["text"])
    assert client.space_status().visible_generation == 0


def test_recall_streams_in_batches_from_one_snapshot(client: Either) -> None:
    ids = numbered(1, 25)
    observe_ids(client, ids)
    batches = client.recall_stream(vectors_of(ids)[0], k=25, batch_size=10)
    first = next(batches)
    observe_ids(client, numbered(100, 25))
    rest = list(batches)
    assert [len(first), *map(len, rest)] == [10, 10, 5]
    assert {hit.id for batch in [first, *rest] for hit in batch} == set(ids)


def test_a_recall_stream_may_be_left_early(client: Either) -> None:
    observe_ids(client, numbered(1, 25))
    for hits in client.recall_stream(vectors_of(["a"])[0], k=25, batch_size=5):
        assert len(hits) == 5
        break


def test_recall_as_of_a_generation(client: Either) -> None:
    ack = observe_ids(client, ["a", "b"])
    observe_ids(client, ["c", "a"])
    cue = vectors_of(["c"])[0]
    assert {hit.id for hit in client.recall(cue)} == {"a", "b", "c"}
    then = client.recall(cue, max_generation=ack.generation)
    assert {(hit.id, hit.generation) for hit in then} == {("a", 1), ("b", 2)}


def test_text_in_a_space_with_an_embedder(make: Any) -> None:
    name = new_name()
    client = make(space=name)
    client.create_space(name, dim=64, embedder="lexical")
    mixed = [client.submit("a", None, "warm coffee"), client.submit("b", np.ones(64), "no text matters here")]
    batch = client.submit(ids=["c", "d"], contents=["cold tea", "a red bicycle"])
    for future in [*mixed, batch]:
        client.result(future)
    assert client.recall("coffee", k=1)[0].id == "a"
    assert client.recall("bicycle", k=1)[0].id == "d"


def test_forget(client: Either) -> None:
    observe_ids(client, ["a", "b"])
    assert client.delete(["a", "unknown"]) == 1
    assert [hit.id for hit in client.recall(vectors_of(["a"])[0])] == ["b"]
    with pytest.raises(InvalidInput, match="pass a list"):
        client.delete("b")


def test_spaces_and_status(client: Either) -> None:
    observe_ids(client, numbered(1, 7))
    status = client.space_status()
    assert (status.config.dim, status.live_count, status.visible_generation) == (DIM, 7, 7)
    assert client.space in [space.name for space in client.spaces()]
    server = client.status()
    assert server.observations_accepted >= 7
    assert {lane.priority for lane in server.lanes} == {"high", "normal", "low"}
    assert [worker.number for worker in server.workers] == list(range(len(server.workers)))


def test_the_status_tells_what_each_worker_did(client: Either) -> None:
    def linked() -> int:
        workers = client.status().workers
        assert sum(worker.batches > 0 for worker in workers) == sum(worker.observations > 0 for worker in workers)
        return sum(worker.observations for worker in workers)

    before = linked()
    observe_ids(client, numbered(1, 70))
    assert client.wait_indexed(70) >= 70
    while linked() < before + 70:
        pass  # A turn is counted after what it linked has been announced.
    assert sum(worker.busy_s for worker in client.status().workers) > 0


def test_what_a_client_says_of_itself(client: Either) -> None:
    assert (client.name, client.space) == (client.space, client.name)
    assert client.address in repr(client.client)
    assert (client.session_id, client.durable_sequence) == ("", 0)
    client.connect()
    assert (client.session_id != "", client.durable_sequence) == (True, 0)
    assert (client.unsound_spaces(), type(client.incarnation)) == ([], str)


def test_creating_a_space_again(client: Either) -> None:
    assert client.create_space(client.space, dim=DIM).config.dim == DIM
    with pytest.raises(AlreadyExists, match=f"dimension {DIM}, not 32"):
        client.create_space(client.space, dim=32)
    with pytest.raises(InvalidInput, match="does not match"):
        client.create_space("No Name", dim=32)


def test_a_missing_space_is_an_error_that_says_what_to_do(make: Any) -> None:
    client = make(space="missing")
    for call in (
        lambda: client.submit("a", vectors_of(["a"])[0]),
        lambda: client.submit(["a"], vectors_of(["a"])),
        client.connect,
        client.space_status,
    ):
        with pytest.raises(NotFound, match="engram spaces create missing --dim N"):
            call()
    with pytest.raises(NotFound):
        client.recall(vectors_of(["a"])[0])
    with pytest.raises(NotFound):
        next(client.recall_stream(vectors_of(["a"])[0]))


def test_bad_recalls(client: Either) -> None:
    with pytest.raises(InvalidInput, match="dimension 3"):
        client.recall([1.0, 2.0, 3.0])
    with pytest.raises(InvalidInput, match="k is 0"):
        client.recall(vectors_of(["a"])[0], k=0)
    with pytest.raises(FailedPrecondition, match="no embedder"):
        client.recall("words")


def test_the_space_may_be_created_after_a_first_failure(make: Any) -> None:
    name = new_name()
    client = make(space=name)
    with pytest.raises(NotFound):
        client.submit("a", vectors_of(["a"])[0])
    client.create_space(name, dim=DIM)
    assert client.result(client.submit("a", vectors_of(["a"])[0])) == Ack(1, 1, 1, 1)


def test_nobody_there(make: Any) -> None:
    client = make("127.0.0.1:1", timeout_s=0.2)
    with pytest.raises(Unavailable, match=r"no Engram server answers at 127\.0\.0\.1:1") as caught:
        client.status()
    assert caught.value.code == "no_server"
    with pytest.raises(Unavailable):
        client.submit("a", [1.0])


def test_closing_sends_everything_and_then_refuses(client: Either, make: Any) -> None:
    futures = [client.submit(name, vectors_of([name])[0]) for name in numbered(1, 50)]
    client.close()
    assert [client.result(future).sequence for future in futures] == list(range(1, 51))
    with pytest.raises(FailedPrecondition, match="closed"):
        client.submit("a", vectors_of(["a"])[0])
    client.close()
    assert make(space=client.space).space_status().live_count == 50


def test_a_closed_client_makes_no_calls(client: Either) -> None:
    vector = vectors_of(["a"])[0]
    client.observe("a", vector)
    follow = client.recall_stream(Cue(vector, score_min=0.5), follow=True)
    next(follow)
    client.close()
    for call in (
        client.connect,
        client.flush,
        client.space_status,
        client.stats,
        client.status,
        client.spaces,
        client.unsound_spaces,
        client.snapshot,
        lambda: client.recall(vector),
        lambda: next(client.recall_stream(vector)),
        lambda: client.get("a"),
        lambda: client.delete(["a"]),
        lambda: client.create_space(client.space, dim=DIM),
        lambda: client.drop_space(client.space),
        lambda: client.rename_space(client.space, "renamed"),
        lambda: client.set_alias("current", client.space),
        lambda: client.drop_alias("current"),
        client.aliases,
        lambda: client.observe("b", vector),
        lambda: client.submit(["b"], vector[None]),
    ):
        with pytest.raises(FailedPrecondition) as caught:
            call()
        assert caught.value.code == "client_closed"
    assert getattr(transport_of(client), "_channel", None) is None


def transport_of(client: Either) -> Any:
    inner = client.client._client if isinstance(client.client, Client) else client.client
    return inner._calls.transport


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "1", 1e10])
def test_waits_that_are_no_times_are_refused(client: Either, wrong: Any) -> None:
    for wait in (client.flush, client.close):
        with pytest.raises(InvalidInput) as caught:
            wait(wrong)
        assert caught.value.field == "timeout_s"
    client.flush(0)


# HTTP has no sessions.
@pytest.mark.parametrize("transport", ["grpc", "websocket", "in-process"])
def test_a_named_session_is_continued_by_another_client(client: Either, make: Any) -> None:
    ids = numbered(1, 10)
    with_name = make(space=client.space, session_id="import-7")
    with_name.result(with_name.submit(ids, vectors_of(ids)))
    with_name.close()
    again = make(space=client.space, session_id="import-7")
    again.connect()
    assert (again.session_id, again.durable_sequence) == ("import-7", 10)
    assert again.result(again.submit("next", vectors_of(["next"])[0])).sequence == 11


def test_a_small_buffer_only_makes_observing_wait(client: Either, make: Any) -> None:
    small = make(space=client.space, limits=OutboxLimits(count_max=8, batch_count=4))
    futures = [small.submit(name, vectors_of([name])[0]) for name in numbered(1, 200)]
    assert [small.result(future).sequence for future in futures] == list(range(1, 201))


@pytest.mark.parametrize("priority", ["high", "normal", "low"])
def test_every_lane_stores(client: Either, make: Any, priority: str) -> None:
    lane = make(space=client.space, priority=priority)
    assert lane.result(lane.submit(priority, vectors_of([priority])[0])).sequence == 1


def test_an_unknown_priority_is_refused(make: Any) -> None:
    with pytest.raises(InvalidInput, match="high, normal, low"):
        make(priority="urgent")
