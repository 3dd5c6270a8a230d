"""What LangChain's own suites do not try of keys and values: many, long and wrong ones, and stores of every kind."""

from __future__ import annotations

from typing import Any

import pytest

import engram
from engram.connection import AnyStore, AsyncAnyStore
from engram.errors import EngramError
from engram.integrations.langchain import EngramByteStore
from engram.model.limits import BATCH_BYTES_MAX, ID_BYTES_MAX


@pytest.fixture
def values(store: AnyStore, space_name: str) -> EngramByteStore:
    return EngramByteStore(store, space=space_name)


def refused(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(EngramError) as error:
        call(*arguments)
    return error.value.code, error.value.field


def test_a_value_comes_back_as_it_is(values: EngramByteStore) -> None:
    long = bytes(range(256)) * 150
    given: list[Any] = [
        ("long", long),
        ("view", memoryview(b"abcd")[::2]),
        ("array", bytearray(b"\x00")),
        ("long ä", b""),
    ]
    values.mset(given)
    assert values.mget(["long", "view", "array", "long ä", "none"]) == [long, b"ac", b"\x00", b"", None]
    values.mset([("long", b"first"), ("long", b"last")])
    assert values.mget(["long"]) == [b"last"]


def test_a_prefix_means_itself(values: EngramByteStore) -> None:
    values.mset([(key, b"") for key in ("a_1", "ab1", "a%1", "A_1", "ä_1", "a_")])
    assert list(values.yield_keys(prefix="a_")) == ["a_1", "a_"]
    assert list(values.yield_keys(prefix="ä")) == ["ä_1"]
    assert list(values.yield_keys(prefix="a_1?")) == []
    assert len(list(values.yield_keys(prefix=""))) == len(list(values.yield_keys())) == 6


def test_keys_are_of_one_moment(values: EngramByteStore) -> None:
    values.mset([("a", b""), ("b", b"")])
    keys = values.yield_keys()
    assert next(keys) == "a"
    values.mdelete(["b"])
    values.mset([("c", b"")])
    assert list(keys) == ["b"]


def test_what_is_no_list_of_keys_is_refused(values: EngramByteStore) -> None:
    wrong: Any
    for wrong in ("note", b"note", None, 5):
        assert refused(values.mget, wrong) == ("not_a_list", "keys")
        assert refused(values.mdelete, wrong) == ("not_a_list", "keys")
        assert refused(values.mset, wrong) == ("not_a_list", "key_value_pairs")
    assert refused(values.mget, ["a", 5]) == ("invalid_text", "keys[1]")


def test_nothing_is_stored_of_what_is_refused(values: EngramByteStore) -> None:
    wrong: Any
    for wrong in ("ab", ("a",), ("b", "a text"), ("b", None), {"b": b""}, 5):
        assert refused(values.mset, [("a", b""), wrong]) == ("invalid_input", "key_value_pairs[1]")
    assert refused(values.mset, [("a", b""), (5, b"")]) == ("invalid_text", "key_value_pairs[1]")
    assert refused(values.mset, [("a", b""), ("k" * (ID_BYTES_MAX + 1), b"")])[0] == "id_size"
    assert refused(values.mset, [("a", b""), ("", b"")])[0] == "id_size"
    assert list(values.yield_keys()) == []


def test_a_text_that_is_no_value_is_told(store: AnyStore, values: EngramByteStore, space_name: str) -> None:
    values.mset([("a", b"a")])
    store.space(space_name).observe("b", content="The pump leaks.")
    assert values.mget(["a"]) == [b"a"]
    assert refused(values.mget, ["a", "b"]) == ("failed_precondition", "space")


def test_more_keys_than_one_call_takes(values: EngramByteStore) -> None:
    pairs = [(f"note-{number}", str(number).encode()) for number in range(10_001)]
    values.mset(pairs)
    keys = [key for key, _ in pairs]
    assert list(values.yield_keys(prefix="note-")) == keys
    assert values.mget(keys) == [value for _, value in pairs]
    values.mdelete([*keys, "unknown"])
    assert list(values.yield_keys()) == []


def long_pairs() -> list[tuple[str, bytes]]:
    """Pairs with long values, which have more bytes together than one batch may have."""
    # As text, a value has a third more.
    size = 49_152
    return [(f"note-{number}", number.to_bytes(size, "big")) for number in range(BATCH_BYTES_MAX * 3 // 4 // size + 1)]


def test_more_bytes_than_one_call_takes(values: EngramByteStore) -> None:
    pairs = long_pairs()
    values.mset(pairs)
    assert values.mget([key for key, _ in pairs[::64]]) == [value for _, value in pairs[::64]]


async def test_more_bytes_than_one_call_of_a_coroutine_takes(async_store: AsyncAnyStore, space_name: str) -> None:
    values = EngramByteStore(async_store, space=space_name)
    pairs = long_pairs()
    await values.amset(pairs)
    assert await values.amget([key for key, _ in pairs[::64]]) == [value for _, value in pairs[::64]]


async def test_coroutines_of_any_store(store: AnyStore, space_name: str) -> None:
    values = EngramByteStore(store, space=space_name)
    await values.amset([(f"a{number}", b"1") for number in range(1_500)])
    await values.amset([("b", b"2")])
    assert len([key async for key in values.ayield_keys(prefix="a")]) == 1_500
    await values.amdelete(["a0"])
    assert await values.amget(["a0", "a1", "b"]) == [None, b"1", b"2"]


async def test_blocking_calls_of_a_store_for_coroutines(address: str | None, space_name: str) -> None:
    async with await engram.connect_async(address) as store:
        values = EngramByteStore(store, space=space_name)
        await values.amset([("a", b"1")])
        if address is None:
            assert values.mget(["a"]) == [b"1"]
        else:
            # It belongs to the event loop, which a blocking call would keep from running.
            assert refused(values.mget, ["a"]) == ("failed_precondition", "target")


def test_values_expire(store: AnyStore, space_name: str) -> None:
    EngramByteStore(store, space=space_name, ttl=0).mset([("a", b"1")])
    EngramByteStore(store, space=space_name, ttl=3600).mset([("b", b"2")])
    assert EngramByteStore(store, space=space_name).mget(["a", "b"]) == [None, b"2"]
