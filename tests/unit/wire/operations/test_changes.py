"""Changes as messages: no more than clients accept, and those of kinds that are known."""

from __future__ import annotations

import pytest

from engram.errors import InvalidInput
from engram.model.following.change import Change, Changes
from engram.model.following.follow_changes import FollowChanges
from engram.model.limits import CONTENT_BYTES_MAX
from engram.wire import engram_pb2 as pb
from engram.wire.operations.changes import CHANGES_CODEC
from tests.unit.wire.operations.test_table import TOLD
from tests.unit.wire.test_recalls import make_hit

QUESTION = CHANGES_CODEC.encode_request(FollowChanges("notes"))


def test_a_change_of_a_kind_that_only_a_later_server_knows_is_passed_over() -> None:
    (answer,) = CHANGES_CODEC.encode_result(QUESTION, Changes(TOLD))
    answer.changes[2].kind = pb.Change.Kind.ValueType(99)
    assert CHANGES_CODEC.decode_result(answer) == [*TOLD[:2], *TOLD[3:]]


def test_several_changes_that_are_too_large_together_are_refused() -> None:
    hits = [make_hit("a", generation=number, content="x" * 65_536) for number in range(1, 201)]
    changes = Changes([Change("observed", "a", hit.generation, None, hit) for hit in hits], 300, incomplete=True)
    with pytest.raises(InvalidInput) as refused:
        CHANGES_CODEC.encode_result(QUESTION, changes)
    assert refused.value.code == "results_bytes"
    few = Changes(changes[:40], 40, incomplete=True)
    (answer,) = CHANGES_CODEC.encode_result(QUESTION, few)
    assert answer.ByteSize() <= 4 << 20
    decoded = CHANGES_CODEC.decode_result(answer)
    assert (decoded, decoded.generation, decoded.incomplete) == (few, 40, True)


def test_one_change_is_one_message_however_large_it_is() -> None:
    (hit,) = [make_hit("a", metadata={str(number): "x" * 65 for number in range(900)}, content="x" * CONTENT_BYTES_MAX)]
    (answer,) = CHANGES_CODEC.encode_result(QUESTION, Changes([Change("updated", "a", 7, 3, hit)], 7))
    assert CHANGES_CODEC.decode_result(answer).hits == [hit]
