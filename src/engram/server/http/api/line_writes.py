"""Observations as lines of JSON, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from engram.errors import InvalidInput
from engram.model.ack import Ack
from engram.model.operations import table
from engram.model.operations.requests import Observe
from engram.model.values.ids import made_id
from engram.model.values.scalars import shown
from engram.server.calls import Incoming, ServerCalls
from engram.server.http.api.incoming import space_of, with_id
from engram.server.http.api.ingest_lines import store_lines
from engram.server.http.bodies import JSON_TYPE, body_parts
from engram.server.http.caller import caller_of
from engram.server.http.problems import problem_body, problem_headers, status_of
from engram.streaming.pressure.receiving import Arriving
from engram.wire.forms.observations import ONE_FIELDS, batch_of_ones, check_says_something, priority_of, vector_kind
from engram.wire.forms.reader import FormReader, check_known
from engram.wire.forms.results import encode_json

_LINE: Final = FormReader(
    msgspec.defstruct("_Line", ONE_FIELDS, forbid_unknown_fields=True, kw_only=True, gc=False), "the line"
)
_SOME_STORED: Final = 207


class LineWrites:
    """Answers writes whose body is NDJSON.

    Parameters
    ----------
    calls
        The calls of the server.
    """

    def __init__(self, calls: ServerCalls) -> None:
        self._calls = calls

    async def answer(self, request: HttpRequest) -> Response:
        """Store the lines of the body; return 200, 207 if some were refused, or the error if all were."""
        # All lines go where the first does, whatever an alias means by then.
        space, caller = self._calls.engine.meant(space_of(request) or ""), caller_of(request.scope)
        check_known(request.query_params.keys(), ())
        if "idempotency-key" in request.headers:
            raise InvalidInput(
                "a stream of lines has no idempotency key; with ids of your own it can be sent again",
                code="invalid_idempotency_key",
                field="Idempotency-Key",
                limit="no key",
                value=shown(request.headers["idempotency-key"], with_type=False),
            )
        # What is refused for every line is refused before the first is read.
        self._calls.engine.authorize(caller, space, table.OBSERVE.action)
        async with self._calls.engine.held(space):
            pass

        async def store(lines: list[bytes]) -> Ack:
            return await self._calls.answer(
                table.OBSERVE,
                Incoming(space, lambda: _observe(space, lines), counts_rejected=False),
                lambda ack: ack,
                caller,
            )

        stored = await store_lines(body_parts(request.receive), store, Arriving(self._calls.engine.receiving))
        # Each line once, however often the batches that it was in were tried.
        for reason, count in stored.reasons.items():
            self._calls.engine.counters.observations.reject(space, reason, count)
        if stored.first_error is not None and not stored.count:
            error = stored.first_error
            body = problem_body(error, stored.shown())
            headers = {name.decode(): value.decode() for name, value in problem_headers(error, body)}
            return Response(body, status_of(error), headers)
        return Response(encode_json(stored.shown()), _SOME_STORED if stored.rejected else 200, media_type=JSON_TYPE)


def _observe(space: str, lines: Sequence[bytes]) -> Observe:
    forms = []
    for line in lines:
        try:
            forms.append(_LINE.read(line))
        except InvalidInput as error:
            if (error.code, error.field) != ("missing_field", "id"):
                raise
            check_says_something(line)
            forms.append(_LINE.read(with_id(line, made_id())))
    if len({(vector_kind(form), priority_of(form)) for form in forms}) > 1:
        # The caller stores the parts by themselves.
        raise InvalidInput("the lines are not of one kind", field="line", limit="lines of one kind")
    return Observe(space, batch_of_ones(forms), priority_of(forms[0]))
