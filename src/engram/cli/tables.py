"""Results as tables for people and as values for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from engram.client import ServerStatus, SpaceStatus, WorkerStatus
from engram.model.columns import COLUMNS
from engram.store import Hit

_CONTENT_CHARACTERS_MAX = 300


def hits_table(hits: Sequence[Hit], title: str = "") -> Table:
    """Return a table of hits, in their order."""
    table = make_table(title)
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("id", style="cyan", overflow="fold")
    table.add_column("content", ratio=1)
    for number, hit in enumerate(hits, 1):
        content = (
            hit.content if len(hit.content) <= _CONTENT_CHARACTERS_MAX else hit.content[:_CONTENT_CHARACTERS_MAX] + "…"
        )
        # `Text` keeps rich from interpreting stored content as markup.
        table.add_row(str(number), f"{hit.score:.4f}", Text(hit.id), Text(content))
    return table


def hit_values(hit: Hit) -> dict[str, Any]:
    """Return a hit as a dictionary for JSON."""
    return {
        "id": hit.id,
        "score": hit.score,
        "generation": hit.generation,
        "indexed": hit.indexed,
        **{spec.field: getattr(hit, spec.attribute) for spec in COLUMNS},
        "time": datetime.fromtimestamp(hit.time_us / 1e6, UTC).isoformat() if _is_shown(hit.time_us) else None,
        "time_us": hit.time_us,
    }


def spaces_table(spaces: Iterable[SpaceStatus], title: str = "") -> Table:
    """Return a table of spaces: settings, live observations, newest generation, tail, and sizes of log and index."""
    table = make_table(title)
    table.add_column("space", style="cyan", overflow="fold")
    for name in ("vectors", "embedder", "live", "generation", "tail", "log", "index"):
        justify: Literal["left", "right"] = "left" if name in ("vectors", "embedder") else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    for space in spaces:
        config = space.config
        table.add_row(
            space.name,
            f"{config.dim} {config.metric}",
            config.embedder or "-",
            f"{space.live_count:,}",
            f"{space.visible_generation:,}",
            f"{space.visible_generation - space.indexed_generation:,}",
            nbytes_text(space.log_bytes),
            nbytes_text(space.index_bytes),
        )
    return table


def space_values(space: SpaceStatus) -> dict[str, Any]:
    """Return a space as a dictionary for JSON."""
    return {
        "name": space.name,
        "dim": space.config.dim,
        "metric": space.config.metric,
        "embedder": space.config.embedder,
        "live_count": space.live_count,
        "durable_generation": space.durable_generation,
        "visible_generation": space.visible_generation,
        "indexed_generation": space.indexed_generation,
        "log_bytes": space.log_bytes,
        "index_bytes": space.index_bytes,
        "damaged_count": space.damaged_count,
    }


def server_table(status: ServerStatus, address: str) -> Table:
    """Return a table of the counters of a server."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    lanes = ", ".join(f"{lane.priority} {lane.depth:,} of {lane.capacity:,}" for lane in status.lanes)
    for name, value in (
        ("server", f"{address}, version {status.version}"),
        ("up for", str(timedelta(seconds=int(status.uptime_s)))),
        ("accepted", f"{status.observations_accepted:,} observations in {status.commits:,} commits"),
        ("rejected", f"{status.observations_rejected:,} observations"),
        ("recalls", f"{status.recalls:,}"),
        ("sessions", f"{status.sessions:,} on {status.connections:,} connections"),
        ("waiting", lanes or "-"),
    ):
        table.add_row(name, Text(value))
    return table


def workers_table(workers: Iterable[WorkerStatus]) -> Table:
    """Return a table of the work of each index worker, and of its duration in seconds."""
    table = make_table("")
    for name in ("worker", "linked", "batches", "stolen", "restarts", "busy s"):
        table.add_column(name, justify="right", no_wrap=True)
    for worker in workers:
        table.add_row(
            str(worker.number),
            f"{worker.observations:,}",
            f"{worker.batches:,}",
            f"{worker.stolen:,}",
            f"{worker.restarts:,}",
            f"{worker.busy_s:,.1f}",
        )
    return table


def nbytes_text(nbytes: float) -> str:
    """Return a number of bytes as text with a binary unit, such as ``"1.5 MiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.1f} TiB"


def _is_shown(time_us: int) -> bool:
    # `datetime` covers only the years 1 to 9999. The margin of one day allows for time zones.
    return -62_135_500_000 < time_us / 1e6 < 253_402_200_000


def make_table(title: str) -> Table:
    """Return an empty table in the style that all tables share."""
    return Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
