"""``engram status``: show the state of a server or a data directory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.damages import advice, damage_values, damages_table, unsound_table, unsound_values
from engram.cli.exit_codes import EXIT_DAMAGE, EXIT_OK
from engram.cli.tables import server_table, space_values, spaces_table, workers_table
from engram.cli.target import DirectoryTarget, ServerTarget, Target, open_target, target_options
from engram.client import ServerStatus, SpaceStatus, UnsoundSpace
from engram.model.damage import Damage


@click.command()
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def status(cli: CliContext, *, address: str | None, data: Path | None, as_json: bool) -> int:
    """Show counters, queues, index workers and spaces, and what is damaged.

    For a server, damage is what was found since the server started; for a directory, what was found by opening it. To
    check every byte of a directory, use engram verify.

    \b
    Exit codes:
      0  no damage is known
      1  the server does not answer, or the directory cannot be opened
      4  something is damaged, or a space cannot be used

    \b
    Examples:
      engram status
      engram status --address 10.0.0.7:50051 --json
      engram status --data ./memories
    """
    with open_target(cli, address, data, read_only=True) as target:
        found = _look(target)
    if as_json:
        cli.print_json(found.values())
    else:
        _print_status(cli, found, target)
    return EXIT_DAMAGE if found.damaged_count or found.unsound else EXIT_OK


@dataclass(frozen=True, slots=True)
class _Found:
    server: ServerStatus | None
    spaces: list[SpaceStatus]
    damaged_count: int
    damages: list[Damage]
    unsound: list[UnsoundSpace]

    def values(self) -> dict[str, Any]:
        """Return everything as a dictionary for JSON."""
        return {
            **({} if self.server is None else asdict(self.server)),
            "spaces": [space_values(space) for space in self.spaces],
            "damaged_count": self.damaged_count,
            "damages": [damage_values(damage) for damage in self.damages],
            "unsound_spaces": [unsound_values(space) for space in self.unsound],
        }


def _look(target: Target) -> _Found:
    if isinstance(target, ServerTarget):
        server = target.client.status()
        unsound = list(server.unsound_spaces)
        return _Found(server, list(server.spaces), server.damaged_count, list(server.damages), unsound)
    count, damages = (
        (target.store.damaged_count, target.store.damages()) if isinstance(target, DirectoryTarget) else (0, ())
    )
    return _Found(None, target.spaces(), count, list(damages), target.unsound_spaces())


def _print_status(cli: CliContext, found: _Found, target: Target) -> None:
    if found.server is not None and isinstance(target, ServerTarget):
        cli.out.print(server_table(found.server, target.address))
        cli.out.print()
        cli.out.print(workers_table(found.server.workers))
    cli.out.print(spaces_table(found.spaces))
    if found.unsound:
        cli.out.print(unsound_table(found.unsound))
    if found.damages:
        cli.out.print(damages_table(found.damages))
    if found.unsound or found.damaged_count:
        cli.out.print(advice(len(found.damages), found.damaged_count), markup=False)
