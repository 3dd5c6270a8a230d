"""``engram recall``: ask for what is most similar."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from engram.cli.context import CliContext, pass_cli
from engram.cli.tables import hit_values, hits_table
from engram.cli.target import client_settings, open_target, target_options
from engram.errors import InvalidInput


@click.command()
@click.argument("text", required=False)
@click.option(
    "--vector",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Recall by the vector in a .npy file or a JSON array; - reads JSON from standard input.",
)
@click.option("--space", metavar="NAME", help="Memory space [default: default].")
@click.option("-k", "count", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Hits at most.")
@click.option("--max-generation", type=click.IntRange(1), help="As of this generation.")
@click.option("--ef", type=click.IntRange(1, 10_000), help="Search effort; more is slower and more exact.")
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
    max_generation: int | None,
    ef: int | None,
    address: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Recall what is most similar to a TEXT or a vector.

    A text needs a space with an embedder.

    \b
    Examples:
      engram recall "a warm drink" --space notes
      engram recall --vector query.npy -k 3 --json
      echo "[0.1, 0.2, ...]" | engram recall --vector -
    """
    if (text is None) == (vector is None):
        raise click.UsageError("Give either a TEXT or --vector FILE.")
    cue = text if text is not None else read_vector(vector) if vector is not None else ""
    name = client_settings(cli, space=space).client.space
    with open_target(cli, address, data) as target:
        hits = target.recall(name, cue, count, max_generation, ef)
    if as_json:
        cli.print_json([hit_values(hit) for hit in hits])
    elif hits:
        cli.out.print(hits_table(hits))
    else:
        cli.out.print(f"Nothing to recall: space {name} is empty.")


def read_vector(path: Path) -> NDArray[np.float32]:
    """Read one vector from a .npy file or a JSON array.

    Raises
    ------
    InvalidInput
        The file holds something else.
    """
    try:
        if path.suffix == ".npy":
            vector = np.load(path, allow_pickle=False)
        else:
            with click.open_file(str(path)) as file:
                vector = json.load(file)
        return np.asarray(vector, np.float32).reshape(-1)
    except (ValueError, TypeError, OSError) as error:
        raise InvalidInput(
            f"{path} does not hold a vector: {error}", code="invalid_vector", field="vector", value=path
        ) from error
