"""The parts that commands on whole directories share: usage, progress, results and exit codes."""

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
    """A command that takes its directories as arguments and not, like other commands, with ``--data``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; the error for ``--data`` explains how to pass the directory."""
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
    """The outcome of a command.

    Parameters
    ----------
    values
        The outcome for JSON.
    lines
        The outcome for people, as lines of text.
    exit_code
        Exit code of the command.
    """

    values: dict[str, Any]
    lines: list[str]
    exit_code: int


def concluded(cli: CliContext, as_json: bool, work: Callable[[OnProgress], Outcome]) -> int:
    """Run `work`, show its progress, print its outcome, and return the exit code.

    An `EngramError` is printed as one line; the exit code is `EXIT_IN_USE` if the store is locked, else `EXIT_FAILED`.
    With ``--debug`` the error is raised.
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
    """Yield a callback for progress: it shows a bar on a terminal, else it prints one line per step."""
    if as_json or not cli.err.is_terminal:
        yield _Lines(cli, hidden=as_json)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=cli.err, transient=True) as bar:
        yield _Bar(bar)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from logging the errors that the command prints itself."""
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
