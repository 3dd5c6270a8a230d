"""The file that lists the spaces, their aliases, and what is unfinished."""

from __future__ import annotations

import json

import pytest

from engram.errors import CorruptData, NewerFormat
from engram.log.files.checked_json import Encoded, encode_checked
from engram.log.files.memory_storage import MemoryStorage
from engram.store.naming.space_list import FILE, Listed, ListedSpaces, decode_list, write_list

EVERYTHING = ListedSpaces(
    "ab" * 16,
    {"notes": Listed("cd" * 16, 7), "other": Listed("", 0)},
    {"current": "notes", "another": "notes"},
    {"gone": "ef" * 16, "older": ""},
    {"other": "former"},
)


def written(content: ListedSpaces) -> bytes:
    storage = MemoryStorage()
    write_list(storage, content)
    return storage.read(FILE)


@pytest.mark.parametrize("content", [ListedSpaces("ab" * 16), EVERYTHING])
def test_what_is_written_is_read(content: ListedSpaces) -> None:
    assert decode_list(written(content)) == content


def test_what_there_is_not_is_not_written() -> None:
    assert json.loads(written(ListedSpaces("ab" * 16))).keys() == {"format", "needs", "store", "spaces", "crc32c"}


def test_what_is_encoded_already_is_not_encoded_again() -> None:
    storage = MemoryStorage()
    known: dict[str, tuple[Listed, Encoded]] = {}
    write_list(storage, EVERYTHING, known)
    before = known["notes"][1]
    fewer = ListedSpaces("ab" * 16, {"notes": EVERYTHING.spaces["notes"]})
    write_list(storage, fewer, known)
    assert list(known) == ["notes"]
    assert known["notes"][1] is before
    assert decode_list(storage.read(FILE)) == fewer


def test_what_a_newer_version_noted_is_refused_by_name() -> None:
    with pytest.raises(NewerFormat, match="'merged'") as refusal:
        decode_list(encode_checked({"store": "", "spaces": {}, "merged": {}}))
    assert (refusal.value.code, refusal.value.field, refusal.value.value) == ("newer_format", FILE, "merged")


@pytest.mark.parametrize("key", ["aliases", "dropped", "renamed"])
def test_a_changed_byte_of_a_note_is_noticed(key: str) -> None:
    data = written(EVERYTHING)
    assert key.encode() in data
    with pytest.raises(CorruptData):
        decode_list(data.replace(key.encode(), key.encode().upper()))
    with pytest.raises((TypeError, AttributeError)):
        decode_list(encode_checked({"store": "", "spaces": {}, key: 7}))


def test_the_aliases_of_a_space() -> None:
    assert EVERYTHING.aliases_of("notes") == ("another", "current")
    assert EVERYTHING.aliases_of("other") == ()
