"""Settings of a space: a metric that is not known is a newer one only where a checksum says that it is no damage."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engram.errors import CorruptData, NewerFormat
from engram.model.spaces import METRICS, SpaceConfig
from engram.model.values.retention_policy import RetentionPolicy
from engram.store.space_settings import decode_settings, policy_in, read_settings1, with_config, with_policy

SETTINGS: dict[str, Any] = {"name": "notes", "dim": 8, "metric": "l2", "embedder": ""}


def test_settings_come_back_as_they_were_written() -> None:
    expected = SpaceConfig("notes", 8, "l2", "")
    assert decode_settings("notes", SETTINGS, "space.json") == expected
    assert read_settings1("notes", json.dumps({**SETTINGS, "format": 1}).encode(), "space.json") == expected


def test_a_metric_that_is_not_known_is_a_newer_one() -> None:
    with pytest.raises(NewerFormat, match="metric 'hamming'") as caught:
        decode_settings("notes", {**SETTINGS, "metric": "hamming"}, "space.json")
    assert caught.value.limit == ", ".join(METRICS)


def test_a_metric_that_is_not_known_is_damage_where_nothing_has_a_checksum() -> None:
    data = json.dumps({**SETTINGS, "metric": "l3", "format": 1}).encode()
    with pytest.raises(CorruptData, match="metric 'l3'"):
        read_settings1("notes", data, "space.json")


@pytest.mark.parametrize("metric", [None, 2, ["l2"]])
def test_a_metric_that_is_no_name_is_damage(metric: object) -> None:
    with pytest.raises(CorruptData):
        decode_settings("notes", {**SETTINGS, "metric": metric}, "space.json")


def test_a_description_that_says_nothing_of_vectors_requires_them() -> None:
    assert decode_settings("notes", SETTINGS, "space.json").vectors == "required"
    optional = SpaceConfig("notes", 8, "l2", vectors="optional")
    assert decode_settings("notes", optional.settings(), "space.json") == optional
    none = SpaceConfig("notes", 0, vectors="none")
    assert decode_settings("notes", none.settings(), "space.json") == none
    assert "vectors" not in SpaceConfig("notes", 8).settings()


def test_a_default_time_to_live_is_a_setting_like_any_other() -> None:
    short = SpaceConfig("notes", 8, "l2", ttl_s=0.5)
    assert decode_settings("notes", short.settings(), "space.json") == short
    for wrong in (-1, "60", [60]):
        with pytest.raises(CorruptData):
            decode_settings("notes", {**SETTINGS, "ttl_s": wrong}, "space.json")


def test_settings_that_change_leave_what_else_is_recorded() -> None:
    policy = RetentionPolicy(60.0)
    short = SpaceConfig("notes", 8, "l2", ttl_s=60)
    recorded = with_config(with_policy(SETTINGS, policy), short)
    assert (decode_settings("notes", recorded, "space.json"), policy_in(recorded)) == (short, policy)
    never = with_config(recorded, replace(short, ttl_s=None))
    assert (decode_settings("notes", never, "space.json").ttl_s, policy_in(never)) == (None, policy)


def test_a_vectors_setting_that_is_not_known_is_a_newer_one() -> None:
    with pytest.raises(NewerFormat, match="setting vectors 'many'"):
        decode_settings("notes", {**SETTINGS, "vectors": "many"}, "space.json")
