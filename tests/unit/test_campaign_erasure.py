"""The campaign of erasures itself: it would notice what it looks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.erasure.erasing import Search, broken
from campaigns.erasure.persons import IN_CHECKPOINTS, IN_LOGS, VERSIONS, Persons, counted

NONE = counted([])
ALL = counted([*IN_LOGS, *IN_CHECKPOINTS])
SOUND: dict[str, Any] = {
    "erased": 1,
    "observations": VERSIONS,
    "traces": ALL,
    "before": ALL,
    "backup_before": counted(IN_LOGS),
    "afterwards": NONE,
    "closed": NONE,
    "backup_afterwards": NONE,
    "restored": NONE,
    "kept_traces": ALL,
    "kept": ALL,
    "verified": {"data": "sound", "restored": "sound"},
    "live": 7,
    "live_found": 7,
}


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"before": counted(IN_LOGS)}, "of " + str(ALL) + ": before"),
        ({"backup_before": ALL}, ": backup_before"),
        ({"kept": NONE}, ": kept"),
        ({"afterwards": counted(["vector"])}, "left: afterwards: "),
        ({"closed": counted(["sign bits"])}, "left: closed: "),
        ({"backup_afterwards": counted(["text"])}, "left: backup_afterwards: "),
        ({"restored": counted(["id"])}, "left: restored: "),
        ({"observations": 1}, "1 observations were erased, of 2"),
        ({"verified": {"data": "sound", "restored": "a trace"}}, "restored is not verified: a trace"),
        ({"live_found": 6}, "6 of 7 who stay are restored"),
    ],
)
def test_what_must_not_be_is_noticed(changed: dict[str, Any], word: str) -> None:
    assert broken(SOUND) == []
    (fault,) = broken({**SOUND, **changed})
    assert word in fault


def test_every_kind_of_trace_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    persons = Persons(3)
    traces = persons.traces([4, 5], tmp_path)
    search = Search(traces)
    # The versions of a person have one id.
    assert search.all == {**dict.fromkeys((*IN_LOGS, *IN_CHECKPOINTS), 2 * VERSIONS), "id": 2}
    assert search.found(tmp_path) == NONE
    for trace, kind in traces.items():
        (tmp_path / "data" / "file").write_bytes(b"..." + trace + b"...")
        assert search.found(tmp_path / "data") == {**NONE, kind: 1}
    assert search.found(tmp_path / "data", tmp_path) == search.found(tmp_path)
