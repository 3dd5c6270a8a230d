"""Changes as messages: as many as clients accept, and those of kinds that are known."""

from __future__ import annotations

from engram.model.following.change import Change, Changes
from engram.model.following.follow_changes import FollowChanges
from engram.wire.operations.changes import CHANGES_CODEC
from tests.unit.wire.operations.test_table import TOLD
from tests.unit.wire.test_recalls import make_hit

QUESTION = CHANGES_CODEC.encode_request(FollowChanges("notes"))


def test_a_change_of_a_kind_that_only_a_later_server_knows_is_passed_over() -> None:
    (answer,) = CHANGES_CODEC.encode_result(QUESTION, Changes(TOLD))
    answer.changes[2].kind = 99
    assert CHANGES_CODEC.decode_result(answer) == [*TOLD[:2], *TOLD[3:]]


def test_changes_that_are_too_large_for_a_message_are_several() -> None:
    hits = [make_hit("a", generation=number, content="x" * 65_536) for number in range(1, 201)]
    changes = Changes([Change("observed", "a", hit.generation, None, hit) for hit in hits], 300, incomplete=True)
    answers = CHANGES_CODEC.encode_result(QUESTION, changes)
    assert len(answers) > 1
    assert max(answer.ByteSize() for answer in answers) <= 4 << 20
    decoded = [CHANGES_CODEC.decode_result(answer) for answer in answers]
    assert [change for part in decoded for change in part] == changes
    assert all(part.incomplete for part in decoded)
    # Whoever goes on after one of them misses nothing.
    assert [part.generation for part in decoded] == [*(part[-1].generation for part in decoded[:-1]), 300]


def test_one_change_is_one_message_however_large_it_is() -> None:
    (hit,) = [make_hit("a", metadata={str(number): "x" * 65 for number in range(900)}, content="x" * 65_536)]
    (answer,) = CHANGES_CODEC.encode_result(QUESTION, Changes([Change("updated", "a", 7, 3, hit)], 7))
    assert CHANGES_CODEC.decode_result(answer).hits == [hit]
