"""When to look again at how far a graph is, and when to give up."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput, Unavailable
from engram.model.waiting.index_wait import IndexWait


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [100.0]
    monkeypatch.setattr("engram.model.waiting.index_wait.monotonic", lambda: now[0])
    return now


def test_it_ends_once_everything_is_linked() -> None:
    wait = IndexWait(None, newest=7, timeout_s=None)
    assert wait.generation == 7
    assert wait.next_s(6) is not None
    assert wait.next_s(7) is None
    assert IndexWait(0, newest=7, timeout_s=0).next_s(0) is None
    assert IndexWait(3, newest=7, timeout_s=0).next_s(5) is None


def test_the_looks_become_rarer(now: list[float]) -> None:
    wait = IndexWait(1, newest=1, timeout_s=None)
    delays = [wait.next_s(0) or 0.0 for _ in range(20)]
    assert (delays[0], delays[-1]) == (0.001, 0.1)
    assert delays == sorted(delays)


def test_it_does_not_wait_longer_than_it_may(now: list[float]) -> None:
    wait = IndexWait(5, newest=5, timeout_s=2)
    now[0] += 1.9995
    assert wait.next_s(3) == pytest.approx(0.0005)
    now[0] += 1
    with pytest.raises(Unavailable) as late:
        wait.next_s(3)
    assert (late.value.code, late.value.field, late.value.value) == ("index_timeout", "timeout_s", "3")
    assert wait.next_s(5) is None


@pytest.mark.parametrize(
    ("generation", "timeout_s", "code", "field"),
    [
        (-1, 1, "invalid_generation", "generation"),
        (8, 1, "invalid_generation", "generation"),
        ("1", 1, "invalid_generation", "generation"),
        (1.0, 1, "invalid_generation", "generation"),
        (1, -1, "invalid_option", "timeout_s"),
        (1, "soon", "invalid_option", "timeout_s"),
    ],
)
def test_what_is_no_wait_is_refused(generation: Any, timeout_s: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        IndexWait(generation, 7, timeout_s)
    assert (refused.value.code, refused.value.field) == (code, field)
