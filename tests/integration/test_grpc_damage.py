"""Damage under a running server, and servers over directories that are damaged: named, counted, never served."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.client import Client
from engram.errors import CorruptData, EngramError, NewerFormat
from engram.model.hit import Hits
from engram.model.spaces import DEFAULT_SPACE
from engram.store import Cue, MemoryStore
from tests.doubles.damaged import SPACE, flip, flip_stored, logs_of
from tests.integration.server_process import TIMEOUT_S, ServerProcess, vectors_of

# Longer than a sector: damage in the middle of a vector harms nothing else of its observation.
DIM = 256
NAMES = ("default", SPACE, "other")
NAMED = r"space notes: log/\d+\.log is damaged at offset \d+ \(generation 2\): its bytes do not fit their checksum"


def cue(id: str) -> NDArray[np.float32]:
    vector: NDArray[np.float32] = vectors_of([id], DIM)[0]
    return vector


def fill(client: Client) -> None:
    for id in "abc":
        # A record each, so that each has sectors of its own.
        client.submit(id, cue(id), f"text of {id}").result(TIMEOUT_S)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three spaces with three observations each, closed cleanly."""
    with MemoryStore(tmp_path / "data") as store:
        for name in NAMES:
            space = store.space(name, dim=DIM)
            for id in "abc":
                space.observe([id], [cue(id)], [f"text of {id}"])
    return tmp_path / "data"


@pytest.fixture
def running(data: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(data)
    yield server
    server.stop_soundly()


def connected(server: ServerProcess, space: str = SPACE) -> Client:
    return Client(server.address, space=space, timeout_s=TIMEOUT_S)


def ids(hits: Hits) -> list[str]:
    return sorted(hit.id for hit in hits)


def engram(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engram", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def test_damage_under_a_running_server_is_named_skipped_shown_and_stops_nothing_else(
    running: ServerProcess, data: Path
) -> None:
    with connected(running) as client, connected(running, "other") as other:
        assert client.status().damaged_count == 0
        file, offset = flip_stored(data, cue("b").tobytes())
        with pytest.raises(CorruptData, match=NAMED) as refused:
            client.recall(cue("a"))
        assert (refused.value.field, int(refused.value.value)) == (f"log/{file.name}", offset // 512 * 512)
        with pytest.raises(CorruptData, match=NAMED):
            list(client.recall_stream(cue("a"), batch_size=1))

        hits = client.recall(cue("a"), skip_damaged=True)
        assert (ids(hits), hits.incomplete, hits.generation) == (["a", "c"], True, 3)
        batches = list(client.recall_stream(cue("a"), batch_size=1, skip_damaged=True))
        assert sorted(hit.id for batch in batches for hit in batch) == ["a", "c"]
        assert batches[-1].incomplete

        client.submit("d", cue("d"), "text of d").result(TIMEOUT_S)
        assert ids(client.recall(cue("d"), skip_damaged=True)) == ["a", "c", "d"]
        assert (ids(other.recall(cue("a"))), other.recall(cue("a")).incomplete) == (["a", "b", "c"], False)

        status = client.status()
        (damage,) = status.damages
        assert (damage.space, damage.file, damage.first_generation, damage.last_generation) == (
            SPACE,
            f"log/{file.name}",
            2,
            2,
        )
        assert status.damaged_count == 1
        assert {space.name: space.damaged_count for space in status.spaces} == {"default": 0, SPACE: 1, "other": 0}
        assert not status.unsound_spaces


def test_an_answer_of_nothing_but_damage_says_so(running: ServerProcess, data: Path) -> None:
    with connected(running) as client:
        for id in "abc":
            flip_stored(data, cue(id).tobytes())
        hits = client.recall(cue("a"), skip_damaged=True)
        assert (list(hits), hits.incomplete) == ([], True)
        assert [(list(batch), batch.incomplete) for batch in client.recall_stream(cue("a"), skip_damaged=True)] == [
            ([], True)
        ]


def test_followers_of_what_is_sound_miss_nothing(running: ServerProcess, data: Path) -> None:
    near = Cue(cue("n"), score_min=0.9)
    with connected(running) as client:
        following = client.recall_stream(near, follow=True)
        client.submit("n1", cue("n"), "text of n1").result(TIMEOUT_S)
        assert ids(next(following)) == ["n1"]
        flip_stored(data, cue("b").tobytes())
        client.submit("n2", cue("n"), "text of n2").result(TIMEOUT_S)
        assert ids(next(following)) == ["n2"]
        # Whoever begins in the past comes by the damage, after what was there before.
        past = client.recall_stream(Cue(cue("a"), score_min=-1.0), max_generation=1, follow=True)
        assert ids(next(past)) == ["a"]
        with pytest.raises(CorruptData, match=NAMED):
            next(past)
        lenient = client.recall_stream(Cue(cue("a"), score_min=-1.0), max_generation=1, follow=True, skip_damaged=True)
        assert ids(next(lenient)) == ["a"]
        batch = next(lenient)
        assert batch.incomplete
        assert "b" not in ids(batch)
        for stream in (following, past, lenient):
            stream.close()  # type: ignore[attr-defined]  # It is a generator.


def harm_log(data: Path, name: str) -> None:
    """Remove acknowledged data, which something else proves."""
    logs_of(data, name)[0].unlink()


def harm_description(data: Path, name: str) -> None:
    flip(data / "spaces" / name / "space.json", Random(name).randrange(5, 40))


@pytest.mark.parametrize("harm", [harm_log, harm_description])
@pytest.mark.parametrize("names", [("default",), (SPACE,), NAMES], ids=["default", "another", "all"])
def test_a_server_starts_with_every_space_that_is_sound(data: Path, names: tuple[str, ...], harm: object) -> None:
    assert callable(harm)
    for name in names:
        harm(data, name)
    server = ServerProcess(data)
    with connected(server, names[0]) as client:
        status = client.status()
        assert [space.name for space in status.unsound_spaces] == sorted(names)
        assert [space.name for space in client.spaces()] == sorted(set(NAMES) - set(names))
        assert client.unsound_spaces() == list(status.unsound_spaces)
        unsound = status.unsound_spaces[0]
        calls = (
            client.space_status,
            lambda: client.recall(cue("a")),
            lambda: list(client.recall_stream(cue("a"))),
            lambda: client.delete(["a"]),
            lambda: client.create_space(names[0], DIM),
            lambda: client.submit("a", cue("a")).result(TIMEOUT_S),
        )
        for call in calls:
            with pytest.raises(CorruptData) as refused:
                call()
            assert (refused.value.code, refused.value.message) == (unsound.code, unsound.message)
        for name in set(NAMES) - set(names):
            with connected(server, name) as other:
                other.submit("d", cue("d"), "text of d").result(TIMEOUT_S)
                assert ids(other.recall(cue("a"))) == ["a", "b", "c", "d"]
    shown = engram("status", "--address", server.address)
    assert shown.returncode == 4, shown.stderr
    assert all(name in shown.stdout for name in names)
    assert "engram repair" in shown.stdout
    listed = engram("spaces", "--address", server.address, "--json")
    assert sorted(space["name"] for space in json.loads(listed.stdout) if "error" in space) == sorted(names)
    assert server.stop() == 0, server.log()
    log = server.log()
    assert "Traceback" not in log, log
    for name in names:
        assert log.count(f"space {name} is not served") == 1, log


def test_a_server_starts_without_its_list_of_spaces(data: Path) -> None:
    (data / "store.json").write_bytes(b"\0" * 100)
    flip(data / "spaces" / "other" / "space.json", 10)
    server = ServerProcess(data)
    with connected(server) as client:
        status = client.status()
        assert [damage.file for damage in status.damages] == ["store.json"]
        assert [space.name for space in status.unsound_spaces] == ["other"]
        assert ids(client.recall(cue("a"))) == ["a", "b", "c"]
    server.stop_soundly()


@pytest.mark.parametrize("program", [["engram", "serve"], ["engram.server"]], ids=" ".join)
def test_a_directory_of_a_newer_version_is_refused_in_one_line(data: Path, program: list[str]) -> None:
    content = json.loads((data / "store.json").read_text())
    (data / "store.json").write_text(json.dumps({**content, "format": 3, "needs": "0.9.0", "crc32c": None}))
    ended = subprocess.run(
        [sys.executable, "-m", *program, "--data", str(data), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("engram: store.json is of format 3, which Engram 0.9.0 reads")
    assert ended.stdout == ""
    with pytest.raises(NewerFormat):
        MemoryStore(data)


def test_a_space_of_a_newer_version_is_not_served_and_called_newer(data: Path) -> None:
    path = data / "spaces" / "other" / "space.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": 3, "needs": "0.9.0", "crc32c": None}))
    server = ServerProcess(data)
    with connected(server, "other") as client, connected(server, DEFAULT_SPACE) as sound:
        with pytest.raises(NewerFormat, match=r"Engram 0\.9\.0"):
            client.recall(cue("a"))
        with pytest.raises(EngramError, match=r"Engram 0\.9\.0"):
            client.submit("a", cue("a")).result(TIMEOUT_S)
        assert ids(sound.recall(cue("a"))) == ["a", "b", "c"]
    server.stop_soundly()
