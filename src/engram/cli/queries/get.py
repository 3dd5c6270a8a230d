"""``engram get``: observations by their ids."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.exit_codes import EXIT_ERROR, EXIT_OK
from engram.cli.setting_options import setting_option
from engram.cli.tables import hit_values, hits_table
from engram.cli.target import client_settings, open_target, target_options


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@setting_option("client", "space")
@click.option("--max-generation", type=click.IntRange(0), help="Look up as of this generation.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def get(
    cli: CliContext,
    *,
    ids: tuple[str, ...],
    space: str | None,
    max_generation: int | None,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> int:
    """Print the observations with these IDs, in their order.

    In JSON, an id that no observation has is null. If there is one, the exit code is 1.

    \b
    Examples:
      engram get note-1 note-2 --space notes
      engram get note-1 --json --max-generation 100
    """
    name = client_settings(cli, space=space).space
    with open_target(cli, address, data, read_only=True) as target, target.opened(name) as opened:
        found = opened.get(list(ids), max_generation)
        hits = [hit for hit in found if hit is not None]
        if as_json:
            cli.print_json([None if hit is None else hit_values(hit) for hit in found])
        elif hits:
            cli.out.print(hits_table(hits))
    missing = [id for id, hit in zip(ids, found, strict=True) if hit is None]
    if missing and not as_json:
        cli.err.print(f"engram: there is no {', '.join(map(repr, missing))} in space {name}", soft_wrap=True)
    return EXIT_ERROR if missing else EXIT_OK
