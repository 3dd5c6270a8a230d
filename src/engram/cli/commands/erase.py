"""``engram erase``: remove all that was ever written under some ids."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.setting_options import setting_option
from engram.cli.tables import count_text
from engram.cli.target import client_settings, open_target, target_options
from engram.model.waiting.timeouts import TIMEOUT_S_MAX


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@setting_option("client", "space")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
@pass_cli
def erase(
    cli: CliContext, *, ids: tuple[str, ...], space: str | None, address: str | None, data: Path | None, as_json: bool
) -> None:
    """Delete the observations with these IDs, and remove all that was ever written under them from every file.

    Older versions are erased, too, and what was deleted before. Snapshots of the past lose them. Files that have
    something of them are written anew, which takes as long as that takes: a server is waited for, for a day at most.
    Backups from before keep what they have.

    \b
    Examples:
      engram erase person-1 --space notes
      engram erase person-1 person-2 --json > receipt.json
      engram verify ./memories --receipt receipt.json
    """
    name = client_settings(cli, space=space).space
    with open_target(cli, address, data, timeout_s=TIMEOUT_S_MAX) as target, target.opened(name) as opened:
        receipt = opened.erase(ids)
    if as_json:
        cli.print_json(dataclasses.asdict(receipt))
    else:
        erased = f"{count_text(receipt.count, 'observation')} of {count_text(len(receipt.digests), 'id')}"
        cli.out.print(f"Erased from space {name}: {erased}, up to generation {receipt.generation:,}.")
