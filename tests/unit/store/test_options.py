"""Options are refused early and by name."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.store import StoreOptions


@pytest.mark.parametrize("field", ["segment_bytes", "link_count", "ef", "intake_count_max", "commit_bytes_max"])
def test_numbers_must_be_positive(field: str) -> None:
    settings: dict[str, Any] = {field: 0}
    with pytest.raises(InvalidInput, match=field):
        StoreOptions(**settings)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("workers", "4"),
        ("workers", 1.5),
        ("ef", True),
        ("ef", None),
        ("segment_bytes", 1e6),
        ("retained_s", "1"),
        ("half_life_s", None),
        ("half_life_s", 0),
        ("recent_tau_s", float("inf")),
        ("quality", "best"),
        ("quality", 5),
    ],
)
def test_options_of_another_type_are_refused(field: str, value: Any) -> None:
    settings: dict[str, Any] = {field: value}
    with pytest.raises(InvalidInput, match=field) as caught:
        StoreOptions(**settings)
    assert caught.value.code == "invalid_option"


def test_workers_default_to_the_cores_and_are_bounded() -> None:
    assert 1 <= StoreOptions().worker_count <= 16
    assert StoreOptions(workers=3).worker_count == 3
    assert StoreOptions(workers=99).worker_count == 16
    with pytest.raises(InvalidInput, match="workers"):
        StoreOptions(workers=-1)


def test_threads_of_a_search_default_to_the_cores_and_are_bounded() -> None:
    assert 1 <= StoreOptions().search_thread_count <= 64
    assert StoreOptions(search_threads=3).search_thread_count == 3
    for number in (-1, 65):
        with pytest.raises(InvalidInput, match="search_threads"):
            StoreOptions(search_threads=number)


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_closing_cannot_take_less_than_no_time(seconds: float) -> None:
    assert StoreOptions(drain_s=0.0).drain_s == 0.0
    with pytest.raises(InvalidInput, match="drain_s"):
        StoreOptions(drain_s=seconds)
