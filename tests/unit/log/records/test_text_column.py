"""Text columns: round trips, and finding a text from the end."""

from __future__ import annotations

import pytest

from engram.log.records.layout import TextPlace
from engram.log.records.text_column import TextColumn, encode_texts, read_text

CASES = [["a"], ["", ""], ["a", "", "bc"], ["ä", "b", "记忆", ""], ["aa", "a", "aaa", "a", "baab"], ["x\x00y", "\x1f"]]


def column(texts: list[str]) -> TextColumn:
    offsets, blob = encode_texts(texts)
    memory = memoryview(b"head" + offsets.tobytes() + blob + b"tail")
    return TextColumn(memory, 4, TextPlace(0, offsets.nbytes, len(blob)), len(texts))


@pytest.mark.parametrize("texts", CASES)
def test_round_trip(texts: list[str]) -> None:
    assert column(texts).texts() == texts
    offsets, blob = encode_texts(texts)
    memory, place = memoryview(b"head" + offsets.tobytes() + blob + b"tail"), TextPlace(0, offsets.nbytes, len(blob))
    assert [read_text(memory, 4, place, row)[0].decode() for row in range(len(texts))] == texts


@pytest.mark.parametrize("texts", CASES)
def test_rfind_agrees_with_a_plain_search(texts: list[str]) -> None:
    for wanted in {*filter(None, texts), "aa", "nothing", "ab"}:
        for end in range(len(texts) + 1):
            rows = [row for row in range(end) if texts[row] == wanted]
            assert column(texts).rfind(wanted, end) == (rows[-1] if rows else -1)


def test_ranges_name_what_a_text_is_read_from() -> None:
    texts = ["a", "héllo", ""]
    offsets, blob = encode_texts(texts)
    payload = offsets.tobytes() + blob
    memory, place = memoryview(b"head" + payload), TextPlace(0, offsets.nbytes, len(blob))
    for row, text in enumerate(texts):
        first, last, start, stop = read_text(memory, 4, place, row)[1]
        assert payload[first:last] == offsets[row : row + 2].tobytes()
        assert payload[start:stop].decode() == text


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("wrong", [0, 3, 2**31, 2**32 - 1])
def test_offsets_that_are_wrong_never_lead_out_of_the_column(row: int, wrong: int) -> None:
    offsets, blob = encode_texts(["one", "two"])
    offsets[row] = wrong
    memory, place = memoryview(b"head" + offsets.tobytes() + blob + b"tail"), TextPlace(0, offsets.nbytes, len(blob))
    for utf8, _ in (read_text(memory, 4, place, 0), read_text(memory, 4, place, 1)):
        assert utf8 in blob
