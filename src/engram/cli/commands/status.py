"""``engram status``: show the state of a server or a data directory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.damages import (
    advice,
    damage_values,
    damages_table,
    problem_values,
    problems_table,
    unsound_table,
    unsound_values,
)
from engram.cli.exit_codes import EXIT_DAMAGE, EXIT_OK, EXIT_PROBLEM
from engram.cli.tables import group_table, metric_values, server_table, space_values, spaces_table
from engram.cli.target import DirectoryTarget, ServerTarget, Target, open_target, target_options
from engram.client import ServerStatus, SpaceStatus, UnsoundSpace
from engram.metrics.family import MetricGroup
from engram.metrics.health import Problem, health_of
from engram.metrics.samples import NO_METRICS, MetricSamples
from engram.model.damage import Damage


@click.command()
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def status(cli: CliContext, *, address: str | None, data: Path | None, as_json: bool) -> int:
    """Show counters, queues, index workers, spaces, problems and known damage.

    A problem says what is wrong, since when, and what to do; "degraded" if everything is still answered, "failed" if
    writes are refused or a space is not served.

    The known damage of a server is the damage found since its start; that of a directory is the damage found by opening
    the directory. To check every byte of a directory, use engram verify.

    \b
    Exit codes:
      0  all is well
      1  the server does not answer, or the directory cannot be opened
      4  something is damaged, or a space cannot be used
      5  something else is degraded or failed

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
    if found.damaged_count or found.unsound:
        return EXIT_DAMAGE
    return EXIT_PROBLEM if found.problems else EXIT_OK


@dataclass(frozen=True, slots=True)
class _Found:
    server: ServerStatus | None
    spaces: list[SpaceStatus]
    damaged_count: int
    damages: list[Damage]
    unsound: list[UnsoundSpace]
    metrics: MetricSamples
    problems: list[Problem]

    def values(self) -> dict[str, Any]:
        """Return everything as a dictionary for JSON."""
        return {
            **({} if self.server is None else asdict(self.server)),
            "spaces": [space_values(space) for space in self.spaces],
            "health": health_of(self.problems),
            "problems": [problem_values(problem) for problem in self.problems],
            "damaged_count": self.damaged_count,
            "damages": [damage_values(damage) for damage in self.damages],
            "metrics": [metric_values(sample) for sample in self.metrics],
            "unsound_spaces": [unsound_values(space) for space in self.unsound],
        }


def _look(target: Target) -> _Found:
    if isinstance(target, ServerTarget):
        server = target.client.status()
        return _Found(
            server,
            list(server.spaces),
            server.damaged_count,
            list(server.damages),
            list(server.unsound_spaces),
            server.metrics,
            list(server.all_problems),
        )
    spaces, unsound = target.spaces(), target.unsound_spaces()
    problems = [problem for space in spaces for problem in space.problems]
    if not isinstance(target, DirectoryTarget):
        return _Found(None, spaces, 0, [], unsound, NO_METRICS, problems)
    store = target.store
    problems = [*store.problems(), *problems]
    return _Found(None, spaces, store.damaged_count, list(store.damages()), unsound, store.metrics(), problems)


def _print_status(cli: CliContext, found: _Found, target: Target) -> None:
    if found.server is not None and isinstance(target, ServerTarget):
        cli.out.print(server_table(found.server, target.address))
        cli.out.print()
        for group in (MetricGroup.QUEUE, MetricGroup.PRESSURE, MetricGroup.WORKERS):
            cli.out.print(group_table(found.metrics, group))
    cli.out.print(spaces_table(found.spaces))
    if found.problems:
        cli.out.print(problems_table(found.problems))
    if found.unsound:
        cli.out.print(unsound_table(found.unsound))
    if found.damages:
        cli.out.print(damages_table(found.damages))
    if found.unsound or found.damaged_count:
        cli.out.print(advice(len(found.damages), found.damaged_count), markup=False)
