"""What unit tests share: the threads that are a test's own, whatever an earlier test of the process left running."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest


@pytest.fixture
def own_threads() -> Callable[[], list[str]]:
    """A function that names the threads that were started after this fixture, and are alive."""
    before = set(threading.enumerate())
    return lambda: [thread.name for thread in threading.enumerate() if thread not in before]
