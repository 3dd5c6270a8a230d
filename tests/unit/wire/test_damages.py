"""Damage and unsound spaces there and back."""

from __future__ import annotations

from engram.errors import CorruptData, NewerFormat
from engram.model.damage import Damage
from engram.wire.damages import decode_damage, decode_unsound, encode_damage, encode_unsound


def test_damage_comes_back_as_it_was() -> None:
    for damage in (
        Damage("notes", "log/000000000001.log", 2**40, 7, 2**62, "its bytes do not fit their checksum"),
        Damage("", "store.json", 0, 0, 0, "it is missing"),
    ):
        assert decode_damage(encode_damage(damage)) == damage


def test_its_text_is_bounded() -> None:
    assert len(encode_damage(Damage("notes", "space.json", 0, 0, 0, "x" * 10_000)).what) == 400


def test_an_unsound_space_keeps_its_error() -> None:
    for error in (CorruptData("lost", code="missing_space", field="spaces/notes"), NewerFormat("too new")):
        name, back = decode_unsound(encode_unsound("notes", error))
        assert name == "notes"
        assert type(back) is type(error)
        assert (back.code, back.message, back.field) == (error.code, error.message, error.field)
