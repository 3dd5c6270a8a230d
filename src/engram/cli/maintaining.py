"""What the commands that work on whole directories share: their progress, and their exit codes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from engram.cli.context import CliContext
from engram.errors import EngramError, StoreLocked
from engram.maintenance.progress import OnProgress
from engram.maintenance.progress import Progress as Moment

EXIT_SOUND: Final = 0
EXIT_DAMAGED: Final = 1
EXIT_FAILED: Final = 2
EXIT_IN_USE: Final = 3


def concluded(cli: CliContext, work: Callable[[], int]) -> int:
    """The exit code of `work`, or the one that says why it could not be done."""
    try:
        with _quiet():
            return work()
    except EngramError as error:
        if cli.debug:
            raise
        cli.err.print(f"engram: {error.message}", markup=False, soft_wrap=True)
        return EXIT_IN_USE if isinstance(error, StoreLocked) else EXIT_FAILED


@contextmanager
def shown(cli: CliContext, as_json: bool) -> Iterator[OnProgress]:
    """Someone to tell of progress: a bar on a terminal, else one line for each thing that is begun."""
    if as_json or not cli.err.is_terminal:
        yield _Lines(cli, hidden=as_json)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=cli.err, transient=True) as bar:
        yield _Bar(bar)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from logging what the command is going to tell."""
    logger = logging.getLogger("engram")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Lines:
    def __init__(self, cli: CliContext, hidden: bool) -> None:
        self._cli = cli
        self._hidden = hidden
        self._last = ""

    def __call__(self, moment: Moment) -> None:
        line = f"{moment.doing} space {moment.space}"
        if line != self._last and not self._hidden:
            self._cli.err.print(line, markup=False)
        self._last = line


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)
        self._last = ""

    def __call__(self, moment: Moment) -> None:
        line = f"{moment.doing} space {moment.space}"
        if line != self._last:
            self._bar.reset(self._task, description=line, total=moment.total_bytes or None)
            self._last = line
        self._bar.update(self._task, completed=moment.done_bytes)
