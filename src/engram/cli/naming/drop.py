"""``engram drop``: drop a space with all that is in it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.exit_codes import EXIT_ERROR
from engram.cli.target import open_target, target_options


@click.command()
@click.argument("space")
@click.option("--yes", is_flag=True, help="Drop it without asking.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def drop(cli: CliContext, *, space: str, yes: bool, address: str | None, data: Path | None, as_json: bool) -> None:
    """Drop SPACE with all that is in it, and its aliases. It is gone for good.

    Whoever uses the space is told. A space of that name that is made later is another one.

    \b
    Examples:
      engram drop scratch
      engram drop scratch --yes --data ./memories
    """
    if not (yes or _is_sure(space)):
        click.echo("Nothing is dropped.", err=True)
        raise click.exceptions.Exit(EXIT_ERROR)
    with open_target(cli, address, data) as target:
        dropped = target.drop(space)
    if as_json:
        cli.print_json(dataclasses.asdict(dropped))
        return
    names = ", ".join(dropped.aliases)
    cli.out.print(f"Space {space} is dropped" + (f", and so are its aliases: {names}." if names else "."))


def _is_sure(space: str) -> bool:
    try:
        return click.confirm(f"Drop space {space} with all that is in it, for good?", err=True)
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise click.UsageError("Nobody is there to be asked; --yes drops a space without asking.") from None
