"""How the connections of a server are divided, and what they leave to its files."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.server.clients.open_connections import descriptors_max, descriptors_open, divided, refused_max
from engram.server.options import ServerOptions
from engram.store.resting.open_limit import spaces_within


def options(**given: int | bool) -> ServerOptions:
    return ServerOptions(None, memory_bytes_max=1 << 30, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("descriptors", "given", "expected"),
    [
        # A quarter, or 256, or half stays for files.
        (1024, {}, (384, 384)),
        (8192, {}, (5120, 1024)),
        (256, {}, (64, 64)),
        # However many there may be.
        (1 << 20, {}, (8192 - 1024, 1024)),
        (1 << 20, {"connections_max": 50_000}, (50_000 - 1024, 1024)),
        # What was asked for, as far as the process may.
        (1024, {"connections_max": 100}, (50, 50)),
        (1024, {"connections_max": 5000}, (384, 384)),
        (1024, {"http_connections_max": 10}, (758, 10)),
        (1024, {"http": False}, (768, 0)),
    ],
)
def test_connections_are_divided(descriptors: int, given: dict[str, int], expected: tuple[int, int]) -> None:
    assert divided(options(**given), descriptors) == expected


@given(
    descriptors=st.integers(8, 1 << 20),
    connections_max=st.integers(0, 1 << 20),
    http_connections_max=st.integers(1, 1 << 20),
)
def test_files_have_some_left(descriptors: int, connections_max: int, http_connections_max: int) -> None:
    taken = divided(options(connections_max=connections_max, http_connections_max=http_connections_max), descriptors)
    assert taken.grpc >= 1
    assert taken.http >= 1
    assert descriptors - taken.all >= min(256, descriptors // 2)
    assert taken.all <= max(2, connections_max or 8192)


@given(st.integers(48, 1 << 20))
def test_connections_and_the_files_of_open_spaces_fit_together(descriptors: int) -> None:
    connections = divided(options(connections_max=1 << 20), descriptors).all + refused_max(descriptors)
    # Three each; and the process has some of its own.
    assert connections + 3 * spaces_within(descriptors) + min(32, descriptors // 16) <= descriptors


@pytest.mark.parametrize(("descriptors", "most"), [(128, 16), (256, 32), (1024, 64), (1 << 20, 64)])
def test_connections_that_are_refused_leave_most_of_what_is_kept_to_files(descriptors: int, most: int) -> None:
    assert refused_max(descriptors) == most


def test_the_system_tells_what_is_open_and_may_be(tmp_path: Path) -> None:
    before = descriptors_open()
    assert before is not None
    with (tmp_path / "file").open("w"):
        assert descriptors_open() == before + 1
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert descriptors_max() == (min(soft, 1 << 20) if soft != resource.RLIM_INFINITY else 1 << 20)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOENT])
def test_that_all_descriptors_are_taken_is_told(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> list[str]:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "listdir", refuse)
    assert descriptors_open() == (descriptors_max() if code == errno.EMFILE else None)
