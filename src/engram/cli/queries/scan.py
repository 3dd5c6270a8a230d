"""``engram scan``: everything that passes a filter."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.exit_codes import EXIT_DAMAGE, EXIT_OK
from engram.cli.filter_options import FilterOptions, filter_of, filter_options
from engram.cli.setting_options import setting_option
from engram.cli.tables import hit_values, hits_table
from engram.cli.target import client_settings, open_target, target_options
from engram.model.columns import COLUMNS
from engram.model.scans.options import ORDERS, PAGE_SIZE_DEFAULT
from engram.store import Hit


@click.command()
@setting_option("client", "space")
@filter_options
@click.option("--order", type=click.Choice(ORDERS), default="generation", show_default=True, help="Order of the rows.")
@click.option("--reverse", is_flag=True, help="Go the other way.")
@click.option("-k", "count", type=click.IntRange(1), help="Maximum number of rows; all if it is not given.")
@click.option("--max-generation", type=click.IntRange(0), help="Scan the space as it was at this generation.")
@click.option("--vectors", is_flag=True, help="With --json, print rows with vectors, which engram ingest reads.")
@click.option("--skip-damaged", is_flag=True, help="Leave damaged observations out instead of failing.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object on each line.")
@pass_cli
def scan(
    cli: CliContext,
    *,
    space: str | None,
    order: str,
    reverse: bool,
    count: int | None,
    max_generation: int | None,
    vectors: bool,
    skip_damaged: bool,
    address: str | None,
    data: Path | None,
    as_json: bool,
    **conditions: Unpack[FilterOptions],
) -> int:
    """Print everything that passes the conditions, from one snapshot, whatever is written meanwhile.

    With --json and --vectors, the lines are rows of a file that engram ingest reads.

    \b
    Examples:
      engram scan --space notes --order time --reverse -k 20
      engram scan --tag pump --where deck=2
      engram scan --space notes --json --vectors > notes.jsonl
    """
    filter, name = filter_of(conditions), client_settings(cli, space=space).space
    options: dict[str, Any] = {"order": order, "reverse": reverse, "max_generation": max_generation}
    if count is not None:
        # So that damage behind what is printed is nobody's concern.
        options["page_size"] = min(count, PAGE_SIZE_DEFAULT)
    found, incomplete, left = False, False, count
    with open_target(cli, address, data, read_only=True) as target, target.opened(name) as opened:
        scanned = opened.scan(filter, include_vectors=vectors, skip_damaged=skip_damaged, **options)
        for page in scanned.pages():
            hits = list(islice(page, left))
            _print(cli, hits, as_json, vectors)
            found, incomplete = found or bool(hits), incomplete or page.incomplete
            left = None if left is None else left - len(hits)
            if left == 0:
                break
    if not found and not as_json:
        cli.out.print(f"Nothing of space {name} passes.")
    if incomplete:
        cli.err.print("engram: damaged observations were left out; engram status shows them", soft_wrap=True)
    return EXIT_DAMAGE if incomplete else EXIT_OK


def _print(cli: CliContext, hits: list[Hit], as_json: bool, vectors: bool) -> None:
    if as_json:
        for hit in hits:
            click.echo(json.dumps(_row(hit) if vectors else hit_values(hit), ensure_ascii=False))
    elif hits:
        cli.out.print(hits_table(hits))


def _row(hit: Hit) -> dict[str, Any]:
    """Return an observation as a row of a file, without what only its store can tell."""
    values = hit_values(hit)
    row = {name: values[name] for name in ("id", *(spec.field for spec in COLUMNS))}
    return {**row, "embedding": None if hit.vector is None else hit.vector.tolist()}
