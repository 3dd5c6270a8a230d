"""Damage and spaces that cannot be used, for people and for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from engram.cli.tables import make_table
from engram.client import UnsoundSpace
from engram.model.damage import Damage


def damages_table(damages: Iterable[Damage]) -> Table:
    """Where something is damaged, which generations that may cost, and what is wrong."""
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
    """Which spaces cannot be used, and why."""
    table = make_table("cannot be used")
    table.add_column("space", style="cyan", overflow="fold")
    table.add_column("code", no_wrap=True)
    table.add_column("why", ratio=1)
    for space in spaces:
        table.add_row(Text(space.name), space.code, Text(space.message))
    return table


def damage_values(damage: Damage) -> dict[str, Any]:
    """A damaged place for JSON."""
    return damage._asdict()


def unsound_values(space: UnsoundSpace) -> dict[str, Any]:
    """A space that cannot be used for JSON; unlike others, it has an ``error``."""
    return {"name": space.name, "error": {"code": space.code, "message": space.message}}


def advice(named: int, count: int) -> str:
    """What to do about `count` damaged places, of which `named` were shown."""
    more = f"{count - named:,} more places are damaged. " if count > named else ""
    return (
        f"{more}What is damaged is not served; everything else is. With nothing using the directory, "
        "engram verify DIR checks all of it, and engram repair DIR NEW_DIR keeps what is sound; "
        "engram restore takes a backup."
    )
