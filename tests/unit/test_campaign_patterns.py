"""The search for byte patterns, by which campaigns say that nothing is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from campaigns.patterns import Patterns, contents_of

FIRST, SECOND, OTHER = b"the first pattern", b"the first one that begins alike", b"something else"


@pytest.mark.parametrize("before", range(20))
@pytest.mark.parametrize("behind", [b"", b"x", b"the rest of it"])
def test_a_pattern_is_found_at_every_offset(before: int, behind: bytes) -> None:
    patterns = Patterns([FIRST, SECOND, OTHER])
    assert patterns.found_in([b"-" * before + SECOND + behind]) == {SECOND}
    assert patterns.found_in([b"-" * before + SECOND[:-1] + behind]) == set()


def test_all_that_any_content_has_is_found() -> None:
    patterns = Patterns([FIRST, SECOND, OTHER])
    assert patterns.found_in([FIRST + OTHER, b"", SECOND]) == {FIRST, SECOND, OTHER}
    assert patterns.found_in([]) == set()
    assert Patterns([]).found_in([FIRST]) == set()


def test_what_no_plain_search_finds_is_not_found() -> None:
    random = np.random.default_rng(5)
    wanted = [random.bytes(12) for _ in range(300)]
    # Few values, so that many places begin as a pattern does.
    wanted += [bytes(random.integers(0, 2, 9, dtype=np.uint8)) for _ in range(30)]
    contents = [bytes(random.integers(0, 2, 5000, dtype=np.uint8)) + wanted[number] for number in range(20)]
    plain = {pattern for pattern in wanted if any(pattern in content for content in contents)}
    assert len(plain) > 20
    assert Patterns(wanted).found_in(contents) == plain


def test_a_pattern_that_is_too_short_is_refused() -> None:
    with pytest.raises(AssertionError):
        Patterns([b"short"])


def test_every_file_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "first").write_bytes(b"1")
    (tmp_path / "a" / "b" / "second").write_bytes(b"2")
    assert list(contents_of(tmp_path)) == [b"2", b"1"]
