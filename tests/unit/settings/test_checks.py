"""What the description of a setting lets pass, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.settings.checks import check_settings, conform
from engram.settings.setting import Setting, setting


@pytest.mark.parametrize(
    ("described", "value", "converted"),
    [
        (Setting(1, low=0), 0, 0),
        (Setting(1), np.int32(7), 7),
        (Setting(1.0), 2, 2.0),
        (Setting(1.0), np.float32(0.5), 0.5),
        (Setting(1.0, high=math.inf), math.inf, math.inf),
        (Setting(False), True, True),
        (Setting("x"), "y", "y"),
        (Setting("x", choices=("x", "y")), "y", "y"),
        (Setting(Path("x")), "y/z", Path("y/z")),
        (Setting((1, 2), high=9), [3, 4], (3, 4)),
    ],
)
def test_what_fits_gets_the_type_of_the_setting(described: Setting, value: object, converted: object) -> None:
    result = conform(described, value)
    assert result == converted
    assert type(result) is type(described.default)


@pytest.mark.parametrize(
    ("described", "value"),
    [
        (Setting(1), True),
        (Setting(1), 1.0),
        (Setting(1), "1"),
        (Setting(1), None),
        (Setting(1, low=0), -1),
        (Setting(1, high=5), 6),
        (Setting(1), 2**63),
        (Setting(1.0), math.nan),
        (Setting(1.0), math.inf),
        (Setting(1.0), 10**400),
        (Setting(1.0), True),
        (Setting(1.0), "1"),
        (Setting(1.0, above=0), 0.0),
        (Setting(False), 1),
        (Setting("x"), 1),
        (Setting("x"), "\ud800"),
        (Setting("x", choices=("x", "y")), "z"),
        (Setting(Path("x")), ""),
        (Setting(Path("x")), 1),
        (Setting((1, 2)), (1,)),
        (Setting((1, 2)), (1, 2.5)),
        (Setting((1, 2), high=9), (1, 10)),
        (Setting((1, 2)), "1/2"),
    ],
)
def test_what_does_not_fit_is_refused(described: Setting, value: object) -> None:
    assert conform(described, value) is None


@dataclass(frozen=True, slots=True)
class Limits:
    count_max: int = setting(5, low=1, code="invalid_limit")

    def __post_init__(self) -> None:
        check_settings(self)


def test_a_constructor_names_field_limit_and_value() -> None:
    with pytest.raises(InvalidInput, match=r"^count_max is 0 .*; it must be a whole number of at least 1$") as caught:
        Limits(0)
    error = caught.value
    assert (error.code, error.field, error.limit, error.value) == (
        "invalid_limit",
        "count_max",
        "a whole number of at least 1",
        "0",
    )
    far: Any = 2**70
    with pytest.raises(InvalidInput, match="less than 2\\^63"):
        Limits(far)


def test_a_constructor_turns_numbers_of_numpy_into_numbers_of_python() -> None:
    count: Any = np.int64(7)
    assert type(Limits(count).count_max) is int
