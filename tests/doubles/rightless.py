"""Running something in a child process, and without rights: as another user if this one is the superuser.

The superuser may read and write whatever the mode of a file says, so a test of missing rights that runs as root proves
nothing. It runs as somebody else instead, or says that it was skipped.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from engram.errors import EngramError
from tests.doubles.waiting import TIMEOUT_S

NOBODY = 65534
_CANNOT = "cannot: "


def give(path: Path, mode: int) -> Path:
    """Make `path` the property of whoever `answer_without_rights` runs as, with `mode`."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    path.chmod(mode)
    return path


def answer_of_child(act: Callable[[], object]) -> str:
    """What `act` returns, or the error it raises, when it runs in a fork of this process.

    Its answer is told as text; of an `EngramError` the type, the code and the message.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  (another process)
        os.close(read_end)
        os.write(write_end, _answer(act).encode()[:60_000])
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        if not select.select([pipe], [], [], TIMEOUT_S)[0]:
            os.kill(child, signal.SIGKILL)
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    assert answer, "the child ended, or was ended, without an answer"
    return answer


def answer_without_rights(act: Callable[[], object], denied: Path | None = None) -> str:
    """As `answer_of_child`, and modes of files apply to the child.

    It is a fork, so that it has its modules even where another user may not read them.

    Parameters
    ----------
    denied
        What the child must not be able to read; the test is skipped where the file system lets it.
    """

    def without_rights() -> object:  # pragma: no cover  (another process)
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
        except OSError as error:
            return f"{_CANNOT}this process may not become another user: {error}"
        if denied is not None and os.access(denied, os.R_OK):
            return f"{_CANNOT}this file system lets everybody read what has no rights for anybody"
        return act()

    answer = answer_of_child(without_rights)
    if answer.startswith(_CANNOT):
        pytest.skip(answer.removeprefix(_CANNOT))
    return answer


def _answer(act: Callable[[], object]) -> str:  # pragma: no cover  (another process)
    try:
        return str(act())
    except EngramError as error:
        return f"{type(error).__name__} {error.code} {error.message}"
    except BaseException as error:
        return f"unexpected {error!r}"
