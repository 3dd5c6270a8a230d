"""``engram status``: how a server or a data directory is doing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.tables import server_table, space_values, spaces_table, workers_table
from engram.cli.target import DirectoryTarget, ServerTarget, open_target, target_options
from engram.errors import EngramError


@click.command()
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def status(cli: CliContext, *, address: str | None, data: Path | None, as_json: bool) -> None:
    """Show counters, queues, index workers and spaces.

    \b
    Examples:
      engram status
      engram status --address 10.0.0.7:50051 --json
      engram status --data ./memories
    """
    unsound: dict[str, EngramError] = {}
    with open_target(cli, address, data, read_only=True) as target:
        if isinstance(target, ServerTarget):
            server = target.client.status()
            found = list(server.spaces)
        else:
            server, found = None, target.spaces()
        if isinstance(target, DirectoryTarget):
            unsound = target.store.unsound
    values = [space_values(space) for space in found]
    if as_json:
        refused = {name: {"code": error.code, "message": error.message} for name, error in unsound.items()}
        cli.print_json({**({} if server is None else asdict(server)), "spaces": values, "unsound": refused})
        return
    for name, error in unsound.items():
        cli.err.print(f"space {name} cannot be opened: {error}", markup=False, soft_wrap=True)
    if server is not None and isinstance(target, ServerTarget):
        cli.out.print(server_table(server, target.address))
        cli.out.print()
        cli.out.print(workers_table(server.workers))
    cli.out.print(spaces_table(found))
