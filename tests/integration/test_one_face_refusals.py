"""What a space refuses, it refuses with the same errors embedded and over every transport."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engram import Cue
from engram.errors import FailedPrecondition, InvalidInput
from tests.doubles.places import ROOT
from tests.integration.homes import HOMES, vector_of
from tests.integration.refused_calls import ONES, REFUSED
from tests.integration.socket_client import SocketServer


@pytest.mark.parametrize("name", HOMES)
def test_bad_arguments_are_named_alike(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as home:
        home.observe("there", vector_of("there"))
        told = []
        for call, *_ in REFUSED:
            with pytest.raises(InvalidInput) as refusal:
                call(home)
            told.append([type(refusal.value), refusal.value.code, refusal.value.field])
        assert told == [[InvalidInput, code, field] for _, code, field in REFUSED]
        assert len(home.recall(vector_of("there"), 100)) == 1


# What no call of a space can cause: it is refused before, in the constructor of something, or by the wire.
ELSEWHERE = {
    "invalid_input": "the code of the class, which no check uses",
    "invalid_idempotency_key": "the clients make the keys that they send",
    "idempotency_key_reused": "the clients make each key once",
    "results_bytes": "the clients ask again for a stream",
    "message_bytes": "the clients make no message that large",
    "json_bytes": "the clients make no JSON that large",
    "empty_text": "below, in a space with an embedder",
    "not_storable": "needs a fault of the engine",
    "invalid_vector_type": "a message of protobuf",
    "vectors_size": "a message of protobuf",
    "presence_size": "the clients send as many bits as rows",
    "vectors_refused": "in `test_one_face_presence.py`, by a space without vectors",
    "invalid_vectors_setting": "in `test_one_face_presence.py`, of a space that is made",
    "invalid_max_results": "the old name of k in messages of protobuf",
    "invalid_after_generation": "in `test_one_face_following.py`, where it is also one that is no longer there",
    "invalid_receipt": "in `test_erased.py`: no call of a space takes a receipt",
    "facet_values": "needs a million different values; `test_facet_counts.py` lowers the limit",
}


def test_every_code_of_bad_input_is_told_of() -> None:
    page = (ROOT / "docs" / "errors-and-limits.md").read_text(encoding="utf-8")
    table = page.partition("| code | what was refused |")[2].partition("\n\n")[0]
    documented = {
        code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert documented - {code for _, code, _ in REFUSED} == set(ELSEWHERE)


@pytest.mark.parametrize(
    "call",
    [
        lambda home: home.observe("a", None, "words"),
        lambda home: home.observe("a"),
        lambda home: home.observe(["a"], None, ["words"]),
        lambda home: home.observe(["a"]),
        lambda home: home.recall("words"),
        lambda home: home.recall_many([ONES, "words"]),
    ],
)
def test_text_without_an_embedder_is_refused_alike(home: Any, call: Any) -> None:
    with pytest.raises(FailedPrecondition) as refusal:
        call(home)
    assert (refusal.value.code, refusal.value.field) == ("no_embedder", "embedder")


@pytest.mark.parametrize(
    "call",
    [
        lambda home: home.observe("a", None, " "),
        lambda home: home.observe("a"),
        lambda home: home.observe(["a", "b"], None, ["words", ""]),
        lambda home: home.recall(" "),
        lambda home: home.recall(Cue(text="\n", by="both")),
        lambda home: home.recall_many(["tea", " "]),
        lambda home: list(home.recall_stream(" ")),
    ],
)
def test_a_text_without_a_visible_character_is_refused_alike(reading_home: Any, call: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        call(reading_home)
    assert refusal.value.code == "empty_text"
