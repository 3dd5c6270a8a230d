"""Damage and unusable spaces, as tables for people and as values for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from engram.cli.tables import make_table
from engram.client import UnsoundSpace
from engram.model.damage import Damage


def damages_table(damages: Iterable[Damage]) -> Table:
    """Return a table of damaged places: file and offset, the generations that may be lost, and the problem."""
    table = make_table("damaged")
    table.add_column("space", style="cyan", overflow="fold")
    table.add_column("file", overflow="fold")
    table.add_column("offset", justify="right", no_wrap=True)
    table.add_column("generations", justify="right", no_wrap=True)
    table.add_column("what", ratio=1)
    for damage in damages:
        first, last = damage.first_generation, damage.last_generation
        lost = "-" if not last else f"{first:,}" if first == last else f"{first:,} to {last:,}"
        table.add_row(Text(damage.space or "-"), Text(damage.file), f"{damage.offset:,}", lost, Text(damage.what))
    return table


def unsound_table(spaces: Iterable[UnsoundSpace]) -> Table:
    """Return a table of the spaces that cannot be used, with the reasons."""
    table = make_table("cannot be used")
    table.add_column("space", style="cyan", overflow="fold")
    table.add_column("code", no_wrap=True)
    table.add_column("why", ratio=1)
    for space in spaces:
        table.add_row(Text(space.name), space.code, Text(space.message))
    return table


def damage_values(damage: Damage) -> dict[str, Any]:
    """Return a damaged place as a dictionary for JSON."""
    return damage._asdict()


def unsound_values(space: UnsoundSpace) -> dict[str, Any]:
    """Return an unusable space as a dictionary for JSON; unlike a usable space, it has an ``error``."""
    return {"name": space.name, "error": {"code": space.code, "message": space.message}}


def advice(named: int, count: int) -> str:
    """Return advice for `count` damaged places, of which `named` are shown."""
    more = f"{count - named:,} more places are damaged. " if count > named else ""
    return (
        f"{more}What is damaged is not served; everything else is. With nothing using the directory, "
        "engram verify DIR checks all of it, and engram repair DIR NEW_DIR keeps what is sound; "
        "engram restore takes a backup."
    )
