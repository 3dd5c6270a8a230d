"""What LangChain's own suites do not try of caches: whole chat models, and entries that somebody else has written."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, ToolCall
from langchain_core.outputs import ChatGeneration, Generation

from engram.connection import AnyStore, AsyncAnyStore
from engram.integrations.langchain import EngramCache
from engram.model.limits import CONTENT_BYTES_DEFAULT

LIKE_AN_OBJECT = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"], "kwargs": {}}
PROMPT_TEMPLATE = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
    "kwargs": {"input_variables": [], "template": "a prompt"},
}
OF_THE_ENVIRONMENT = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "schema", "output", "Generation"],
    "kwargs": {"text": "x", "generation_info": {"key": {"lc": 1, "type": "secret", "id": ["ENGRAM_TEST_SECRET"]}}},
}


@pytest.fixture
def cache(store: AnyStore, space_name: str) -> EngramCache:
    return EngramCache(store, space=space_name)


def model_with(cache: EngramCache) -> FakeListChatModel:
    return FakeListChatModel(responses=["one", "two", "three"], cache=cache)


def test_a_chat_model_answers_once(cache: EngramCache) -> None:
    model = model_with(cache)
    assert [model.invoke(prompt).content for prompt in ("a", "a", "b", "a")] == ["one", "one", "two", "one"]
    cache.clear()
    assert model.invoke("a").content == "three"


async def test_a_chat_model_answers_once_in_coroutines(async_store: AsyncAnyStore, space_name: str) -> None:
    model = model_with(EngramCache(async_store, space=space_name))
    assert [(await model.ainvoke(prompt)).content for prompt in ("a", "a", "b")] == ["one", "one", "two"]


async def test_coroutines_of_any_store(cache: EngramCache) -> None:
    await cache.aupdate("prompt", "model", [Generation(text="x")])
    assert await cache.alookup("prompt", "model") == [Generation(text="x")]
    await cache.aclear()
    assert await cache.alookup("prompt", "model") is None


def test_an_answer_is_kept_whole(cache: EngramCache) -> None:
    message = AIMessage(
        content=[{"type": "text", "text": "the pump 記"}],
        tool_calls=[ToolCall(name="look", args={"deck": 2}, id="call-1")],
        response_metadata={"logprobs": [-0.5, float("-inf")]},
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    )
    answer = [ChatGeneration(message=message), Generation(text="", generation_info={"object": LIKE_AN_OBJECT})]
    cache.update("prompt", "model", answer)
    assert cache.lookup("prompt", "model") == answer
    cache.update("prompt", "model", [])
    assert cache.lookup("prompt", "model") == []


def test_prompts_and_models_are_told_apart(cache: EngramCache) -> None:
    cache.update("a", "bc", [Generation(text="x")])
    assert cache.lookup("ab", "c") is None
    assert cache.lookup("bc", "a") is None
    long = "\ud800" * 100_000
    cache.update(long, long, [Generation(text="y")])
    assert cache.lookup(long, long) == [Generation(text="y")]


@pytest.mark.parametrize(
    "planted",
    [
        "The pump leaks.",
        "[" * 50_000,
        json.dumps("a text"),
        json.dumps(["a text"]),
        json.dumps({"a": 1}),
        json.dumps([PROMPT_TEMPLATE]),
        json.dumps([{**OF_THE_ENVIRONMENT, "kwargs": {"text": PROMPT_TEMPLATE}}]),
        json.dumps([{**OF_THE_ENVIRONMENT, "kwargs": {}}]),
        json.dumps([{**OF_THE_ENVIRONMENT, "kwargs": 5}]),
        json.dumps([{**OF_THE_ENVIRONMENT, "id": [["os"], "system"]}]),
        json.dumps([{**OF_THE_ENVIRONMENT, "id": []}]),
    ],
    ids=lambda planted: planted[:40],
)
def test_an_entry_of_somebody_else_is_missing(
    planted: str, store: AnyStore, cache: EngramCache, space_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache.update("prompt", "model", [Generation(text="x")])
    space = store.space(space_name)
    (entry,) = list(space.scan())
    space.observe(entry.id, content=planted)
    with caplog.at_level(logging.WARNING, "engram.integrations.langchain"):
        assert cache.lookup("prompt", "model") is None
    (line,) = [each.getMessage() for each in caplog.records if each.name.startswith("engram.integrations")]
    assert "counts as missing" in line
    # The log does not tell what was stored.
    assert planted not in line


def test_an_entry_reads_no_secret_of_the_environment(
    store: AnyStore, cache: EngramCache, space_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGRAM_TEST_SECRET", "a secret")
    cache.update("prompt", "model", [Generation(text="x")])
    space = store.space(space_name)
    (entry,) = list(space.scan())
    space.observe(entry.id, content=json.dumps([OF_THE_ENVIRONMENT]))
    assert cache.lookup("prompt", "model") == [Generation(text="x", generation_info={"key": None})]


def test_what_json_does_not_have_is_missing(cache: EngramCache) -> None:
    cache.update("prompt", "model", [Generation(text="x", generation_info={"when": datetime(2025, 1, 31, tzinfo=UTC)})])
    assert cache.lookup("prompt", "model") is None


def test_an_answer_that_is_too_long_is_told_and_not_kept(cache: EngramCache, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "engram.integrations.langchain"):
        cache.update("prompt", "model", [Generation(text="x" * CONTENT_BYTES_DEFAULT)])
    assert cache.lookup("prompt", "model") is None
    assert any("is not cached" in each.getMessage() for each in caplog.records)
    model = FakeListChatModel(responses=["x" * CONTENT_BYTES_DEFAULT, "short"], cache=cache)
    assert len(model.invoke("a").content) == CONTENT_BYTES_DEFAULT
    assert [model.invoke("a").content for _ in range(2)] == ["short", "short"]


def test_answers_expire(store: AnyStore, space_name: str) -> None:
    for ttl, expected in ((0, None), (3600, [Generation(text="x")])):
        cache = EngramCache(store, space=space_name, ttl=ttl)
        cache.update("prompt", "model", [Generation(text="x")])
        assert cache.lookup("prompt", "model") == expected
