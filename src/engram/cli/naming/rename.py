"""``engram rename``: give a space another name."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.target import open_target, target_options


@click.command()
@click.argument("old")
@click.argument("new")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def rename(cli: CliContext, *, old: str, new: str, address: str | None, data: Path | None, as_json: bool) -> None:
    """Give the space OLD the name NEW, which neither a space nor an alias has. Its aliases follow it.

    Nothing in it changes. Whoever uses it by its former name is told.

    \b
    Examples:
      engram rename notes notes-2024
      engram rename notes notes-2024 --data ./memories
    """
    with open_target(cli, address, data) as target:
        target.rename(old, new)
    if as_json:
        cli.print_json({"space": old, "new": new})
    else:
        cli.out.print(f"Space {old} is called {new} now.")
