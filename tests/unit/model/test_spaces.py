"""Settings of a space are of the right type, or refused with what to pass."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from engram.errors import AlreadyExists, InvalidInput
from engram.model.spaces import (
    METRICS,
    SpaceConfig,
    asked_config,
    asks_for_settings,
    check_settings_of,
    dimension_of,
    may_create,
)


@pytest.mark.parametrize("dim", [8, np.int64(8), np.uint8(8), np.int32(8)])
def test_a_dimension_is_any_whole_number(dim: Any) -> None:
    config = SpaceConfig("space", dim)
    assert (config.dim, type(config.dim)) == (8, int)


@pytest.mark.parametrize(
    "dim", [8.0, np.float32(8), True, np.True_, "8", b"8", None, [8], np.array(8), 0, 4097, -8, 10**400, float("nan")]
)
def test_other_dimensions_are_refused(dim: Any) -> None:
    with pytest.raises(InvalidInput, match=r"1\.\.4096") as caught:
        SpaceConfig("space", dim)
    assert (caught.value.code, caught.value.field) == ("invalid_dimension", "dimension")


@pytest.mark.parametrize("wrong", [None, 1, b"cosine", ["cosine"], {}, "\ud800", 2.5])
@pytest.mark.parametrize(
    ("setting", "code"),
    [("name", "invalid_space_name"), ("metric", "invalid_metric"), ("embedder", "invalid_embedder_name")],
)
def test_a_text_of_another_type_is_refused(setting: str, code: str, wrong: Any) -> None:
    settings: dict[str, Any] = {"name": "space", setting: wrong}
    with pytest.raises(InvalidInput) as caught:
        SpaceConfig(**settings)
    assert caught.value.code == code
    str(caught.value).encode()


@pytest.mark.parametrize("metric", ["", "COSINE", "cosine "])
def test_an_unknown_metric_names_the_known(metric: Any) -> None:
    with pytest.raises(InvalidInput, match=", ".join(METRICS)):
        SpaceConfig("space", 8, metric)


def test_a_space_says_whether_its_observations_have_vectors() -> None:
    assert SpaceConfig("space", 8).vectors == "required"
    assert SpaceConfig("space", 8).settings() == {"name": "space", "dim": 8, "metric": "cosine", "embedder": ""}
    assert SpaceConfig("space", 8, vectors="optional").settings()["vectors"] == "optional"
    none = SpaceConfig("space", dimension_of(None, "none"), vectors="none")
    assert (none.dim, none.index_dim, SpaceConfig("space", 8).index_dim) == (0, 1, 8)
    assert (dimension_of(None, None), dimension_of(3, "none"), dimension_of(None, "optional")) == (768, 3, 768)


def test_a_space_may_have_a_default_time_to_live() -> None:
    ttls: list[Any] = [None, math.inf, 60, np.float32(0.5), timedelta(hours=1)]
    configs = [SpaceConfig("space", 8, ttl_s=ttl) for ttl in ttls]
    assert [config.ttl_s for config in configs] == [None, None, 60.0, 0.5, 3600.0]
    assert [config.settings().get("ttl_s") for config in configs] == [config.ttl_s for config in configs]
    assert "ttl_s" not in configs[0].settings()
    check_settings_of(configs[2], None, None, None, None, None)
    check_settings_of(configs[2], None, None, None, None, 60.0)
    with pytest.raises(AlreadyExists, match=r"ttl_s 60\.0, not 30") as other:
        check_settings_of(configs[2], None, None, None, None, 30)
    assert (other.value.code, other.value.field) == ("space_exists", "ttl_s")


@pytest.mark.parametrize(
    ("settings", "code", "field"),
    [
        ({"dim": 8, "ttl_s": -1}, "invalid_ttl", "ttl_s"),
        ({"dim": 8, "ttl_s": "60"}, "invalid_ttl", "ttl_s"),
        ({"dim": 8, "vectors": "some"}, "invalid_vectors_setting", "vectors"),
        ({"dim": 8, "vectors": None}, "invalid_vectors_setting", "vectors"),
        ({"dim": 8, "vectors": "none"}, "invalid_dimension", "dimension"),
        ({"dim": 0, "vectors": "optional"}, "invalid_dimension", "dimension"),
        ({"dim": 0, "vectors": "none", "embedder": "lexical"}, "vectors_refused", "embedder"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SpaceConfig("space", **settings)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize("wrong", [8.0, [8], np.ones(3), "8"])
def test_settings_that_are_asked_for_are_checked(wrong: Any) -> None:
    assert not asks_for_settings(None, None, None, None, None)
    assert asks_for_settings(wrong, None, None, None, None)
    assert asked_config("space", None, None, None, None, None) == SpaceConfig("space")
    with pytest.raises(InvalidInput) as refused:
        asked_config("space", wrong, None, None, None, None)
    assert refused.value.field == "dimension"
    with pytest.raises(InvalidInput) as refused:
        asked_config("space", None, None, None, wrong, None)
    assert (refused.value.code, refused.value.field) == ("invalid_vectors_setting", "vectors")


@pytest.mark.parametrize("create", [None, True, False, np.True_])
@pytest.mark.parametrize("asks", [True, False])
def test_a_space_is_made_as_is_said_or_else_with_a_setting(create: Any, asks: bool) -> None:
    assert may_create("notes", create, asks) is (asks if create is None else bool(create))


def test_the_default_space_is_made_unless_that_is_forbidden() -> None:
    assert may_create("default", None, False)
    assert not may_create("default", False, True)
    # What is no name is refused later, and not compared before.
    assert not may_create(np.ones(3), None, False)


@pytest.mark.parametrize("create", ["no", 0, 1, []])
def test_whether_a_space_is_made_is_a_truth_value(create: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        may_create("notes", create, True)
    assert (refused.value.code, refused.value.field) == ("invalid_flag", "create")
