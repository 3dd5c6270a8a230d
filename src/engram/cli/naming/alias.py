"""``engram alias``: let a name mean a space, list such names, or drop one."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.tables import make_table
from engram.cli.target import open_target, target_options


@click.command()
@click.argument("name", required=False)
@click.argument("space", required=False)
@click.option("--drop", is_flag=True, help="Drop the alias; its space stays as it is.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def alias(
    cli: CliContext,
    *,
    name: str | None,
    space: str | None,
    drop: bool,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Let NAME mean SPACE from now on, also if it means another space now. Without arguments, list the aliases.

    Whoever has opened a space by the alias stays with that space.

    \b
    Examples:
      engram alias current notes-2025
      engram alias
      engram alias current --drop
    """
    if drop != (name is not None and space is None):
        raise click.UsageError("Give a NAME and a SPACE, or a NAME and --drop, or nothing to list the aliases.")
    with open_target(cli, address, data, read_only=name is None) as target:
        if name is None:
            _show(cli, target.aliases(), as_json=as_json)
        elif space is None:
            target.drop_alias(name)
            _tell(cli, {"alias": name}, f"Alias {name} is dropped.", as_json=as_json)
        else:
            target.alias(name, space)
            _tell(cli, {"alias": name, "space": space}, f"{name} means space {space} now.", as_json=as_json)


def _show(cli: CliContext, aliases: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        cli.print_json(aliases)
        return
    table = make_table("")
    table.add_column("alias", style="cyan", overflow="fold")
    table.add_column("space", overflow="fold")
    for name, space in aliases.items():
        table.add_row(name, space)
    cli.out.print(table)


def _tell(cli: CliContext, values: dict[str, str], sentence: str, *, as_json: bool) -> None:
    if as_json:
        cli.print_json(values)
    else:
        cli.out.print(sentence)
