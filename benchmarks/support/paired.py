"""Pairs of processes that take turns, and what they say about the ratio of their costs."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Sequence
from statistics import median, stdev
from typing import NamedTuple, Self

# Student's t of a 95 % interval, by degrees of freedom; beyond them the normal distribution is near enough.
_T95 = {4: 2.776, 9: 2.262, 14: 2.145, 19: 2.093, 24: 2.064, 29: 2.045, 39: 2.023}


class Ratio(NamedTuple):
    """A ratio of costs, the geometric mean over pairs, with its 95 % interval."""

    ratio: float
    low: float
    high: float
    pairs: int


def ratio_of(costs: Sequence[float], of: Sequence[float]) -> Ratio:
    """The ratio `costs` / `of`, pair by pair. Its logarithms are taken to be normally distributed."""
    logs = [math.log(cost / base) for cost, base in zip(costs, of, strict=True)]
    middle = math.fsum(logs) / len(logs)
    # The next smaller number of degrees, which has the wider interval.
    degrees = max((known for known in _T95 if known < len(logs)), default=min(_T95))
    half = _T95[degrees] * stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(middle), math.exp(middle - half), math.exp(middle + half), len(logs))


class Worker:
    """A process that does one piece of work at a time and says what that took.

    Parameters
    ----------
    command
        Reads names of work, a line each, and answers each with a line of JSON.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, work: str) -> dict[str, float]:
        """Have it do `work`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(work, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process ended at {work!r}, with status {self._process.wait()}")
        return dict(json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def take_turns(
    one: Worker, other: Worker, work: str, turns: int, *, pair: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Let two processes do the same in turn, each first as often as the other; the median of each number.

    Who begins pays more than who follows, most of all in the first turn, so that `pair`, the number of the pair, tells
    which of the two does.
    """
    results: list[list[dict[str, float]]] = [[], []]
    for turn in range(turns):
        order = (one, other) if (turn + pair) % 2 == 0 else (other, one)
        for worker in order:
            results[worker is other].append(worker.run(work))
    first, second = ({name: median(run[name] for run in runs) for name in runs[0]} for runs in results)
    return first, second
