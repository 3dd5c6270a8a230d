"""The process starts itself over once, with the allocator set up."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys

import pytest

from engram.server.process_tuning import ALLOCATOR, MemoryReturn, settled_objects, tune_interpreter

SCRIPT = """
import json, os, sys
from engram.server.process_tuning import tune_allocator
started = os.environ.setdefault("STARTED_AS", str(os.getpid()))
tune_allocator()
settings = {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")}
print(json.dumps({"same": started == str(os.getpid()), "settings": settings, "arguments": sys.argv[1:]}))
"""


def run(**environment: str) -> dict[str, object]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, "one", "two words"],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    (line,) = ended.stdout.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_the_process_starts_over_once_and_keeps_id_and_arguments() -> None:
    found = run()
    assert found["settings"] == ALLOCATOR
    assert found["same"]
    assert found["arguments"] == ["one", "two words"]


def test_what_the_user_has_set_is_respected() -> None:
    settings = run(MALLOC_ARENA_MAX="7")["settings"]
    assert settings == {**ALLOCATOR, "MALLOC_ARENA_MAX": "7"}


def test_waiting_threads_get_the_interpreter_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[float] = []
    monkeypatch.setattr(sys, "setswitchinterval", chosen.append)
    tune_interpreter()
    assert chosen == [0.0005]


def test_what_is_there_for_good_is_not_looked_through_meanwhile() -> None:
    with settled_objects():
        assert gc.get_freeze_count() > len(gc.get_objects())
    assert gc.get_freeze_count() == 0


def test_memory_is_given_back_once_a_burst_is_over() -> None:
    resident, trimmed = [100 << 20], [0]

    def trim() -> None:
        trimmed[0] += 1
        resident[0] = min(resident[0], 130 << 20)

    memory = MemoryReturn(lambda: 0, lambda: resident[0], trim)
    for size, held, trims in (
        (120 << 20, 0, 0),
        (120 << 20, 0, 0),
        (900 << 20, 500 << 20, 0),
        (900 << 20, 0, 0),
        # A few times, and each time only after a while without much under way.
        *((900 << 20, 0, 1), (130 << 20, 500 << 20, 1), (130 << 20, 0, 1), (130 << 20, 0, 2)),
        *((130 << 20, 0, 2), (130 << 20, 0, 3), (130 << 20, 0, 3), (130 << 20, 0, 4)),
        # What is left is in use, and not asked for again.
        *((130 << 20, 0, 4), (150 << 20, 0, 4), (150 << 20, 0, 4), (150 << 20, 0, 4)),
        (170 << 20, 0, 5),
    ):
        resident[0] = size
        memory.look(held)
        assert trimmed[0] == trims


def test_memory_that_was_given_back_otherwise_is_not_kept_by_the_next_burst() -> None:
    resident, trimmed = [900 << 20], [0]

    def trim() -> None:
        trimmed[0] += 1
        resident[0] = 100 << 20

    memory = MemoryReturn(lambda: 0, lambda: resident[0], trim)
    # As after many spaces have come to rest.
    for size in (100 << 20, 200 << 20, 200 << 20):
        resident[0] = size
        memory.look(0)
    assert trimmed[0] == 1


def test_what_comes_to_be_stored_is_no_burst() -> None:
    resident, stored, trims = [100 << 20], [10 << 20], list[int]()

    def trim() -> None:
        trims.append(resident[0])
        resident[0] = stored[0] + (100 << 20)

    memory = MemoryReturn(lambda: stored[0], lambda: resident[0], trim)
    for _ in range(20):
        resident[0] += 40 << 20
        stored[0] += 40 << 20
        memory.look(0)
    assert trims == []
    # Beside what came to be stored, as much is held by nobody as is worth the trouble.
    resident[0] += 60 << 20
    stored[0] += 20 << 20
    memory.look(0)
    assert trims == [960 << 20]
    # What is stored no more, such as by a space that came to rest, is given back with the next burst.
    stored[0] -= 500 << 20
    resident[0] += 40 << 20
    for _ in range(10):
        memory.look(0)
    assert resident == [stored[0] + (100 << 20)]
