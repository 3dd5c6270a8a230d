"""How what users get shows itself: in one line, as consoles show it, and as a table, as notebooks show it."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast

LINE_CHARACTERS_MAX: Final = 200
"""Characters of the `repr` of anything that users get."""
ADDRESS_CHARACTERS_MAX: Final = 100
"""Characters of the address of a server in the `repr` of what calls it."""
TABLE_ROWS_MAX: Final = 100
"""Rows that a table shows at most."""

_PART_CHARACTERS_MAX: Final = 60
_ITEM_CHARACTERS_MAX: Final = 100
_CELL_CHARACTERS_MAX: Final = 200
# What follows where something is left out, such as ", ... 9,999 more".
_LEFT_OUT_CHARACTERS: Final = 24


def in_short(value: object, characters_max: int = _PART_CHARACTERS_MAX) -> str:
    """Return the beginning of the `repr` of a value in one line; that of a text has its quotation marks."""
    if isinstance(value, str):
        text = repr(value if len(value) <= characters_max else f"{value[:characters_max]}...")
        # What cannot be printed takes up to ten characters.
        return cut(text, characters_max + 10)
    return cut(" ".join(repr(value).split("\n")), characters_max)


def cut(text: str, characters_max: int) -> str:
    """Return the beginning of a text, with dots if there is more."""
    return text if len(text) <= characters_max else f"{text[: characters_max - 3]}..."


def one_line(value: Any) -> str:
    """Return the `repr` of a dataclass or of a named tuple: the fields that are not as they are by default."""
    kind = type(value)
    given = ((name, getattr(value, name), default) for name, default in _defaults_of(kind))
    parts = [f"{name}={in_short(field)}" for name, field, default in given if not _is_same(field, default)]
    begin = f"{kind.__name__}("
    shown = _fitting(parts, LINE_CHARACTERS_MAX - len(begin) - _LEFT_OUT_CHARACTERS)
    return f"{begin}{', '.join([*shown, '...'] if len(shown) < len(parts) else shown)})"


def list_line(kind: str, items: Sequence[object], attributes: str) -> str:
    """Return the `repr` of a list that has attributes: its first items, how many more there are, and the attributes."""
    begin, end = f"{kind}([", f"], {attributes})"
    texts = (in_short(item, _ITEM_CHARACTERS_MAX) for item in items)
    shown = _fitting(texts, LINE_CHARACTERS_MAX - len(begin) - len(end) - _LEFT_OUT_CHARACTERS)
    if len(shown) < len(items):
        shown.append(f"... {len(items) - len(shown):,} more")
    return f"{begin}{', '.join(shown)}{end}"


def html_table(titles: Sequence[str], rows: Iterable[Sequence[str]], below: str) -> str:
    """Return a table of HTML. The texts of cells are shown as they are, and long ones cut; `below` is a sentence."""
    lines = [f"<tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr>"]
    for row in rows:
        cells = (f"<td>{html.escape(_cell(text))}</td>" for text in row)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table><p>{below}</p>"


def counted(count: int, what: str) -> str:
    """Return a number with what it counts, such as "3 hits"."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def rows_of_so_many(count: int, what: str, generation: int) -> str:
    """Return the sentence below a table whose rows are the first of `count`, such as "3 hits of generation 7."."""
    more = f" The first {TABLE_ROWS_MAX} are shown." if count > TABLE_ROWS_MAX else ""
    return f"{counted(count, what)} of generation {generation}.{more}"


def _cell(text: str) -> str:
    return text if len(text) <= _CELL_CHARACTERS_MAX else f"{text[:_CELL_CHARACTERS_MAX]}..."


def _fitting(texts: Iterable[str], room: int) -> list[str]:
    """Return the first texts, as many as there is room for, with a comma and a blank behind each."""
    shown: list[str] = []
    for text in texts:
        room -= len(text) + 2
        if room < 0:
            break
        shown.append(text)
    return shown


def _defaults_of(kind: type) -> Iterator[tuple[str, object]]:
    """Yield the name and the default of each field that is shown; of one without, a default that no value is."""
    if not dataclasses.is_dataclass(kind):
        named = cast("Any", kind)
        yield from ((name, named._field_defaults.get(name, dataclasses.MISSING)) for name in named._fields)
        return
    for field in dataclasses.fields(kind):
        if field.repr:
            has_factory = field.default_factory is not dataclasses.MISSING
            yield field.name, cast("Any", field.default_factory)() if has_factory else field.default


def _is_same(value: object, default: object) -> bool:
    # An array has a comparison of its own, and is no default.
    return value is default or (type(value) is type(default) and bool(value == default))
