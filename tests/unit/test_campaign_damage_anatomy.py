"""Where the campaign of damage looks for the parts of a log: what lies there is what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campaigns.damage.anatomy import dissect
from campaigns.damage.harm import PARTS
from campaigns.damage.story import SPACES, write_story
from campaigns.damage.writer import apply
from engram import MemoryStore
from engram.model.values.expiry import NEVER_US
from engram.model.values.presence import unpack_presence

# In the year 2100.
EXPIRES_US = 4_102_444_800_000_000


def bytes_of(directory: Path, name: str) -> list[bytes]:
    """What lies in each part of this name."""
    return [(directory / file).read_bytes()[start:stop] for file, start, stop in dissect(directory).parts[name]]


def test_what_only_some_rows_have_is_found(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=2, metric="ip", vectors="optional")
        times = np.array([EXPIRES_US, None, EXPIRES_US + 1], "datetime64[us]")
        space.observe(["a", "b", "c"], [[1, 2], None, [3, 4]], [None, "the text of b", ""], expires_at=times)
    (expiries,), (vectors,), (sums,) = (bytes_of(tmp_path, name) for name in ("expiries", "vectors", "vector sums"))
    assert np.frombuffer(expiries, np.int64).tolist() == [EXPIRES_US, NEVER_US, EXPIRES_US + 1]
    assert np.frombuffer(vectors, np.float32).tolist() == [1, 2, 3, 4]
    assert len(sums) == 2 * 4
    for name, presence in (("vector presence", [True, False, True]), ("text presence", [False, True, True])):
        (bits,) = bytes_of(tmp_path, name)
        assert unpack_presence(np.frombuffer(bits, np.uint8), 3).tolist() == presence


def test_observations_without_vectors_are_no_deletion(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", vectors="none")
        space.observe(["a", "b"], None, ["the text of a", "the text of b"])
        space.delete(["b"])
    assert bytes_of(tmp_path, "ids") == [b"ab"]
    assert bytes_of(tmp_path, "ids of a deletion") == [b"b"]


def test_the_story_has_every_part_that_is_damaged(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        for name, config in SPACES.items():
            store.space(name, config.dim, config.metric, config.embedder or None, vectors=config.vectors)
        for change in write_story("a test"):
            apply(store.space(change.space), change, store)
    assert set(PARTS) <= dissect(tmp_path).parts.keys()
