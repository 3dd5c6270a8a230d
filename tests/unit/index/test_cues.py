"""Standing cues: every match, none that is not one, in order, for all metrics."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.index import CueTable, HnswIndex, RawVectors
from engram.model.spaces import METRICS, Metric
from tests.doubles.vectors import clustered, true_scores

DIM = 96


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 7, DIM])
def test_matches_are_those_of_a_full_comparison(metric: Metric, dim: int, half: bool) -> None:
    base, cues = clustered(2_000, dim), clustered(100, dim, seed=2)
    stored: RawVectors = base.astype(np.float16) if half else base
    values = stored.astype(np.float32)
    scores = true_scores(values, cues, metric)
    threshold = float(np.quantile(scores, 0.99))
    index, table = HnswIndex(dim, metric), CueTable(dim, metric)
    index.append(base, 1, raw=stored)
    index.publish(2_000)
    for key, cue in enumerate(cues):
        table.add(key, cue, threshold)
    keys, generations, found = index.match(table, 501, 2_000)
    pairs = set(zip(generations.tolist(), keys.tolist(), strict=True))
    sure = {(g + 1, k) for g, k in np.argwhere(scores > threshold + 1e-4) if g >= 500}
    possible = {(g + 1, k) for g, k in np.argwhere(scores > threshold - 1e-4) if g >= 500}
    assert sure <= pairs <= possible
    assert len(pairs) == len(keys)
    assert (np.diff(generations) >= 0).all()
    np.testing.assert_allclose(found, scores[generations - 1, keys], atol=1e-3)


def test_cues_come_and_go() -> None:
    index, table = HnswIndex(DIM), CueTable(DIM)
    base = clustered(50, DIM)
    index.add(base)
    for key in range(10):
        table.add(key, base[key], 0.999)
    assert table.remove(3)
    assert not table.remove(3)
    table.add(4, base[14], 0.999)
    keys, generations, _ = index.match(table, 1, 50)
    assert list(zip(keys.tolist(), generations.tolist(), strict=True)) == [
        *((key, key + 1) for key in (0, 1, 2, 5, 6, 7, 8, 9)),
        (4, 15),
    ]
    assert len(table) == 9


def test_bad_cues_are_refused() -> None:
    with pytest.raises(InvalidInput, match="dim is 0"):
        CueTable(0)
    with pytest.raises(InvalidInput, match="vector"):
        CueTable(DIM).add(1, np.zeros(5, dtype=np.float32), 0.5)
