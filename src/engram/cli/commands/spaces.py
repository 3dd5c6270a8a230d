"""``engram spaces``: list and create memory spaces."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from engram.cli.context import CliContext, pass_cli
from engram.cli.damages import unsound_table, unsound_values
from engram.cli.tables import space_values, spaces_table
from engram.cli.target import open_target, target_options
from engram.model.limits import DIMENSION_DEFAULT, DIMENSION_MAX, DIMENSION_MIN
from engram.model.spaces import METRIC_DEFAULT, METRICS, VECTORS, VECTORS_DEFAULT, Metric, Vectors, dimension_of


@click.group(invoke_without_command=True)
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def spaces(context: click.Context, *, address: str | None, data: Path | None, as_json: bool) -> None:
    """List memory spaces, or create one. Spaces that exist but cannot be used are listed with the reason.

    \b
    Examples:
      engram spaces
      engram spaces --json
      engram spaces create notes --dim 384 --embedder lexical
    """
    if context.invoked_subcommand is not None:
        # Options before the name of the subcommand apply to the subcommand, too.
        given = {"address": address, "data": data, "as_json": as_json or None}
        context.default_map = {
            context.invoked_subcommand: {name: value for name, value in given.items() if value is not None}
        }
        return
    cli = context.ensure_object(CliContext)
    with open_target(cli, address, data, read_only=True) as target:
        found, unsound = target.spaces(), target.unsound_spaces()
    if as_json:
        cli.print_json([*(space_values(space) for space in found), *(unsound_values(space) for space in unsound)])
        return
    cli.out.print(spaces_table(found))
    if unsound:
        cli.out.print(unsound_table(unsound))


@spaces.command()
@click.argument("name")
@click.option(
    "--dim",
    type=click.IntRange(DIMENSION_MIN, DIMENSION_MAX),
    default=None,
    show_default=str(DIMENSION_DEFAULT),
    help="Number of elements of each vector.",
)
@click.option(
    "--metric", type=click.Choice(METRICS), default=METRIC_DEFAULT, show_default=True, help="Measure of similarity."
)
@click.option("--embedder", default="", help='Embedder that makes vectors of texts, such as "lexical" [default: none].')
@click.option(
    "--vectors",
    type=click.Choice(VECTORS),
    default=VECTORS_DEFAULT,
    show_default=True,
    help="Whether each observation has a vector, or some, or none.",
)
@click.option(
    "--ttl",
    type=float,
    metavar="SECONDS",
    help="After how long observations expire that do not say when they do [default: never].",
)
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def create(
    cli: CliContext,
    *,
    name: str,
    dim: int | None,
    metric: str,
    embedder: str,
    vectors: str,
    ttl: float | None,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Create the space NAME. If the space exists with the same settings, nothing changes.

    \b
    Examples:
      engram spaces create notes --dim 384 --embedder lexical
      engram spaces create images --dim 512 --metric ip --data ./memories
      engram spaces create log --vectors none
      engram spaces create session --ttl 86400
    """
    with open_target(cli, address, data, create=True) as target:
        rule = cast(Vectors, vectors)
        # The default is asked for like what is given, so that a directory refuses what a server does.
        space = target.create_space(name, dimension_of(dim, rule), cast(Metric, metric), embedder, rule, ttl)
    if as_json:
        cli.print_json(space_values(space))
    else:
        cli.out.print(spaces_table([space]))
