"""Recalls of many cues as messages: what is refused, and which cue an error is about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.hit import Hits
from engram.model.limits import CUES_MAX
from engram.model.many.many_recalled import ManyRecalled
from engram.wire import engram_pb2 as pb
from engram.wire import recalls
from engram.wire.operations.many import RECALL_MANY_CODEC
from engram.wire.recalls import encode_many
from tests.unit.wire.test_recalls import make_hit

EIGHT_NUMBERS = np.arange(8, dtype="<f4").tobytes()


def refused(**fields: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        RECALL_MANY_CODEC.decode_request(pb.RecallManyRequest(**fields))
    return caught.value


def test_vectors_are_of_one_length() -> None:
    for count, packed in ((3, EIGHT_NUMBERS), (0, EIGHT_NUMBERS), (1, b""), (4, EIGHT_NUMBERS[:-1]), (16, b"1234")):
        error = refused(vector_count=count, vectors_f32=packed)
        assert (error.code, error.field) == ("vectors_size", "vectors_f32")


def test_cues_come_in_one_way() -> None:
    error = refused(cues=[pb.Cue(text="pumps")], vector_count=2, vectors_f32=EIGHT_NUMBERS)
    assert (error.code, error.field) == ("invalid_recall", "cues")


def test_there_is_a_limit_to_the_cues_of_a_message() -> None:
    given: list[dict[str, Any]] = [
        {"cues": [pb.Cue(text="x")] * (CUES_MAX + 1)},
        {"vector_count": CUES_MAX + 1, "vectors_f32": bytes(4 * (CUES_MAX + 1))},
    ]
    for fields in given:
        error = refused(**fields)
        assert (error.code, error.field, error.limit) == ("cues_count", "cues", f"0..{CUES_MAX}")


def test_an_error_names_the_cue() -> None:
    bad = pb.Cue(text="pumps", by=pb.CUE_BY_WORDS, score_min=0.5)
    error = refused(cues=[pb.Cue(text="pumps"), bad])
    assert error.field == "cues[1]"
    assert error.message.startswith("cues[1]: ")


def test_an_answer_beyond_a_message_is_refused_while_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    results = ManyRecalled([Hits([make_hit("a", content="x" * 400)], 9) for _ in range(10)], 9)
    assert len(encode_many(results).results) == 10
    monkeypatch.setattr(recalls, "MESSAGE_BYTES_MAX", 1000)
    with pytest.raises(InvalidInput, match=r"the first \d cues .* ask for fewer cues") as caught:
        encode_many(results)
    assert (caught.value.code, caught.value.field) == ("results_bytes", "cues")
