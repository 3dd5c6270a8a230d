"""The frame around every call, whatever transport it came by.

It counts the calls under way, asks the authorizer before a request is decoded, and sees to it that errors are typed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    aclosing,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from engram.errors import EngramError, InvalidInput
from engram.metrics import table
from engram.model.operations.action import Action
from engram.model.operations.digest import request_digest
from engram.model.operations.naming import DropSpace, RenameSpace
from engram.model.operations.operation import Operation, Request
from engram.model.operations.requests import CreateSpace, Delete, Observe
from engram.model.operations.scans import Clear, ReadPage
from engram.model.operations.updates import Update
from engram.server.authorization import Caller
from engram.server.clients.client_left import ClientLeft
from engram.server.clients.client_shares import ClientShares
from engram.server.clients.client_turns import ClientTurns
from engram.server.engine import Engine
from engram.server.idempotency import IdempotencyKeys
from engram.server.malformed import Malformed
from engram.server.options import ServerOptions
from engram.server.service import BEHAVIOURS, STREAM_BEHAVIOURS
from engram.tracing.switch import present_recorder

_logger = logging.getLogger(__name__)
# Nothing longer names a space, and nothing longer is repeated in logs and spans.
_SPACE_SHOWN_MAX: Final = 64

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incoming(Generic[R]):
    """A request as it came in: it is decoded only when the caller has been authorized.

    Parameters
    ----------
    space
        Name of the space that it is about; None for the server as a whole.
    decode
        Returns the request. Raises `InvalidInput` for what no request can be.
    key
        The idempotency key of a write, if the transport carries it beside the request; otherwise it is that of the
        request, if there is one.
    replayed
        Called before the result is encoded, if it is that of an earlier write with the same key.
    counts_rejected
        Whether observations that are refused count as rejected. A transport that tries them again in parts counts them
        itself.
    traceparent
        The client's span (W3C Trace Context), if the transport carries it beside the request; otherwise it is in the
        metadata of the caller, if there is one.
    """

    space: str | None
    decode: Callable[[], Request[R]]
    key: str | None = None
    replayed: Callable[[], None] | None = None
    counts_rejected: bool = True
    traceparent: str = ""


class ServerCalls:
    """Answers the operations of the service and counts the calls under way; shared by all transports of a server.

    Parameters
    ----------
    engine
        What answers.
    keys
        The idempotency keys of the writes.
    """

    def __init__(self, engine: Engine, keys: IdempotencyKeys | None = None) -> None:
        self.engine: Final = engine
        self._keys = keys or IdempotencyKeys()
        options = engine.options
        # A quarter of those that wait may be streams, see `_beginning_max`.
        calls_max = options.recalls_waiting_max - options.recalls_waiting_max // 4
        self._recalls = ClientShares("recalls", "recalls_of_client", options.recalls_waiting_per_client_max, calls_max)
        self._streams = ClientShares(
            "recall streams",
            "recall_streams_of_client",
            options.recall_streams_per_client_max,
            options.recall_streams_max,
        )
        self._turns = ClientTurns(_beginning_max(options))
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def answer(
        self, operation: Operation[R], incoming: Incoming[R] | Malformed, encode: Callable[[R], T], caller: Caller
    ) -> T:
        """Answer an operation that has one result; return the result as `encode` made it, on whichever thread.

        Raises
        ------
        EngramError
            If the call fails, for whatever reason; the transport tells the client.
        """
        with self._under_way(_space_of(incoming)):
            request = self._admit(operation, incoming, caller)
            key = _key_of(operation, incoming, request)
            try:
                with _span(operation, incoming, request, caller):
                    if key is not None:
                        return encode(await self._once(operation, incoming, request, key, caller))
                    return await self._behave(operation, request, encode, caller)
            except Exception as error:
                counts = isinstance(incoming, Incoming) and incoming.counts_rejected
                if counts and isinstance(request, Observe | Update):
                    count = len(request.batch) if isinstance(request, Observe) else len(request.changes)
                    self.engine.count_rejected(request.space, error, count)
                raise

    async def stream(
        self,
        operation: Operation[R],
        incoming: Incoming[R] | Malformed,
        encode: Callable[[R], T],
        caller: Caller,
        write: Callable[[T], Awaitable[object]],
    ) -> None:
        """Answer an operation that streams: have each result made by `encode`, on whichever thread, and written.

        The results wait while `write` does; one is written at a time.

        Raises
        ------
        EngramError
            If the call fails, for whatever reason; the transport tells the client.
        """
        self._turns.note_arrival()
        with self._under_way(_space_of(incoming)):
            request = self._admit(operation, incoming, caller)
            with self._streams.one_more(caller.peer), _span(operation, incoming, request, caller):
                async with AsyncExitStack() as held:
                    await held.enter_async_context(self._held(request))
                    await held.enter_async_context(self._turns.turn(caller.peer))
                    async with aclosing(STREAM_BEHAVIOURS[operation.name](self.engine, request, encode)) as answers:
                        async for answer in answers:
                            # It has begun. What a stream has begun to read it reads to its end, and what it follows
                            # keeps the space open. Whoever reads slowly does not.
                            await held.aclose()
                            await write(answer)

    async def serve(self, session: Callable[[], Awaitable[None]]) -> None:
        """Run a call that is no operation, such as the stream of a session.

        Raises
        ------
        EngramError
            If the call fails, for whatever reason; the transport tells the client.
        """
        with self._under_way():
            await session()

    async def finished(self, timeout_s: float) -> None:
        """Wait until no call is under way, at most `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            _logger.warning("%d calls did not end within %g s", self._active, timeout_s)

    async def _once(
        self,
        operation: Operation[R],
        incoming: Incoming[R] | Malformed,
        request: Request[Any],
        key: str,
        caller: Caller,
    ) -> R:
        """Return the result of a write, or that of an earlier one with the same key."""

        async def write() -> R:
            # By itself a call under way, because it goes on when nobody waits for it any more.
            with self._under_way():
                return await self._behave(operation, request, _as_it_is, caller)

        result, is_old = await self._keys.once(request.space_name or "", key, request_digest(request), write)
        if is_old and isinstance(incoming, Incoming) and incoming.replayed is not None:
            incoming.replayed()
        return result

    async def _behave(
        self, operation: Operation[R], request: Request[Any], encode: Callable[[R], T], caller: Caller
    ) -> T:
        """Answer a request, once the caller has its share of the calls and the space is open."""
        with self._share(operation, request, caller):
            async with self._held(request):
                answer: T = await BEHAVIOURS[operation.name](self.engine, request, encode)
        if operation.writes and isinstance(request, DropSpace | RenameSpace):
            # A space that gets the name later answers nothing in the place of this one.
            self._keys.forget(request.space)
        return answer

    def _admit(self, operation: Operation[Any], incoming: Incoming[Any] | Malformed, caller: Caller) -> Request[Any]:
        """Return the request, if the caller may make it; one about an alias becomes one about its space."""
        if isinstance(incoming, Malformed):
            self.engine.counters.add(table.MALFORMED)
            raise incoming.error
        actions = operation.action, *operation.or_actions
        # Rights are in spaces, whatever they are called.
        space = None if incoming.space is None else self.engine.meant(incoming.space)
        self.engine.authorize(caller, space, *actions)
        request = incoming.decode()
        if request.space_name != incoming.space:
            raise RuntimeError(f"authorized for {incoming.space!r}, and asked about {request.space_name!r}")
        for further in request.further_spaces:
            self.engine.authorize(caller, self.engine.meant(further), *actions)
        if space is None or space == incoming.space or not request.by_alias:
            return request
        if isinstance(request, ReadPage):
            # A scan stays in its space, whatever the alias means by now.
            begun_in = self.engine.store.naming.begun_in(request.cursor, space)
            if begun_in != space:
                self.engine.authorize(caller, begun_in, *actions)
                space = begun_in
        return request.for_space(space)

    def _share(self, operation: Operation[Any], request: Request[Any], caller: Caller) -> AbstractContextManager[None]:
        """Return what counts a call that may wait for a thread; other writes wait in lanes, which have shares, too."""
        return self._recalls.one_more(caller.peer) if _looks_up(operation, request) else nullcontext()

    def _held(self, request: Request[Any]) -> AbstractAsyncContextManager[object]:
        """Return what keeps the space of a request open, if it is about one; what creates one does so itself.

        A request about the name itself opens nothing: it may be that of a space that cannot be opened.
        """
        name = request.space_name
        if name is None or not request.by_alias or isinstance(request, CreateSpace):
            return nullcontext()
        return self.engine.held(name)

    @contextmanager
    def _under_way(self, space: str | None = None) -> Iterator[None]:
        known = {"space": space[:_SPACE_SHOWN_MAX]} if space else {}
        self._active += 1
        self._idle.clear()
        try:
            self.engine.check_running()
            yield
        except EngramError as error:
            _logger.debug("a call is refused: %s", error.code, extra=known)
            raise
        except ClientLeft:
            _logger.debug("a call ended because its client left", extra=known)
            raise
        except Exception as error:
            _logger.exception("a call failed", extra=known)
            raise EngramError("internal error; the server's log has the details") from error
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()


def _beginning_max(options: ServerOptions) -> int:
    """Return how many streams may begin at the same time: enough for all recall threads, and of those that wait few."""
    return max(1, min(options.recall_threads, options.recalls_waiting_max // 4))


def _looks_up(operation: Operation[Any], request: Request[Any]) -> bool:
    """Return whether a request reads like a recall, if only to find what it deletes or changes."""
    if operation.action is Action.RECALL:
        return True
    if isinstance(request, Delete):
        return request.filter is not None or request.dry_run
    return isinstance(request, Clear | Update)


def _space_of(incoming: Incoming[Any] | Malformed) -> str | None:
    return incoming.space if isinstance(incoming, Incoming) else None


def _span(
    operation: Operation[Any], incoming: Incoming[Any] | Malformed, request: Request[Any], caller: Caller
) -> AbstractContextManager[None]:
    """Return the span of a call that was admitted, within that of the client; nothing without tracing."""
    recorder = present_recorder()
    if recorder is None:
        return nullcontext()
    beside = incoming.traceparent if isinstance(incoming, Incoming) else ""
    known = {"space": request.space_name[:_SPACE_SHOWN_MAX]} if request.space_name else {}
    parent = beside or caller.metadata.get("traceparent", "")
    return recorder.received(f"engram.{operation.name}", parent, **known).current()


def _key_of(operation: Operation[Any], incoming: Incoming[Any] | Malformed, request: Request[Any]) -> str | None:
    """Return the idempotency key of a write, as the transport or the request has it; None if there is none.

    Raises
    ------
    InvalidInput
        If there are two.
    """
    inside = getattr(request, "idempotency_key", "") or None
    beside = incoming.key if operation.writes and isinstance(incoming, Incoming) else None
    if None not in (inside, beside) and inside != beside:
        raise InvalidInput(
            "a write has one idempotency key", code="invalid_idempotency_key", field="idempotency_key", limit=1, value=2
        )
    return inside if beside is None else beside


def _as_it_is(result: R) -> R:
    return result
