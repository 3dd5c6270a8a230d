"""Trials by the thousand: a copy, an accident, an examination, a verdict."""

from __future__ import annotations

import contextlib
import json
import random
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from campaigns.damage.harm import Harm, do_harm
from campaigns.damage.pristine import WAYS, Pristine, make_pristine
from campaigns.damage.verdict import judge, naming

# Far beyond what a trial takes on a machine that does much else: who needs so long hangs.
_TIMEOUT_S: Final = 300.0
# Opened twice: what one opening and one closing leave behind must do for the next.
_AT_REST: Final = ("open", "ask", "scrub", "close", "open", "sample", "close")
_AGAIN: Final = ("close", "open", "ask", "scrub", "close")
_RUNNING: Final = (
    ("open", "wait", "ask", "scrub", "write", "sample", *_AGAIN),
    ("open", "sample", "wait", "ask", "scrub", "write", "sample", *_AGAIN),
    ("open", "sample", "wait", "write", "ask", "scrub", *_AGAIN),
    ("serve", "sample", "wait", "ask", *_AGAIN),
)


class Examiner:
    """A process that examines one directory after the other, started anew when it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def examine(
        self, pristine: Pristine, path: Path, steps: Sequence[str], turn: int, do_harm: Callable[[], Harm]
    ) -> tuple[Harm, Mapping[str, Any] | None]:
        """Examine `path`, to which `do_harm` does harm, where the steps wait for it, or before.

        Returns
        -------
        tuple
            The harm, and what was found; None if the process died or did not come to an end.
        """
        process = self._process = self._process or self._start()
        harm = None if "wait" in steps else do_harm()
        order: dict[str, Any] = {"way": pristine.way, "seed": pristine.seed, "pristine": str(pristine.directory)}
        order |= {"path": str(path), "steps": steps, "hit": sorted(harm.spaces) if harm else [], "turn": turn}
        self._tell(json.dumps(order))
        if harm is None:
            if self._read(process) != "waiting\n":
                raise RuntimeError("the process died before anything was damaged")
            harm = do_harm()
            self._tell(json.dumps(sorted(harm.spaces)))
        line = self._read(process)
        return harm, json.loads(line) if line else None

    def close(self) -> int:
        """End it; return its exit code."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            return process.wait(_TIMEOUT_S)
        finally:
            process.kill()
            process.stdout.close()

    @staticmethod
    def _start() -> subprocess.Popen[str]:
        command = [sys.executable, "-X", "faulthandler", "-m", "campaigns.damage.examiner"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _tell(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # One that died does not answer.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def _read(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(_TIMEOUT_S) else ""
        if not line:
            self._give_up()
        return line

    def _give_up(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def run_trials(
    seed: int,
    at_rest: int,
    running: int,
    work: Path,
    jobs: int,
    only: Sequence[int] = (),
    ways: Sequence[str] = WAYS,
) -> Iterator[dict[str, Any]]:
    """Run the trials and yield the result of each, in order.

    Parameters
    ----------
    seed
        Of everything.
    at_rest, running
        How many of each kind.
    work
        A directory that is there, for the copies.
    jobs
        Trials at a time.
    only
        The numbers of those to run; all if empty.
    ways
        How the directories were left.
    """
    with ThreadPoolExecutor(jobs) as pool:
        made = [pool.submit(make_pristine, way, f"{seed} {way}", work / f"made-{n}") for n, way in enumerate(ways)]
    pristines = {way: one.result() for way, one in zip(ways, made, strict=True)}
    examiners: SimpleQueue[Examiner] = SimpleQueue()
    for _ in range(jobs):
        examiners.put(Examiner())

    def run(number: int) -> dict[str, Any]:
        examiner = examiners.get()
        try:
            return _run_trial(seed, number, number >= at_rest, pristines, work / f"trial-{number}", examiner)
        finally:
            examiners.put(examiner)

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(run, only or range(at_rest + running))
    for _ in range(jobs):
        if code := examiners.get().close():
            raise RuntimeError(f"an examiner ended with {code}")


def _run_trial(
    seed: int, number: int, running: bool, pristines: Mapping[str, Pristine], path: Path, examiner: Examiner
) -> dict[str, Any]:
    chance = random.Random(f"{seed} {number}")
    pristine = pristines[chance.choice(list(pristines))]
    steps = chance.choice(_RUNNING) if running else _AT_REST
    shutil.copytree(pristine.directory, path)
    harm, found = examiner.examine(pristine, path, steps, number, lambda: do_harm(pristine, path, chance, running))
    verdict = judge(pristine, harm, found, not {"write", "serve"}.isdisjoint(steps[: steps.index("scrub")]))
    shutil.rmtree(path)
    return {
        "trial": number,
        "when": "while running" if running else "at rest",
        "way": pristine.way,
        "kind": harm.kind,
        "files": list(harm.files),
        "offset": harm.offset,
        "nbytes": harm.nbytes,
        "verdict": verdict.word,
        "detail": verdict.detail,
        "named": naming(harm, found),
        "asked": found["questions"] if found else 0,
        "refused": sum(sum(one["codes"].values()) for one in found["refused"].values()) if found else 0,
    }
