"""Steps of a long measurement: what a process holds in memory, a process of its own for each, and a word on the way."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Resident:
    """Memory of this process: its own, and the part of mapped files that happens to be in memory."""

    own_bytes: int
    mapped_bytes: int


def resident() -> Resident:
    """Ask the system, which knows the two apart on Linux."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kib = {name: int(status[name].split()[0]) for name in ("RssAnon", "RssFile")}
    return Resident(kib["RssAnon"] * 1024, kib["RssFile"] * 1024)


def in_fresh_process(
    function: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs
) -> _Result:
    """Call a module's function in a new interpreter, so that nothing left over from other steps is measured."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def progress(text: str) -> None:
    """Say where a long run is, and when."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
