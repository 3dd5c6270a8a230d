"""A sound client beside all the others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.asyncio.client import connect

from campaigns.frames.conversation import DIM, SPACE
from campaigns.frames.intruder import TIMEOUT_S


class Witness:
    """A sound client with a session, which is answered all the while."""

    def __init__(self, port: int) -> None:
        self.rounds = 0
        self._url = f"ws://127.0.0.1:{port}/v1/stream"

    async def watch(self) -> None:
        """Store, and read what was stored, until it is cancelled; raise if an answer is missing or wrong."""
        async with connect(self._url, proxy=None, ping_interval=None) as socket:
            for name in ("witness", SPACE):
                settings = {"space": name, "dimension": DIM, "embedder": "lexical"}
                await self._answer(socket, {"type": "create_space", "id": 0, **settings}, {"name": name})
            await self._answer(socket, {"type": "init", "space": "witness"}, {"type": "init_ack"})
            while True:
                number = self.rounds + 1
                content = f"round {number}"
                one = {"sequence_number": number, "id": f"w{number % 10}", "vector": [1.0] * DIM, "content": content}
                acked = {"type": "ack", "status": "accepted", "last_sequence": number}
                await self._answer(socket, {"type": "observation", **one}, acked)
                call = {"type": "get", "id": number, "space": "witness", "ids": [one["id"]]}
                found = await self._answer(socket, call, {"id": number})
                if [hit["content"] for hit in found["hits"]] != [content]:
                    raise AssertionError(f"wrong answer: {found}")
                self.rounds += 1

    async def _answer(self, socket: Any, message: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        await socket.send(json.dumps(message))
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                answer: dict[str, Any] = json.loads(await socket.recv())
                if wanted.items() <= answer.items():
                    return answer
                if answer["type"] == "error" or answer.get("status") == "rejected":
                    raise AssertionError(f"a sound client was refused: {answer}")
