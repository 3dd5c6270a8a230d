"""Results as tables for people and as values for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from engram.client import ServerStatus, SpaceStatus
from engram.metrics.family import MetricFamily, MetricGroup, MetricKind
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.metrics.table import TABLE
from engram.model.columns import COLUMNS
from engram.model.spaces import SpaceConfig
from engram.store import Hit

_CONTENT_CHARACTERS_MAX = 300
_TEXT_FIELD = next(spec.field for spec in COLUMNS if spec.name == "contents")
# Of a longer name so much stays where the rest of the table leaves no more room; its end is cut off then.
_NAME_WIDTH_MIN = 8


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
        "expires_at": None if hit.expires_at is None else hit.expires_at.isoformat(),
        # No text, as against an empty one.
        **({} if hit.has_content else {_TEXT_FIELD: None}),
    }


def spaces_table(spaces: Iterable[SpaceStatus], title: str = "") -> Table:
    """Return a table of spaces: settings, newest generation, and the gauges of `engram.metrics.table` with a title."""
    table = make_table(title)
    gauges = [family for family in _titled(MetricGroup.SPACES) if family.kind is MetricKind.GAUGE]
    spaces = list(spaces)
    # In 80 columns, everything has its place as long as nothing is shown that no space has, and columns are one blank
    # apart. The name gives way first: a least width is kept even where the last column is cut off for it.
    table.padding = (0, 0, 0, 0)
    has_embedders = any(space.config.embedder for space in spaces)
    has_ttls = any(space.config.ttl_s is not None for space in spaces)
    table.add_column("space", style="cyan", min_width=_NAME_WIDTH_MIN)
    table.add_column("vectors")
    if has_embedders:
        table.add_column("embedder")
    if has_ttls:
        table.add_column("ttl")
    table.add_column("health")
    for name in ("generation", *(family.title for family in gauges)):
        table.add_column(name, justify="right", no_wrap=True)
    for space in spaces:
        config = space.config
        table.add_row(
            Text(space.name, no_wrap=True, overflow="ellipsis"),
            _vectors_text(config),
            *([config.embedder or "-"] if has_embedders else []),
            *(["-" if config.ttl_s is None else f"{config.ttl_s:g} s"] if has_ttls else []),
            space.health,
            f"{space.visible_generation:,}",
            *(metric_text(space.metrics, family) for family in gauges),
        )
    return table


def _vectors_text(config: SpaceConfig) -> str:
    if config.vectors == "none":
        return "none"
    return f"{config.dim} {config.metric}{'' if config.vectors == 'required' else ', optional'}"


def space_values(space: SpaceStatus) -> dict[str, Any]:
    """Return a space as a dictionary for JSON."""
    return {
        "name": space.name,
        "dim": space.config.dim,
        "metric": space.config.metric,
        "embedder": space.config.embedder,
        "vectors": space.config.vectors,
        "ttl_s": space.config.ttl_s,
        "live_count": space.live_count,
        "durable_generation": space.durable_generation,
        "visible_generation": space.visible_generation,
        "indexed_generation": space.indexed_generation,
        "log_bytes": space.log_bytes,
        "index_bytes": space.index_bytes,
        "damaged_count": space.damaged_count,
        "health": space.health,
        "problems": [problem._asdict() for problem in space.problems],
    }


def server_table(status: ServerStatus, address: str) -> Table:
    """Return a table of the metrics of a server, and of the counters of all its spaces together."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("server", Text(f"{address}, version {status.version}"))
    table.add_row("up for", str(timedelta(seconds=int(status.uptime_s))))
    of_spaces = [family for family in _titled(MetricGroup.SPACES) if family.kind is MetricKind.COUNTER]
    for family in (*_titled(MetricGroup.TRAFFIC), *_titled(MetricGroup.SERVER), *of_spaces):
        table.add_row(family.title, metric_text(status.metrics, family))
    return table


def group_table(metrics: MetricSamples, group: MetricGroup) -> Table:
    """Return a table of the metrics of `group`, with a row for each value of its first label."""
    families = _titled(group)
    label = families[0].labels[0]
    table = make_table("")
    table.add_column(label)
    for family in families:
        table.add_column(family.title, justify="right", no_wrap=True)
    for value, part in metrics.split(label).items():
        table.add_row(Text(value), *(metric_text(part, family) for family in families))
    return table


def metric_text(metrics: MetricSamples, family: MetricFamily) -> str:
    """Return the sum of a metric over its labels as text, or ``"-"`` if it has no value."""
    try:
        value = metrics.value(family)
    except KeyError:
        return "-"
    if family.unit == "bytes":
        return nbytes_text(value)
    if family.unit == "share":
        return f"{value:.0%}"
    return f"{value:,.1f}" if family.unit in {"seconds", "ratio"} else f"{value:,.0f}"


def metric_values(sample: MetricSample) -> dict[str, Any]:
    """Return a sample as a dictionary for JSON."""
    return {"name": sample.name, "labels": dict(sample.labels), "value": sample.value}


def _titled(group: MetricGroup) -> list[MetricFamily]:
    return [family for family in TABLE if family.group is group and family.title]


def nbytes_text(nbytes: float) -> str:
    """Return a number of bytes as text with a binary unit, such as ``"1.5 MiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.1f} TiB"


def count_text(count: int, noun: str) -> str:
    """Return a number of things as text, such as ``"1 id"`` or ``"2 ids"``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


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
