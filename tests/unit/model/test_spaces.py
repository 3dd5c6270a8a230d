"""Settings of a space are of the right type, or refused with what to pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.spaces import METRICS, SpaceConfig, asked_config, asks_for_settings


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


@pytest.mark.parametrize("wrong", [8.0, [8], np.ones(3), "8"])
def test_settings_that_are_asked_for_are_checked(wrong: Any) -> None:
    assert not asks_for_settings(None, None, None)
    assert asks_for_settings(wrong, None, None)
    assert asked_config("space", None, None, None) == SpaceConfig("space")
    with pytest.raises(InvalidInput) as refused:
        asked_config("space", wrong, None, None)
    assert refused.value.field == "dimension"
