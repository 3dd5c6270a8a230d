"""Opening of files while descriptors or memory are short for a moment."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final, TypeVar

from engram.log.files.os_errors import is_passing

PAUSES_S: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
"""Seconds between the attempts. Whoever waits for the file waits for a third of a second, and no longer."""

_REST_S: Final = 1.0

T = TypeVar("T")


class _GivenUp:
    """When an attempt was last given up for a shortage, in seconds of `time.monotonic`. Any thread may set it."""

    at_s = float("-inf")


def opened_patiently(open_file: Callable[[], T], *, creates: bool) -> T:
    """Return what `open_file` returns, which opens a file; try again while a shortage that may pass keeps it from that.

    Descriptors and memory are short for the whole process. So nobody waits within a second after somebody has waited in
    vain: all that need a file would wait one after the other, among them one thread that writes for all spaces.

    Parameters
    ----------
    open_file
        Opens the file.
    creates
        Whether it also creates the file. A disk that fails at that may have created it, so that is not tried again.

    Raises
    ------
    OSError
        If the last attempt fails, or an attempt for another reason.
    """
    for pause_s in (*PAUSES_S, None):
        try:
            return open_file()
        except OSError as error:
            if is_passing(error):
                rests = time.monotonic() - _GivenUp.at_s < _REST_S
                if rests or pause_s is None:
                    _GivenUp.at_s = time.monotonic()
                    raise
            elif error.errno != errno.EIO or creates or pause_s is None:
                raise
        time.sleep(pause_s)
    raise AssertionError("the last attempt returns or raises")
