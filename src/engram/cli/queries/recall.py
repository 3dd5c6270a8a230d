"""``engram recall``: find the most similar observations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Unpack

import click
import numpy as np
from numpy.typing import NDArray

from engram.cli.context import CliContext, pass_cli
from engram.cli.exit_codes import EXIT_DAMAGE, EXIT_OK
from engram.cli.files.given_path import GivenPath
from engram.cli.filter_options import FilterOptions, filter_of, filter_options
from engram.cli.setting_options import setting_option
from engram.cli.tables import hit_values, hits_table
from engram.cli.target import client_settings, open_target, target_options
from engram.errors import InvalidInput
from engram.model.hit import Hits
from engram.model.query import RecallQuery
from engram.model.times import as_time_us
from engram.model.values.vectors import as_query
from engram.store import Cue, Strength


@click.command()
@click.argument("text", required=False)
@click.option(
    "--vector",
    type=GivenPath(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Recall by a vector, read from a .npy file or a JSON array; - reads JSON from standard input.",
)
@setting_option("client", "space")
@click.option("-k", "count", type=click.IntRange(1), default=10, show_default=True, help="Maximum number of hits.")
@click.option("--words", is_flag=True, help="Search for the words of TEXT instead of its meaning.")
@filter_options
@click.option("--score-min", type=float, help="Only hits at least this similar.")
@click.option("--max-generation", type=click.IntRange(1), help="Recall the space as it was at this generation.")
@click.option("--at", type=click.DateTime(), metavar="TIME", help="Recall the space as it was at this time in UTC.")
@click.option("--strength", is_flag=True, help="Rank by the strength of memories instead of similarity alone.")
@click.option(
    "--follow", is_flag=True, help="After the hits, wait for new observations that match and print them, until Ctrl-C."
)
@click.option("--ef", type=click.IntRange(1, 10_000), help="Search effort; a larger number is slower and more exact.")
@click.option("--skip-damaged", is_flag=True, help="Leave damaged observations out instead of failing.")
@target_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_cli
def recall(
    cli: CliContext,
    *,
    text: str | None,
    vector: Path | None,
    space: str | None,
    count: int,
    words: bool,
    score_min: float | None,
    max_generation: int | None,
    at: datetime | None,
    strength: bool,
    follow: bool,
    ef: int | None,
    skip_damaged: bool,
    address: str | None,
    data: Path | None,
    as_json: bool,
    **conditions: Unpack[FilterOptions],
) -> int:
    """Recall the observations that are most similar to a TEXT or a vector, or the newest observations.

    A TEXT needs a space with an embedder, except with --words. With conditions alone, the newest observations
    come first.

    A recall that needs damaged data fails and names the damage. With --skip-damaged, damaged observations are left out
    instead. If any are left out, a message on standard error says so, and the exit code is 4.

    \b
    Examples:
      engram recall "a warm drink" --space notes
      engram recall --words "pump" --tag urgent --since 2025-01-31
      engram recall --vector query.npy -k 3 --json
      engram recall "smoke" --score-min 0.5 --follow
      engram recall --filter 'deck >= 2 and not room in ("mess", "galley")'
      echo "[0.1, 0.2, ...]" | engram recall --vector -
    """
    if text is not None and vector is not None:
        raise click.UsageError("Give either a TEXT or --vector FILE.")
    query = RecallQuery(
        Cue(
            None if vector is None else read_vector(vector),
            text or "",
            "words" if words else "similarity",
            filter_of(conditions),
            score_min,
        ),
        k=count,
        max_generation=max_generation,
        snapshot_us=None if at is None else as_time_us(at, "at"),
        ef=ef,
        follow=follow,
        strength=Strength() if strength else None,
        skip_damaged=skip_damaged,
    )
    if not query.cue.ranks and query.cue.conditions.is_open:
        raise click.UsageError("Give a TEXT, --vector FILE, or a condition such as --tag.")
    name = client_settings(cli, space=space).space
    with open_target(cli, address, data, read_only=True) as target:
        batches = target.follow(name, query) if follow else [target.recall(name, query)]
        found, incomplete = _print_all(cli, batches, as_json)
    if not found and not as_json:
        cli.out.print(f"Nothing {'that can be read ' if incomplete else ''}to recall in space {name}.")
    return EXIT_DAMAGE if incomplete else EXIT_OK


def _print_all(cli: CliContext, batches: Iterable[Hits], as_json: bool) -> tuple[bool, bool]:
    """Print batches as they come; return whether there were hits, and whether damaged ones were left out."""
    found = incomplete = False
    for hits in batches:
        _print(cli, hits, as_json)
        if hits.incomplete and not incomplete:
            _complain_of_damage(cli)
        found, incomplete = found or bool(hits), incomplete or hits.incomplete
    return found, incomplete


def _print(cli: CliContext, hits: Hits, as_json: bool) -> None:
    if as_json:
        cli.print_json([hit_values(hit) for hit in hits])
    elif hits:
        cli.out.print(hits_table(hits))


def _complain_of_damage(cli: CliContext) -> None:
    cli.err.print(
        "engram: the answer is incomplete: what is damaged was left out; engram status shows it", soft_wrap=True
    )


def read_vector(path: Path) -> NDArray[np.float32]:
    """Read one vector from a .npy file or a JSON array: float32, shape ``(dim,)``.

    Raises
    ------
    InvalidInput
        If the file cannot be read or does not hold one vector.
    """
    try:
        if path.suffix == ".npy":
            vector = np.load(path, allow_pickle=False)
        else:
            with click.open_file(str(path)) as file:
                vector = json.load(file)
        # Many programs save a single vector as a matrix with one row.
        return as_query(vector[0] if np.ndim(vector) == 2 and len(vector) == 1 else vector, str(path))
    except (ValueError, TypeError, OSError, RecursionError) as error:
        raise InvalidInput(
            f"{path} does not hold a vector: {error}", code="invalid_vector", field="vector", value=path
        ) from error
