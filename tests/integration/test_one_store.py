"""A store behaves the same wherever it is: a directory, the memory of this process, or a server over any transport."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engram
from engram.connection.async_memory_store import AsyncMemoryStore
from engram.connection.async_remote_store import AsyncRemoteStore
from engram.connection.remote_store import RemoteStore
from engram.errors import AlreadyExists, EngramError, FailedPrecondition, InvalidInput, NotFound, Unavailable
from tests.doubles.batches import vector_of as vector_of_dim
from tests.doubles.http_transport import SCHEME
from tests.integration.homes import Blocking, over_http
from tests.integration.server_process import DIM, TIMEOUT_S

PLACES = ("directory", "memory", "ws", "http", "grpc", SCHEME)
STORES = (engram.MemoryStore, AsyncMemoryStore, RemoteStore, AsyncRemoteStore)


@pytest.fixture
def numbered(request: pytest.FixtureRequest) -> str:
    """A name of a space that no other test has."""
    return f"store-{abs(hash(request.node.nodeid)) % 10**12}"


@pytest.fixture(params=PLACES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "directory":
        return tmp_path / "store"
    if request.param == "memory":
        return None
    server = request.getfixturevalue("server")
    return {
        "ws": server.base_url,
        "http": server.base_url.replace("ws://", "http://"),
        "grpc": f"grpc://{server.address}",
        SCHEME: over_http(server),
    }[request.param]


class BlockingStore(Blocking):
    """A store for coroutines, for tests that wait. Spaces are wrapped, the same space in the same object."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any) -> None:
        super().__init__(loop, inner)
        self._wrapped: dict[int, tuple[Any, Blocking]] = {}

    def space(self, *arguments: Any, **keywords: Any) -> Any:
        return self._face(self._loop.run_until_complete(self._inner.space(*arguments, **keywords)))

    def spaces(self) -> list[Any]:
        return [self._face(each) for each in self._loop.run_until_complete(self._inner.spaces())]

    def _face(self, space: Any) -> Blocking:
        return self._wrapped.setdefault(id(space), (space, Blocking(self._loop, space)))[1]


@pytest.fixture(params=["blocking", "asynchronous"])
def store(request: pytest.FixtureRequest, target: Any) -> Iterator[Any]:
    if request.param == "blocking":
        with engram.connect(target) as store:
            yield store
        return
    with asyncio.Runner() as runner:
        inner = runner.run(engram.connect_async(target))
        yield BlockingStore(runner.get_loop(), inner)
        runner.run(inner.close())


def vector_of(id: str) -> Any:
    return vector_of_dim(id, dim=DIM)


@pytest.mark.parametrize("name", ["space", "spaces", "close"])
def test_stores_have_the_same_arguments(name: str) -> None:
    shapes = [
        [(one.name, one.kind, one.default) for one in inspect.signature(getattr(store, name)).parameters.values()]
        for store in STORES
    ]
    assert shapes == shapes[:1] * len(STORES)


def test_a_space_is_made_and_used(store: Any, numbered: str) -> None:
    space = store.space(numbered, dim=DIM, metric="ip")
    assert space.name == numbered
    assert space.observe("a", vector_of("a"), "a text") == 1
    assert [hit.id for hit in space.recall(vector_of("a"), k=3)] == ["a"]
    assert space.get("a").content == "a text"
    assert space.delete(["a"]) == 1


def test_the_same_name_gives_the_same_object(store: Any, numbered: str) -> None:
    space = store.space(numbered, DIM)
    assert store.space(numbered) is space
    assert store.space(numbered, dim=DIM, metric="cosine", embedder="", vectors="required") is space
    assert store.space(numbered, create=False) is space


def test_observations_without_vectors_and_a_time_to_live_are_settings(store: Any, numbered: str) -> None:
    space = store.space(numbered, DIM, vectors="optional", ttl=3600)
    assert store.space(numbered, vectors="optional", ttl=timedelta(hours=1)) is space
    assert space.observe("a", None, "a text") == 1
    assert space.get("a").expires_us is not None


def test_every_space_is_listed_by_name(store: Any, numbered: str) -> None:
    space = store.space(numbered, dim=DIM)
    found = store.spaces()
    names = [each.name for each in found]
    assert names == sorted(names)
    assert found[names.index(numbered)] is space


def test_the_default_space_is_there(store: Any) -> None:
    assert store.space().name == "default"
    assert store.space("default", create=False) is store.space()


def test_a_dropped_default_space_is_made_anew_only_where_it_may_be(store: Any) -> None:
    store.space()
    store.drop("default")
    assert code_of(lambda: store.space("default", create=False)) == "unknown_space"
    assert code_of(lambda: store.space(dim=DIM, create=False)) == "unknown_space"
    assert "default" not in [each.name for each in store.spaces()]
    # With the dimension of the server's, for the tests to come.
    assert store.space(dim=DIM).name == "default"


def test_other_settings_are_refused(store: Any, numbered: str) -> None:
    store.space(numbered, dim=DIM)
    others: list[tuple[str, str, Any]] = [("dimension", "dim", DIM + 1), ("metric", "metric", "l2")]
    others += [("vectors", "vectors", "optional"), ("ttl_s", "ttl", 60)]
    for field, setting, value in others:
        with pytest.raises(AlreadyExists) as refusal:
            store.space(numbered, **{setting: value})
        assert (refusal.value.code, refusal.value.field) == ("space_exists", field)


def test_a_space_that_is_not_there_is_not_made_unasked(store: Any, numbered: str) -> None:
    with pytest.raises(NotFound):
        store.space(numbered, create=False)
    assert numbered not in [each.name for each in store.spaces()]


def test_a_misspelt_name_makes_nothing_and_the_nearest_is_offered(store: Any, numbered: str) -> None:
    made, misspelt = store.space(numbered, dim=DIM), f"{numbered}x"
    made.observe("a", vector_of("a"))
    for keywords, advice in (({}, "? Pass a setting, such as dim=384, to make one"), ({"create": False}, "?")):
        with pytest.raises(NotFound) as refusal:
            store.space(misspelt, **keywords)
        assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("unknown_space", "space", misspelt)
        assert refusal.value.message.endswith(f"did you mean '{numbered}'{advice}")
    assert code_of(lambda: store.space(misspelt, dim=DIM, create=False)) == "unknown_space"
    assert misspelt not in [each.name for each in store.spaces()]
    assert store.space(numbered) is made


@pytest.mark.parametrize(
    "settings",
    [{"dim": 4}, {"metric": "l2"}, {"embedder": "lexical"}, {"vectors": "none"}, {"ttl": 60}, {"ttl": math.inf}],
    ids=str,
)
def test_a_setting_makes_a_space(store: Any, numbered: str, settings: Any) -> None:
    assert store.space(numbered, **settings) is store.space(numbered)


def test_a_space_is_made_with_the_defaults_by_whoever_says_so(store: Any, numbered: str) -> None:
    made = store.space(numbered, create=True)
    assert store.space(numbered, dim=768, metric="cosine", embedder="", vectors="required") is made


@pytest.mark.parametrize(
    ("arguments", "field"),
    [(("No Name",), "memory_space_id"), ((3,), "memory_space_id"), (("bad-dim", 4097), "dimension")],
)
def test_bad_arguments_are_named_alike(store: Any, arguments: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        store.space(*arguments)
    assert refusal.value.field == field


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(EngramError) as refusal:
        call()
    return refusal.value.code


def test_a_space_is_dropped_with_its_aliases(store: Any, numbered: str) -> None:
    space = store.space(numbered, dim=DIM)
    space.observe("a", vector_of("a"), "a text")
    store.alias(f"{numbered}-alias", numbered)
    dropped = store.drop(numbered)
    assert (dropped.space, dropped.aliases) == (numbered, (f"{numbered}-alias",))
    assert numbered not in [each.name for each in store.spaces()]
    assert code_of(lambda: space.get("a")) == "space_dropped"
    assert code_of(lambda: space.observe("b", vector_of("b"))) == "space_dropped"
    assert code_of(lambda: store.space(numbered, create=False)) == "unknown_space"
    assert code_of(lambda: store.drop(numbered)) == "unknown_space"
    again = store.space(numbered, dim=DIM + 1)
    assert again is not space
    assert again.get("a") is None
    assert code_of(lambda: space.get("a")) == "space_dropped"


def test_a_space_is_renamed(store: Any, numbered: str) -> None:
    space, new = store.space(numbered, dim=DIM), f"{numbered}-new"
    space.observe("a", vector_of("a"), "a text")
    store.alias(f"{numbered}-alias", numbered)
    store.rename(numbered, new)
    with pytest.raises(FailedPrecondition) as refusal:
        space.get("a")
    assert (refusal.value.code, refusal.value.limit) == ("space_renamed", new)
    assert store.space(new, create=False).get("a").content == "a text"
    assert store.space(f"{numbered}-alias") is store.space(new)
    assert code_of(lambda: store.space(numbered, create=False)) == "unknown_space"
    assert code_of(lambda: store.rename(new, new)) == "name_taken"
    assert code_of(lambda: store.rename(new, f"{numbered}-alias")) == "name_taken"
    assert code_of(lambda: store.rename(f"{numbered}-alias", numbered)) == "is_alias"


def test_an_alias_is_moved_from_space_to_space(store: Any, numbered: str) -> None:
    first, second = (store.space(f"{numbered}-{number}", dim=DIM) for number in (1, 2))
    store.alias(numbered, first.name)
    through = store.space(numbered)
    assert through is first
    store.alias(numbered, second.name)
    assert store.space(numbered, create=False) is second
    assert store.aliases()[numbered] == second.name
    # Whoever has opened it stays.
    through.observe("a", vector_of("a"))
    assert (first.get("a") is None, second.get("a") is None) == (False, True)
    assert code_of(lambda: store.alias(first.name, second.name)) == "name_taken"
    assert code_of(lambda: store.drop(numbered)) == "is_alias"
    store.drop_alias(numbered)
    assert numbered not in store.aliases()
    assert code_of(lambda: store.drop_alias(numbered)) == "unknown_alias"
    assert second.get("a") is None


def test_the_nearest_name_is_offered(store: Any, numbered: str) -> None:
    store.space(numbered, dim=DIM)
    for call in (store.drop, lambda name: store.rename(name, f"{numbered}-new")):
        with pytest.raises(NotFound, match=f"did you mean '{numbered}'") as refusal:
            call(f"{numbered}x")
        assert (refusal.value.code, refusal.value.value) == ("unknown_space", f"{numbered}x")


@pytest.mark.parametrize("name", ["No Name", 3, "", "a/b", "n" * 65])
def test_names_that_cannot_be_are_named_alike(store: Any, numbered: str, name: Any) -> None:
    store.space(numbered, dim=DIM)
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: store.drop(name), "space"),
        (lambda: store.rename(name, "renamed"), "old"),
        (lambda: store.rename(numbered, name), "new"),
        (lambda: store.alias(name, numbered), "alias"),
        (lambda: store.alias("an-alias", name), "space"),
        (lambda: store.drop_alias(name), "alias"),
    ]
    for call, field in calls:
        with pytest.raises(InvalidInput) as refusal:
            call()
        assert (refusal.value.code, refusal.value.field) == ("invalid_space_name", field)


def test_a_closed_store_has_no_names(store: Any) -> None:
    store.close()
    for call in (
        lambda: store.drop("notes"),
        lambda: store.rename("notes", "renamed"),
        lambda: store.alias("current", "notes"),
        store.aliases,
        lambda: store.drop_alias("current"),
    ):
        assert code_of(call) == "closed"


def test_a_closed_store_has_no_spaces(store: Any) -> None:
    store.space()
    store.close()
    store.close()
    with pytest.raises(FailedPrecondition) as refusal:
        store.space("another", dim=DIM)
    assert refusal.value.code == "closed"


def test_a_store_says_in_one_line_what_it_is(store: Any, target: Any) -> None:
    assert "\n" not in repr(store)
    assert repr(store).endswith("(None)" if target is None else f"({str(target)!r})")


async def test_an_embedded_space_does_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    async with await engram.connect_async(tmp_path / "store") as store:
        space = await store.space("notes", dim=DIM)
        answers = await asyncio.gather(*(space.observe(f"id-{n}", vector_of(f"id-{n}")) for n in range(50)))
        assert sorted(int(ack) for ack in answers) == list(range(1, 51))
    async with await engram.connect_async(tmp_path / "store") as store:
        assert (await (await store.space("notes")).stats()).live_count == 50


async def test_standing_recalls_of_an_embedded_space_wait_beside_other_work() -> None:
    """There are more of them than threads for other work; each ends when it is closed or cancelled."""
    cue = engram.Cue(vector_of("a"), score_min=0.5)
    async with await engram.connect_async() as store:
        space = await store.space("notes", dim=DIM)
        streams = [space.recall_stream(cue, follow=True) for _ in range(40)]
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
        # They have begun, so that they see what comes.
        async with asyncio.timeout(TIMEOUT_S):
            while (await space.stats()).metrics.value("engram_streaming_standing_cues") < 40:
                pass
        await space.observe("a", vector_of("a"))
        async with asyncio.timeout(TIMEOUT_S):
            assert {hits[0].id for hits in await asyncio.gather(*waiting)} == {"a"}
        again = asyncio.ensure_future(anext(streams[0]))
        await asyncio.sleep(0)
        again.cancel()
        with pytest.raises(asyncio.CancelledError):
            await again
        for stream in streams[1:]:
            await stream.aclose()


@pytest.mark.parametrize(
    "target",
    ["localhost:7432", "[::1]:50051", "127.0.0.1:80", "unix:/tmp/socket", "ftp://localhost:1", "file:///tmp/store"],
)
def test_what_may_be_either_is_refused_with_both_forms(target: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        engram.connect(target)
    assert (refusal.value.code, refusal.value.field) == ("invalid_address", "target")
    assert "://" in refusal.value.message


async def test_a_directory_is_opened_again_for_coroutines(tmp_path: Path) -> None:
    first = await engram.connect_async(tmp_path / "store")
    second = await engram.connect_async(str(tmp_path / "store"))
    await (await first.space("notes", dim=DIM)).observe("a", np.ones(DIM))
    await first.close()
    # Each is closed for itself, and the last one closes the store.
    space = await second.space("notes", create=False)
    assert await space.get("a") is not None
    assert await space.observe("b", np.ones(DIM)) == 2
    await second.close()
    with pytest.raises(FailedPrecondition) as refusal:
        await space.observe("c", np.ones(DIM))
    assert refusal.value.code == "closed"


@pytest.mark.parametrize("target", ["", 5, b"folder", ["folder"]])
def test_what_is_no_target_is_refused(target: Any) -> None:
    with pytest.raises(InvalidInput):
        engram.connect(target)


@pytest.mark.parametrize("argument", [{"metadata": {"a": "b"}}, {"timeout_s": 1.0}])
def test_what_applies_to_servers_is_refused_for_a_directory(argument: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        engram.connect(tmp_path / "store", **argument)
    assert refusal.value.field == next(iter(argument))
    assert not (tmp_path / "store").exists()


def test_a_directory_is_opened_again(tmp_path: Path) -> None:
    with engram.connect(str(tmp_path / "store")) as store:
        store.space("notes", dim=DIM).observe("a", np.ones(DIM))
        with engram.connect(tmp_path / "store") as again:
            assert again.space("notes").get("a") is not None
        store.space("notes").observe("b", np.ones(DIM))


@pytest.mark.parametrize("target", ["ws://127.0.0.1:1", "grpc://127.0.0.1:1"])
def test_a_server_that_is_not_there_is_named_at_the_first_call(target: str) -> None:
    with engram.connect(target, timeout_s=0.2) as store, pytest.raises(Unavailable) as failure:
        store.space()
    assert failure.value.code == "no_server"
