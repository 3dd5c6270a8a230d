"""A description belongs to its field: its help is in the docstring, its default in the field and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from engram.config import ClientSettings, ServeSettings
from engram.errors import InvalidInput
from engram.server.options import ServerOptions
from engram.settings.checks import check_settings
from engram.settings.setting import (
    OptionsClass,
    Setting,
    assemble,
    nested_options,
    public_settings,
    setting,
    settings_of,
)
from engram.store.options import StoreOptions
from engram.streaming.pressure.levels import Thresholds

CLASSES: list[type[OptionsClass]] = [StoreOptions, ServerOptions, Thresholds, ServeSettings, ClientSettings]
NUMBERS = {"bool", "int", "float"}


@dataclass(frozen=True, slots=True)
class Inner:
    """Options within others.

    Parameters
    ----------
    depth
        How deep.
        And how ``far``.
    hidden, other
        For programs only.

    Raises
    ------
    InvalidInput
        If `depth` is too small.
    """

    depth: int = setting(3, group="Inside", low=1)
    hidden: int = setting(4)
    other: int = setting(5, group="Inside", key="renamed")

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, slots=True)
class Outer:
    """Options with others, and with a field that is no setting.

    Parameters
    ----------
    name
        Name.
    inner
        Options within these.
    call
        No setting.
    """

    path: Path | None
    name: str = setting("x", group="Outside")
    inner: Inner = field(default_factory=Inner)
    call: Callable[[], None] | None = None


def test_the_help_is_the_entry_of_the_docstring() -> None:
    helps = {name: described.help for name, described in settings_of(Inner)}
    assert helps == {"depth": "How deep. And how `far`.", "hidden": "For programs only.", "other": "For programs only."}


def test_users_can_set_what_has_a_group_also_in_nested_options() -> None:
    assert [described.key for described in public_settings(Outer)] == ["name", "depth", "renamed"]
    assert list(nested_options(Outer)) == [("inner", Inner)]


def test_options_are_assembled_from_values_and_defaults() -> None:
    made = assemble(Outer, {"depth": 7, "renamed": 8, "hidden": 9}, {"path": None, "call": print})
    assert made == Outer(None, "x", Inner(7, 4, 8), print)
    inner = Inner(1)
    assert assemble(Outer, {"depth": 7}, {"path": None, "inner": inner}).inner is inner


def test_options_that_are_assembled_are_checked() -> None:
    with pytest.raises(InvalidInput, match="depth is 0"):
        assemble(Outer, {"depth": 0}, {"path": None})


@pytest.mark.parametrize(
    ("described", "allowed"),
    [
        (Setting(1), "a whole number"),
        (Setting(1, low=0, high=9), "a whole number from 0 to 9"),
        (Setting(1, low=0, unit="bytes"), "a whole number of at least 0, in bytes"),
        (Setting(0.5, above=0), "a number above 0"),
        (Setting(True), "true or false"),
        (Setting(Path("x")), "a path"),
        (Setting(""), "a text"),
        (Setting("x"), "a text that is not empty"),
        (Setting("x", choices=("x", "y")), "one of x, y"),
        (Setting((1, 2), low=0, high=9), "2 whole numbers from 0 to 9, such as 1/2"),
    ],
)
def test_what_is_allowed_is_said_in_words(described: Setting, allowed: str) -> None:
    assert described.allowed == allowed


@pytest.mark.parametrize("kind", CLASSES)
def test_every_field_of_our_options_has_help_and_the_type_of_its_default(kind: type[OptionsClass]) -> None:
    described = dict(settings_of(kind))
    assert described
    types = {item.name: str(item.type) for item in fields(kind)}
    for name, each in described.items():
        assert each.help.endswith("."), f"{kind.__name__}.{name} has no entry in the docstring"
        if types[name] in NUMBERS:
            assert types[name] == type(each.default).__name__, name
    numbers = {name for name, written in types.items() if written in NUMBERS}
    assert numbers <= set(described), "a number without a description is not checked"
