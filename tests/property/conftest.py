"""What the models of damage share: a sound data directory of which every write is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doubles.damaged import Written, logs_of, make_crashed_store, make_store


@pytest.fixture(scope="module", params=[make_store, make_crashed_store], ids=["closed", "crashed"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    """A data directory that is to be copied before it is damaged, and what was written to it."""
    path = tmp_path_factory.mktemp("sound") / "data"
    written = request.param(path, seed=11)
    assert len(logs_of(path)) > 3
    return path, written
