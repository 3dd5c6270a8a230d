"""Opening while something is short: tried again for a moment, and never for long."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engram.log.files import patient_opening
from engram.log.files.file_storage import FileStorage
from engram.log.files.patient_opening import PAUSES_S, opened_patiently


class Shortage:
    """Fails so many times, and counts the attempts."""

    def __init__(self, code: int, times: int) -> None:
        self.code = code
        self.times = times
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.attempts <= self.times:
            raise OSError(self.code, os.strerror(self.code))
        return "open"


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    paused: list[float] = []
    monkeypatch.setattr("engram.log.files.patient_opening.time.sleep", paused.append)
    monkeypatch.setattr(patient_opening._GivenUp, "at_s", float("-inf"))
    return paused


@pytest.mark.parametrize("creates", [True, False])
@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_shortage_that_passes_is_waited_for(code: int, creates: bool, paused: list[float]) -> None:
    shortage = Shortage(code, len(PAUSES_S))
    assert opened_patiently(shortage, creates=creates) == "open"
    assert paused == list(PAUSES_S)


def test_a_shortage_that_stays_is_reported_after_a_moment(paused: list[float]) -> None:
    shortage = Shortage(errno.EMFILE, 1000)
    with pytest.raises(OSError, match="open files"):
        opened_patiently(shortage, creates=False)
    assert (shortage.attempts, paused) == (len(PAUSES_S) + 1, list(PAUSES_S))
    assert sum(paused) < 0.5


def test_a_shortage_is_waited_for_once_and_not_for_every_file(
    paused: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("engram.log.files.patient_opening.time.monotonic", lambda: now)
    with pytest.raises(OSError, match="open files"):
        opened_patiently(Shortage(errno.EMFILE, 1000), creates=False)
    paused.clear()
    for _ in range(50):
        now += 0.9
        shortage = Shortage(errno.ENFILE, 1000)
        with pytest.raises(OSError, match="open files"):
            opened_patiently(shortage, creates=True)
        assert (shortage.attempts, paused) == (1, [])
    assert opened_patiently(Shortage(errno.EIO, 1), creates=False) == "open", "which is no shortage of the process"
    paused.clear()
    now += 1.5
    assert opened_patiently(Shortage(errno.EMFILE, 2), creates=True) == "open"
    assert paused == list(PAUSES_S[:2])


def test_a_disk_that_fails_is_tried_again_unless_it_may_have_created_the_file(paused: list[float]) -> None:
    assert opened_patiently(Shortage(errno.EIO, 1), creates=False) == "open"
    failing = Shortage(errno.EIO, 1)
    with pytest.raises(OSError, match=r"I/O|Input"):
        opened_patiently(failing, creates=True)
    assert failing.attempts == 1


def test_other_errors_are_no_shortage(paused: list[float]) -> None:
    missing = Shortage(errno.ENOENT, 1)
    with pytest.raises(FileNotFoundError):
        opened_patiently(missing, creates=False)
    assert (missing.attempts, paused) == (1, [])


def test_the_files_of_a_storage_are_opened_patiently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paused: list[float]
) -> None:
    storage = FileStorage(tmp_path)
    really, left = os.open, [3]

    def short(path: str, *arguments: int, **named: int) -> int:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return really(path, *arguments, **named)

    monkeypatch.setattr(os, "open", short)
    storage.replace("name", b"content")
    left[0] = 3
    assert storage.read("name") == b"content"
    left[0] = 3
    assert storage.names() == ["name"]
    assert len(paused) == 9
