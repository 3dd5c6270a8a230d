"""``engram delete``: delete observations by ids, by conditions, or all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.filter_options import FilterOptions, filter_of, filter_options
from engram.cli.setting_options import setting_option
from engram.cli.target import client_settings, open_target, target_options
from engram.client import Client
from engram.model.ack import Deletion
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.store import Space


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@setting_option("client", "space")
@filter_options
@click.option("--all", "everything", is_flag=True, help="Delete everything in the space.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, and say how many there are.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def delete(
    cli: CliContext,
    *,
    ids: tuple[str, ...],
    space: str | None,
    everything: bool,
    dry_run: bool,
    address: str | None,
    data: Path | None,
    as_json: bool,
    **conditions: Unpack[FilterOptions],
) -> None:
    """Delete the observations with these IDs, or all that meet the conditions.

    What is written while this runs stays. Snapshots of the past still see what was deleted.

    \b
    Examples:
      engram delete note-1 note-2 --space notes
      engram delete --tag draft --until 2025-01-31 --dry-run
      engram delete --all --space scratch
    """
    filter, name = filter_of(conditions), client_settings(cli, space=space).space
    if (bool(ids), not filter.is_open, everything).count(True) != 1:
        raise click.UsageError("Give either IDs, or conditions such as --tag, or --all.")
    with open_target(cli, address, data, read_only=dry_run) as target, target.opened(name) as opened:
        done = _deleted(opened, ids, filter, dry_run)
    if as_json:
        cli.print_json({"deleted": int(done), "generation": done.generation, "as_of": done.as_of, "dry_run": dry_run})
    else:
        verb = "would be" if dry_run else "is" if int(done) == 1 else "are"
        cli.out.print(f"{int(done):,} {verb} deleted from space {name}.")


def _deleted(space: Client | Space, ids: tuple[str, ...], filter: Filter | Condition, dry_run: bool) -> Deletion:
    if ids:
        return space.delete(ids, dry_run=dry_run)
    if not filter.is_open:
        return space.delete(filter=filter, dry_run=dry_run)
    if dry_run:
        counted = space.count()
        return Deletion(counted, counted.generation, counted.generation)
    return space.clear()
