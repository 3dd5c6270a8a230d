"""Opening of files while descriptors or memory are short for a moment."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final, TypeVar

from engram.log.files.os_errors import is_passing

PAUSES_S: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
"""Seconds between the attempts. Whoever waits for the file waits for a third of a second, and no longer."""

T = TypeVar("T")


def opened_patiently(open_file: Callable[[], T], *, creates: bool) -> T:
    """Return what `open_file` returns, which opens a file; try again while a shortage that may pass keeps it from that.

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
    for pause_s in PAUSES_S:
        try:
            return open_file()
        except OSError as error:
            may_pass = is_passing(error) or (error.errno == errno.EIO and not creates)
            if not may_pass:
                raise
        time.sleep(pause_s)
    return open_file()
