"""``engram count``: how many observations pass a filter."""

from __future__ import annotations

from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.setting_options import setting_option
from engram.cli.target import client_settings, open_target, target_options
from engram.model.filters.filter import NO_FILTER
from engram.model.filters.text import parse_filter


@click.command()
@click.argument("filter", required=False)
@setting_option("client", "space")
@click.option("--max-generation", type=click.IntRange(0), help="Count the space as it was at this generation.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def count(
    cli: CliContext,
    *,
    filter: str | None,
    space: str | None,
    max_generation: int | None,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Count the observations that pass a FILTER, or all of them.

    \b
    Examples:
      engram count --space notes
      engram count 'deck >= 2 and not room in ("mess", "galley")'
      engram count '@tags any ("urgent") and @observed_at >= "2025-01-31"' --json
    """
    wanted = NO_FILTER if filter is None else parse_filter(filter)
    name = client_settings(cli, space=space).space
    with open_target(cli, address, data, read_only=True) as target:
        counted = target.count(name, wanted, max_generation)
    if as_json:
        cli.print_json({"count": int(counted), "generation": counted.generation})
    else:
        cli.out.print(int(counted))
