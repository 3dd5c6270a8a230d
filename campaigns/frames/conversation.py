"""What clients send that are in their right mind: the messages of conversations, as texts and as frames."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np

from engram.wire.frames import encode_frame

SPACE: Final = "intruded"
DIM: Final = 8
CORPUS: Final = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "frames"
# Few ids, so that the store stays small, and few sessions, so that connections take them from each other.
_IDS: Final = [f"n{number}" for number in range(40)]
_SESSIONS: Final = ["", *(f"intruder-{number}" for number in range(8))]
_FLOWS: Final = ["pause", "resume", "resume", "slow_down", "speed_up", "buffer_status"]
_CUES: Final[list[dict[str, Any]]] = [
    {"filter": {}},
    {"filter": {"tags": ["pump"], "since": "2020-01-01"}},
    {"filter": {"metadata": {"site": {"between": [1, None]}}}},
    {"text": "pump"},
    {"text": "pump", "by": "words", "strength": {"half_life_s": 3600.0}},
]


class Sent(NamedTuple):
    """One message, and whether it is sent as a binary one."""

    data: bytes
    is_frame: bool


def beginning(chance: Random) -> tuple[list[Sent], set[str]]:
    """Return what a connection begins with, all of it in its right mind, and the types of the answers that must come.

    Of the other messages, hardly any is answered before a mutated one ends the connection.
    """
    call = {"type": "recall", "id": 0, "space": SPACE, "vector": [1.0] * DIM, "k": 3}
    if chance.random() < 0.7:
        return [_text(call)], {"recall_result"}
    init = {"type": "init", "space": SPACE}
    one = {"type": "observation", "sequence_number": 1, "id": chance.choice(_IDS), "vector": [1.0] * DIM}
    return [_text(init), _text(one), _text(call)], {"init_ack", "ack", "recall_result"}


def corpus() -> list[Sent]:
    """Return the frames, good and bad, that every decoder is tested with."""
    return [Sent(path.read_bytes(), True) for path in sorted(CORPUS.glob("*.frame"))]


def conversation(chance: Random, count: int) -> list[Sent]:
    """Return the messages of one connection: mostly a session, and calls beside it."""
    made: list[Sent] = []
    sequence = 1
    if chance.random() < 0.9:
        session = {"session_id": chance.choice(_SESSIONS), "writer": chance.randrange(1, 4)}
        made.append(_text({"type": "init", "space": SPACE, **session}))
    while len(made) < count:
        message, rows = _message(chance, sequence, len(made))
        made.append(message)
        sequence += rows
    return made


def _message(chance: Random, sequence: int, number: int) -> tuple[Sent, int]:
    """Return a message, and how many observations are in it."""
    match chance.randrange(10):
        case 0 | 1 | 2:
            one = {"id": chance.choice(_IDS), "vector": _vectors(chance, 1)[0].tolist(), **_fields(chance)}
            return _text({"type": "observation", "sequence_number": sequence, **one}), 1
        case 3:
            ids = chance.sample(_IDS, chance.randrange(1, 6))
            vectors = base64.b64encode(_vectors(chance, len(ids)).tobytes()).decode()
            return _text(
                {"type": "observation_batch", "sequence_number": sequence, "ids": ids, "vectors": vectors}
            ), len(ids)
        case 4 | 5:
            ids = chance.sample(_IDS, chance.randrange(1, 6))
            header = {"type": "observation_batch", "sequence_number": sequence, "ids": ids}
            arrays = {"vectors": _vectors(chance, len(ids)), "timestamps": np.arange(len(ids), dtype=np.int64)}
            return Sent(encode_frame(header, arrays), True), len(ids)
        case 6:
            return _text({"type": "flow_control", "action": chance.choice(_FLOWS), "buffer_remaining": number}), 0
        case 7:
            return _text({"type": chance.choice(["heartbeat", "cancel"]), "id": chance.randrange(number + 1)}), 0
        case _:
            return _call(chance, number), 0


def _call(chance: Random, id: int) -> Sent:
    name = chance.choice(
        ["recall", "recall", "recall_stream", "get", "delete", "observe", "snapshot", "space", "status"]
    )
    call: dict[str, Any] = {"type": name, "id": id}
    if name != "status":
        call["space"] = SPACE
    if "recall" in name:
        call |= {**chance.choice(_CUES), "k": chance.randrange(1, 20), "binary": chance.random() < 0.5}
        if name == "recall_stream":
            call |= {"follow": chance.random() < 0.5, "batch_size": 3, "score_min": 0.0}
        elif chance.random() < 0.3:
            call = {"type": name, "id": id, "space": SPACE, "binary": True}
            return Sent(encode_frame(call, {"vector": _vectors(chance, 1)[0]}), True)
    elif name in ("get", "delete"):
        call["ids"] = chance.sample(_IDS, 3)
    elif name == "observe":
        call |= {"ids": ["n1"], "vectors": _vectors(chance, 1).tolist(), "tags": [["pump"]], "metadata": [{"site": 1}]}
    return _text(call)


def _fields(chance: Random) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "content": "the pump leaks 🌊",
        "metadata": {"site": chance.randrange(9), "deep": [{"a": None}]},
        "tags": ["pump"],
        "timestamp": "2026-11-28T12:00:00Z",
        "confidence": 0.5,
        "priority": chance.choice(["high", "normal", "low"]),
    }
    return {name: value for name, value in fields.items() if chance.random() < 0.4}


def _vectors(chance: Random, count: int) -> Any:
    return np.array([[chance.gauss(0, 1) for _ in range(DIM)] for _ in range(count)], np.float32)


def _text(message: dict[str, Any]) -> Sent:
    return Sent(json.dumps(message, separators=(",", ":")).encode(), False)
