"""Programs in processes of their own, to see how they end: exit code, what is on stderr, and what is stored."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

TIMEOUT_S = 60

PRELUDE = """
import asyncio, atexit, faulthandler, gc, os, signal, sys, threading, time
import numpy as np
faulthandler.enable()
# Ends a program that hangs; so does a child's own alarm, which a fork does not inherit.
signal.alarm({timeout_s})

def rows(count, dim=16):
    return np.random.default_rng(count).standard_normal((count, dim)).astype(np.float32)

def ids(first, count, prefix="id"):
    return [f"{{prefix}}-{{number}}" for number in range(first, first + count)]
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said on stderr."""
        return self.err.splitlines()


def run_program(
    code: str,
    *arguments: str,
    pinned: bool = False,
    command: Sequence[str] = (sys.executable, "-c"),
    report_leaks: bool = True,
    **environ: str,
) -> Ended:
    """Run a program to its end.

    Parameters
    ----------
    code
        The program, after `PRELUDE`.
    arguments
        Its arguments.
    pinned
        Whether it gets one core only, so that threads take turns.
    command
        What runs it.
    report_leaks
        Whether the native core reports what is not freed: a mistake of ours, unless the end of the interpreter stops
        threads, and leaves what they hold.
    environ
        Variables beside the usual ones.
    """

    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" if pinned else ""
    program = pin + PRELUDE.format(timeout_s=TIMEOUT_S) + textwrap.dedent(code)
    ended = subprocess.run(
        [*command, program, *arguments],
        env={**os.environ, **({"ENGRAM_LEAK_WARNINGS": "1"} if report_leaks else {}), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT_S,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
