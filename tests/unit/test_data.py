"""The bundled sample, and the script that makes it."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from engram.data import Rows, sample
from tests.doubles.places import ROOT

SCRIPT = ROOT / "scripts" / "make_sample_data.py"


@pytest.mark.parametrize(("rows", "count"), [(sample(), 4000), (sample().queries, 50)])
def test_columns_fit_together(rows: Rows, count: int) -> None:
    assert len(rows) == len(set(rows.ids)) == len(rows.contents) == len(rows.vectors) == count
    assert all(": " in content for content in rows.contents)
    assert rows.vectors.dtype == np.float32
    assert rows.vectors.shape == (count, 384)
    assert np.allclose(np.linalg.norm(rows.vectors, axis=1), 1.0, atol=1e-6)


def test_queries_are_held_out() -> None:
    assert not set(sample().queries.contents) & set(sample().contents)


def test_queries_have_neighbours_that_make_sense() -> None:
    data = sample()
    scores = data.queries.vectors @ data.vectors.T
    assert (np.sort(scores, axis=1)[:, -3] > 0.55).all()
    volcano = data.queries.ids.index("volcano")
    assert "volcan" in data.contents[int(scores[volcano].argmax())]


def test_the_sample_is_read_once_and_cannot_be_changed() -> None:
    assert sample() is sample()
    with pytest.raises(ValueError, match="read-only"):
        sample().vectors[0, 0] = 1.0


def test_the_licence_of_the_texts_goes_along() -> None:
    licence = files("engram.data").joinpath("WORDNET_LICENSE.txt").read_text(encoding="utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence


def test_the_script_makes_a_sample_from_the_same_data_again(tmp_path: Path) -> None:
    # What it is given here is its own earlier choice, so that nothing outside the repository is needed.
    data = sample()
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    lines = [*data.contents, *data.queries.contents]
    (source / "wordnet.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    np.save(source / "wordnet384.npy", np.concatenate([data.vectors, data.queries.vectors]).astype(np.float16))
    subprocess.run([sys.executable, str(SCRIPT), str(source), str(target)], check=True, timeout=300)
    assert (target / "wordnet_queries.txt").read_text(encoding="utf-8").splitlines() == list(data.queries.contents)
    assert (target / "wordnet_sample.txt").read_text(encoding="utf-8").splitlines() == list(data.contents)
    with np.load(target / "wordnet_vectors.npz") as stored:
        assert np.allclose(stored["sample"], data.vectors, atol=1e-3)
