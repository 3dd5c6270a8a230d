"""What the commands that work on whole directories share: their usage, progress, results and exit codes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from engram.cli.context import CliContext
from engram.errors import EngramError, StoreLocked
from engram.maintenance.progress import OnProgress
from engram.maintenance.progress import Progress as Moment

EXIT_SOUND: Final = 0
EXIT_DAMAGED: Final = 1
EXIT_FAILED: Final = 2
EXIT_IN_USE: Final = 3


class DirectoryCommand(click.Command):
    """A command that takes directories as arguments, and says so to whoever passes ``--data`` as to the others."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name != "--data":
                raise
            arguments = [parameter for parameter in self.params if isinstance(parameter, click.Argument)]
            words = [ctx.command_path, *(word for argument in arguments for word in argument.get_usage_pieces(ctx))]
            advice = f"give the directory without --data: {' '.join(words)}"
            raise click.UsageError(f"{error.message.rstrip('.')}; {advice}", ctx) from error


class Outcome(NamedTuple):
    """What came of a command.

    Parameters
    ----------
    values
        All of it, for JSON.
    lines
        The same for people.
    exit_code
        What the command exits with.
    """

    values: dict[str, Any]
    lines: list[str]
    exit_code: int


def concluded(cli: CliContext, as_json: bool, work: Callable[[OnProgress], Outcome]) -> int:
    """Do `work` while showing its progress, print what came of it, and return the exit code.

    If it cannot be done, one line and the exit code say why.
    """
    try:
        with _quiet():
            with _shown(cli, as_json) as on_progress:
                outcome = work(on_progress)
            if as_json:
                cli.print_json(outcome.values)
            else:
                for line in outcome.lines:
                    cli.out.print(line, markup=False, soft_wrap=True)
            return outcome.exit_code
    except EngramError as error:
        if cli.debug:
            raise
        cli.err.print(f"engram: {error.message}", markup=False, soft_wrap=True)
        return EXIT_IN_USE if isinstance(error, StoreLocked) else EXIT_FAILED


@contextmanager
def _shown(cli: CliContext, as_json: bool) -> Iterator[OnProgress]:
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
