"""Conversion of messages to and from damaged places, and spaces that could not be opened."""

from __future__ import annotations

from engram.errors import EngramError
from engram.model.damage import Damage
from engram.wire import engram_pb2 as pb
from engram.wire.errors import decode_error, encode_error

_TEXT_CHARACTERS_MAX = 400


def encode_damage(damage: Damage) -> pb.Damage:
    """Return the message for a damaged place, its text cut to a bounded length."""
    return pb.Damage(
        memory_space_id=damage.space,
        file=damage.file,
        offset=damage.offset,
        first_generation=damage.first_generation,
        last_generation=damage.last_generation,
        what=damage.what[:_TEXT_CHARACTERS_MAX],
    )


def decode_damage(message: pb.Damage) -> Damage:
    """Return the damaged place in `message`."""
    return Damage(
        message.memory_space_id,
        message.file,
        message.offset,
        message.first_generation,
        message.last_generation,
        message.what,
    )


def encode_unsound(name: str, error: EngramError) -> pb.UnsoundSpace:
    """Return the message that says why a space is not served."""
    return pb.UnsoundSpace(memory_space_id=name, error=encode_error(error))


def decode_unsound(message: pb.UnsoundSpace) -> tuple[str, EngramError]:
    """Return the name of a space that is not served, and the error that says why."""
    return message.memory_space_id, decode_error(message.error)
