"""An integration closes the store that it has opened, and leaves that of its caller open."""

from __future__ import annotations

from pathlib import Path

import pytest

import engram
from engram.errors import FailedPrecondition
from engram.integrations.homes import StoreHolder


class Holder(StoreHolder):
    """One that shows its store."""

    def names(self) -> list[str]:
        self._store.space("notes", dim=2)
        return [space.name for space in self._store.spaces()]


@pytest.mark.parametrize("target", [None, "memories", Path("memories")], ids=["memory", "a text", "a path"])
def test_a_store_that_was_opened_here_is_closed(
    target: str | Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Holder(target) as holder:
        assert "notes" in holder.names()
    holder.close()
    with pytest.raises(FailedPrecondition, match="closed"):
        holder.names()
    assert (tmp_path / "memories").is_dir() == (target is not None)


def test_the_store_of_a_caller_stays_open() -> None:
    with engram.connect() as store:
        with Holder(store) as holder:
            assert "notes" in holder.names()
        assert holder.names() == [space.name for space in store.spaces()]
