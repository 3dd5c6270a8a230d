"""``engram facets``: which values there are, and how often."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Unpack

import click
from rich.text import Text

from engram.cli.context import CliContext, pass_cli
from engram.cli.filter_options import FilterOptions, filter_of, filter_options
from engram.cli.setting_options import setting_option
from engram.cli.tables import make_table
from engram.cli.target import client_settings, open_target, target_options
from engram.model.scans.facets import Facets
from engram.model.scans.options import FACET_FIELDS


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@setting_option("client", "space")
@click.option(
    "--field", "fields", multiple=True, type=click.Choice(FACET_FIELDS), help="Also of this; may be repeated."
)
@filter_options
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Maximum number of values of each."
)
@click.option("--max-generation", type=click.IntRange(0), help="Count as of this generation.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def facets(
    cli: CliContext,
    *,
    keys: tuple[str, ...],
    space: str | None,
    fields: tuple[str, ...],
    limit: int,
    max_generation: int | None,
    address: str | None,
    data: Path | None,
    as_json: bool,
    **conditions: Unpack[FilterOptions],
) -> None:
    """Print which values the KEYs of the metadata have, and how many observations have each.

    Without a KEY and without --field, only the number of observations is printed.

    \b
    Examples:
      engram facets room deck --space ship
      engram facets --field tags --field time_us
      engram facets room --tag pump --json
    """
    filter, name = filter_of(conditions), client_settings(cli, space=space).space
    with open_target(cli, address, data, read_only=True) as target, target.opened(name) as opened:
        found = opened.facets(keys, filter, fields=fields, limit=limit, max_generation=max_generation)
    if as_json:
        values = {key: dataclasses.asdict(facet) for key, facet in found.items()}
        cli.print_json({"facets": values, "count": found.count, "generation": found.generation})
    else:
        _print(cli, found)


def _print(cli: CliContext, found: Facets) -> None:
    cli.out.print("1 observation passes." if found.count == 1 else f"{found.count:,} observations pass.")
    for key, facet in found.items():
        if not facet.count:
            cli.out.print(Text(f"{key}: none of them"))
            continue
        ends = "" if facet.least is None else f", from {json.dumps(facet.least)} to {json.dumps(facet.greatest)}"
        table = make_table("")
        table.add_column(Text(key), style="cyan", overflow="fold")
        table.add_column("count", justify="right", no_wrap=True)
        for each in facet.values:
            table.add_row(Text(json.dumps(each.value, ensure_ascii=False)), f"{each.count:,}")
        cli.out.print(Text(f"{key}: {facet.count:,} have it, {facet.distinct:,} different values{ends}"))
        cli.out.print(table)
