"""A watermark is told after the results of the commits that it passes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engram.streaming.loop.watermark_relay import WatermarkRelay


class Space:
    """Says how far it is indexed."""

    config = SimpleNamespace(name="notes")
    indexed_generation = 0

    def add_indexed_listener(self, listener: Callable[[int], None]) -> None:
        self.announce = listener


class Posts:
    """A mailbox whose deliveries the test makes, one post at a time."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Callable[[Any], None], Any]] = deque()

    def post(self, receive: Callable[[Any], None], item: Any) -> None:
        self.waiting.append((receive, item))

    def deliver(self) -> None:
        receive, item = self.waiting.popleft()
        receive(item)


@pytest.fixture
def space() -> Space:
    return Space()


@pytest.fixture
def posts() -> Posts:
    return Posts()


def test_moves_share_a_call(space: Space, posts: Posts) -> None:
    seen: list[int] = []
    WatermarkRelay(space, posts, lambda _, generation: seen.append(generation))  # type: ignore[arg-type]
    for space.indexed_generation in (1, 2, 3):
        space.announce(space.indexed_generation)
    assert len(posts.waiting) == 1
    while posts.waiting:
        posts.deliver()
    assert seen == [3, 3]


def test_a_result_that_is_posted_behind_a_call_is_followed_by_another_call(space: Space, posts: Posts) -> None:
    seen: list[object] = []
    WatermarkRelay(space, posts, lambda _, generation: seen.append(generation))  # type: ignore[arg-type]
    space.indexed_generation = 1
    space.announce(1)
    posts.post(seen.append, "the result of generation 2")
    space.indexed_generation = 2
    space.announce(2)
    while posts.waiting:
        posts.deliver()
    assert seen[-1] == 2
    assert seen.index("the result of generation 2") < len(seen) - 1


def test_a_receiver_that_fails_is_called_again(space: Space, posts: Posts) -> None:
    calls: list[int] = []

    def receive(_: str, generation: int) -> None:
        calls.append(generation)
        raise RuntimeError("once")

    WatermarkRelay(space, posts, receive)  # type: ignore[arg-type]
    for space.indexed_generation in (1, 2):
        space.announce(space.indexed_generation)
    with pytest.raises(RuntimeError):
        posts.deliver()
    with pytest.raises(RuntimeError):
        posts.deliver()
    space.indexed_generation = 3
    space.announce(3)
    with pytest.raises(RuntimeError):
        posts.deliver()
    assert calls == [2, 2, 3]
    assert not posts.waiting
