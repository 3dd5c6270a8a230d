"""A reading as tables for a terminal, and as one line."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from engram.cli.live.reading import LiveReading
from engram.cli.tables import make_table, nbytes_text
from engram.errors import EngramError

# A terminal shows no more of them; those with the highest pressure come first.
_SPACES_MAX: Final = 50
_BAR_CELLS: Final = 10
_TABLES_WIDTH_MIN: Final = 72
_FULL: Final = ((0.8, "red"), (0.5, "yellow"))
_LEVEL_STYLES: Final = {"warning": "yellow", "critical": "red", "overloaded": "bold red"}


def screen(address: str, reading: LiveReading | None, error: EngramError | None) -> RenderableType:
    """Return what the terminal shows.

    Parameters
    ----------
    address
        Address of the server.
    reading
        The newest reading; None if there is none yet.
    error
        Why the server did not answer the last look; None if it did.
    """
    parts: list[RenderableType] = []
    if error is not None:
        parts.append(Text(f"{address} does not answer: {error.message}", style="bold red"))
    if reading is None:
        return Group(*parts, Text(f"{address}: waiting for the first interval to pass", style="dim"))
    parts.append(_head(address, reading))
    if reading.damaged_count or reading.unsound_count:
        parts.append(Text("stored data is damaged; engram status says where", style="bold red"))
    return Group(*parts, _Tables(reading))


class _Tables:
    """The tables; on a terminal that is too narrow for them the parts of `line`, one below the other."""

    def __init__(self, reading: LiveReading) -> None:
        self._reading = reading

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        reading = self._reading
        if options.max_width < _TABLES_WIDTH_MIN:
            yield Text("\n".join(_parts(reading)))
            return
        # Side by side where the terminal is wide enough, else below each other.
        yield Columns([_writes(reading), _recalls(reading)])
        yield Columns([_lanes(reading), _workers(reading)])
        yield _spaces(reading)


def line(reading: LiveReading) -> str:
    """Return the reading as one line of text."""
    return "; ".join(_parts(reading))


def _parts(reading: LiveReading) -> list[str]:
    lane = max(reading.lanes, key=lambda each: each.fill, default=None)
    space = reading.spaces[0] if reading.spaces else None
    parts = [
        f"observed {reading.observed_per_s:,.0f}/s",
        f"rejected {reading.rejected_per_s:,.0f}/s",
        f"recalls {reading.recalls_per_s:,.0f}/s",
        f"P99 durable {_seconds(reading.durable_p99_s)} recall {_seconds(reading.recall_p99_s)}",
    ]
    if lane is not None:
        parts.append(f"lane {lane.priority} {lane.fill:.0%}")
    if space is not None:
        parts.append(f"space {space.name} {space.level}, tail {space.tail:,} ({space.tail_fill:.0%})")
    if reading.damaged_count or reading.unsound_count:
        parts.append("damaged")
    return parts


def _head(address: str, reading: LiveReading) -> Text:
    uptime = timedelta(seconds=int(reading.uptime_s))
    return Text.assemble(
        (address, "bold"),
        f"  version {reading.version}  up for {uptime}  over the last {reading.interval_s:.1f} s",
    )


def _writes(reading: LiveReading) -> Table:
    return _row(
        {
            "observed/s": f"{reading.observed_per_s:,.0f}",
            "rejected/s": f"{reading.rejected_per_s:,.0f}",
            "commits/s": f"{reading.commits_per_s:,.0f}",
            "durable P99": _seconds(reading.durable_p99_s),
            "sessions": f"{reading.sessions:,}",
            "connections": f"{reading.connections:,}",
        }
    )


def _recalls(reading: LiveReading) -> Table:
    return _row(
        {
            "recalls/s": f"{reading.recalls_per_s:,.0f}",
            "recall P99": _seconds(reading.recall_p99_s),
            "waiting": f"{reading.recalls_waiting:,}",
            "streams": f"{reading.recall_streams:,}",
        }
    )


def _row(cells: dict[str, str]) -> Table:
    table = make_table("")
    for name in cells:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*cells.values())
    return table


def _lanes(reading: LiveReading) -> Table:
    table = make_table("")
    table.add_column("lane")
    for name in ("waiting", "size", "fill"):
        table.add_column(name, justify="right", no_wrap=True)
    for lane in reading.lanes:
        table.add_row(Text(lane.priority), f"{lane.depth:,}", nbytes_text(lane.nbytes), _bar(lane.fill))
    return table


def _workers(reading: LiveReading) -> Table:
    table = make_table("")
    table.add_column("index worker")
    for name in ("busy", "linked/s", "stolen", "restarts"):
        table.add_column(name, justify="right", no_wrap=True)
    for worker in reading.workers:
        restarts = Text(f"{worker.restarts:,}", style="red" if worker.restarts else "")
        # A busy worker is no fault, so its bar has no colours.
        busy = _bar(worker.busy, coloured=False)
        table.add_row(Text(worker.worker), busy, f"{worker.linked_per_s:,.0f}", f"{worker.stolen:,}", restarts)
    return table


def _spaces(reading: LiveReading) -> Table:
    table = make_table("")
    table.add_column("space", style="cyan", overflow="ellipsis", no_wrap=True)
    for name in ("pressure", "stored/s", "live", "tail", "of the limit", "log", "index", "recall@k"):
        table.add_column(name, justify="right", no_wrap=True)
    for space in reading.spaces[:_SPACES_MAX]:
        table.add_row(
            Text(space.name),
            Text(f"{space.level} {space.pressure:.0%}", style=_LEVEL_STYLES.get(space.level, "")),
            f"{space.stored_per_s:,.0f}",
            f"{space.live:,}",
            f"{space.tail:,}",
            _bar(space.tail_fill),
            nbytes_text(space.log_bytes),
            nbytes_text(space.index_bytes),
            "-" if space.recall is None else f"{space.recall:.1%}",
        )
    if len(reading.spaces) > _SPACES_MAX:
        table.add_row(f"and {len(reading.spaces) - _SPACES_MAX:,} more")
    return table


def _bar(share: float, *, coloured: bool = True) -> Text:
    """Return a share as a bar with its percentage."""
    cells = min(_BAR_CELLS, round(share * _BAR_CELLS))
    style = next((style for limit, style in _FULL if coloured and share >= limit), "green")
    return Text.assemble(("█" * cells, style), ("·" * (_BAR_CELLS - cells), "dim"), f" {share:4.0%}")


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"
