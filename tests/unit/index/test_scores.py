"""Exact scores: right for every metric and dimension, and the same bits wherever a vector is met."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from engram import _core
from engram.errors import InvalidInput
from engram.index import exact_scores, similarities
from engram.model.spaces import DIRECTIONAL_METRICS, METRICS, Metric
from tests.doubles.vectors import true_scores

DIMS = (1, 3, 8, 17, 384, 768, 4096)
COUNT = 300


def vectors_of(count: int, dim: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def test_what_the_model_knows_of_metrics_is_what_the_core_has() -> None:
    rules = _core.metrics()
    assert tuple(rules) == METRICS
    assert {name for name, rule in rules.items() if rule["needs_direction"]} == DIRECTIONAL_METRICS


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", DIMS)
def test_scores_are_those_of_double_precision(metric: Metric, dim: int) -> None:
    query, rows = vectors_of(1, dim, 1)[0], vectors_of(COUNT, dim, 2)
    scores = exact_scores(query, rows, metric)
    assert (str(scores.dtype), scores.shape) == ("float32", (COUNT,))
    np.testing.assert_allclose(scores, true_scores(query[None], rows, metric)[0], rtol=2e-5, atol=1e-6 * dim)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("half", [False, True])
def test_a_search_a_walk_a_scan_and_a_match_give_the_same_bits(metric: Metric, dim: int, half: bool) -> None:
    query, rows = vectors_of(1, dim, 1), vectors_of(COUNT, dim, 2)
    raw = rows.astype(np.float16) if half else rows
    expected = exact_scores(query[0], raw.astype(np.float32), metric)
    index = _core.Index(dim, metric, 8, 31, 24)
    index.append(rows, 1, raw, None, None)
    index.publish(COUNT)
    cues = _core.CueTable(dim, metric)
    cues.add(7, query[0], -np.inf)
    scanned = index.search(query, COUNT, COUNT, None, None, 1)
    while index.link(64, False):
        pass
    # So few candidates that the graph is walked instead of scanned.
    searched = index.search(query, 2, 2, None, None, 1)
    filtered = index.search(query, 2, 2, COUNT - 1, None, 1)
    walk = index.walk(query[0], None, None)
    steps = [walk.next(1, 1) for _ in range(COUNT)]
    _, generations, scores, _ = index.match(cues, 1, COUNT)
    assert len(scanned[0][0]) == len({int(step[0][0]) for step in steps}) == len(generations) == COUNT
    for found, given_scores in [
        *((found[0][0], found[1][0]) for found in (scanned, searched, filtered)),
        *((step[0], step[1]) for step in steps),
        (generations, scores),
    ]:
        np.testing.assert_array_equal(given_scores, expected[found - 1])


@settings(deadline=None)
@given(
    st.sampled_from(METRICS),
    st.sampled_from([1, 3, 8, 17]).flatmap(lambda dim: arrays(np.int8, (2, dim))),
    st.tuples(st.integers(-45, 40), st.integers(-45, 40)),
)
def test_scores_of_whatever_may_be_stored_are_numbers_and_symmetric(
    metric: Metric, numbers: NDArray[np.int8], exponents: tuple[int, int]
) -> None:
    """Zero vectors are among them, and lengths from the smallest to the largest that may be stored."""
    one, other = np.ldexp(numbers.astype(np.float32), np.array(exponents, dtype=np.int32)[:, None])
    forth = exact_scores(one, other[None], metric)
    back = exact_scores(other, one[None], metric)
    assert np.isfinite(forth).all()
    np.testing.assert_array_equal(forth, back)


@settings(deadline=None)
@given(st.sampled_from(METRICS), st.lists(st.floats(-(2.0**100), 0, width=32), min_size=1))
def test_similarities_are_positive_and_keep_the_order(metric: Metric, scores: list[float]) -> None:
    ordered = np.sort(np.array(scores, dtype=np.float32))
    found = similarities(ordered, metric)
    assert str(found.dtype) == "float64"
    assert (found >= 0).all()
    assert (np.diff(found) >= 0).all()


def test_no_rows_have_no_scores() -> None:
    assert exact_scores(np.ones(8, np.float32), np.empty((0, 8), np.float32), "cosine").shape == (0,)


@pytest.mark.parametrize(
    ("query", "rows", "metric", "code"),
    [
        (np.ones(7, np.float32), np.ones((2, 8), np.float32), "ip", "dimension_mismatch"),
        (np.ones((1, 8), np.float32), np.ones((2, 8), np.float32), "ip", "dimension_mismatch"),
        (np.ones(8, np.float32), np.ones(8, np.float32), "ip", "dimension_mismatch"),
        (np.ones(8, np.float32), np.ones((2, 8), np.complex64), "ip", "invalid_vector"),
        (np.ones(8, np.float32), np.ones((2, 8), np.float32), "dot", "out_of_range"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    query: NDArray[np.float32], rows: NDArray[np.float32], metric: Metric, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        exact_scores(query, rows, metric)
    assert caught.value.code == code


def test_the_core_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="dimension"):
        _core.exact_scores(np.ones(7, np.float32), np.ones((2, 8), np.float32), "ip")
    with pytest.raises(ValueError, match="one of cosine, "):
        _core.exact_scores(np.ones(8, np.float32), np.ones((2, 8), np.float32), "dot")
