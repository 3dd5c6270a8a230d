"""Nothing of many erased ids is left in any file, nor in a backup; ``python -m campaigns.erasure`` has more of them."""

from __future__ import annotations

from pathlib import Path

from campaigns.erasure.erasing import broken, run


def test_nothing_of_the_erased_is_left(tmp_path: Path) -> None:
    result = run(seed=15, count=60, of=900, work=tmp_path)
    assert broken(result) == []
    assert result["deleted_before"] == 6
    assert min(result["traces"].values()) >= 60
