"""An adapter closes the store that it has opened, and leaves that of its caller open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import engram
from engram.errors import FailedPrecondition, InvalidInput
from engram.integrations.store_adapter import StoreAdapter, Target


class Adapter(StoreAdapter):
    """One that uses its store."""

    def names(self) -> list[str]:
        self._store.space(self._name, dim=2)
        return [space.name for space in self._store.spaces()]


@pytest.mark.parametrize("target", [None, "memories", Path("memories")], ids=["memory", "a text", "a path"])
def test_a_store_that_was_opened_here_is_closed(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Adapter(target, "notes") as adapter:
        assert "notes" in adapter.names()
    adapter.close()
    with pytest.raises(FailedPrecondition, match="closed"):
        adapter.names()
    assert (tmp_path / "memories").is_dir() == (target is not None)


def test_the_store_of_a_caller_stays_open() -> None:
    with engram.connect() as store:
        with Adapter(store, "notes") as adapter:
            assert "notes" in adapter.names()
        assert adapter.names() == [space.name for space in store.spaces()]
        assert repr(adapter) == "Adapter(MemoryStore(None), space='notes')"


async def test_an_embedded_store_for_coroutines_has_one_for_calls_that_wait() -> None:
    async with await engram.connect_async() as store:
        with Adapter(store, "notes") as adapter:
            assert "notes" in adapter.names()
        assert adapter.names() == [space.name for space in await store.spaces()]


async def test_a_store_for_coroutines_alone_is_refused_where_a_call_waits() -> None:
    async with await engram.connect_async("grpc://localhost:1") as store:
        adapter = Adapter(store, "notes")
        with pytest.raises(FailedPrecondition, match=r"pass a store of engram\.connect") as refused:
            adapter.names()
        assert (refused.value.field, refused.value.value) == ("target", "AsyncRemoteStore")
        assert repr(adapter) == f"Adapter({store!r}, space='notes')"


class Named:
    """What has the name of a space where a store has a method, as a client does."""

    space = "notes"


@pytest.mark.parametrize("wrong", [5, b"memories", Named()], ids=["a number", "bytes", "a client"])
def test_what_is_no_store_and_opens_none_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        Adapter(wrong, "notes")
    assert refused.value.code == "invalid_path"
