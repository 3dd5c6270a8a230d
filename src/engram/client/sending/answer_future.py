"""The futures through which callers get the answers to their observations."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Sequence
from types import MethodType

from engram.client.sending.micro_batch import Settle
from engram.client.sending.outgoing_batch import Answer
from engram.errors import EngramError, Unavailable
from engram.model.ack import Ack

AnyFuture = asyncio.Future[Ack] | concurrent.futures.Future[Ack]


class AwaitedAnswer:
    """The answer to an `observe`, whose caller waits for it. `flush` and `close` do not tell of it again.

    Parameters
    ----------
    future
        The future through which the answer comes.
    """

    __slots__ = ("_is_awaited", "future")

    def __init__(self, future: AnyFuture) -> None:
        self.future: AnyFuture = future
        self._is_awaited = True

    def leave(self) -> None:
        """Note that the caller waits no more, so that somebody else must be told of a refusal."""
        self._is_awaited = False

    def settle(self, told: Callable[[], None]) -> Settle:
        """Return a callback that sets the answer, and calls `told` if the caller is told of an error by it."""

        def settle(answer: Answer) -> None:
            _settle(self.future, answer)
            if self._is_awaited and isinstance(answer, EngramError):
                told()

        return settle


def settle_future(future: AnyFuture) -> Settle:
    """Return a callback that sets the answer of `future`, unless the caller has cancelled the future."""
    # There is one for each observation: a bound method is the smallest callback there is.
    return MethodType(_settle, future)


def settle_with_ids(settle: Settle, made_ids: Sequence[str]) -> Settle:
    """Return a callback that passes the answer on to `settle`, with the ids that were made up for the observations."""

    def settle_named(answer: Answer) -> None:
        settle(answer.with_ids(made_ids) if isinstance(answer, Ack) else answer)

    return settle_named


def _settle(future: AnyFuture, answer: Answer) -> None:
    try:
        if isinstance(answer, EngramError):
            future.set_exception(answer)
            # Mark the exception as retrieved. `flush` and `close` report it, so asyncio need not warn about it.
            future.exception()
        else:
            future.set_result(answer)
    except (asyncio.InvalidStateError, concurrent.futures.InvalidStateError):
        pass  # The caller has cancelled the future.
    except RuntimeError:
        pass  # The event loop of the future is closed. The other rows of the batch still get their answers.


async def answered(awaited: AwaitedAnswer, future: asyncio.Future[Ack], timeout_s: float) -> Ack:
    """Return the answer to an `observe`; raise `unanswered` if there is none in time. What was sent may be stored."""
    late = asyncio.get_running_loop().call_later(timeout_s, _give_up, awaited, future, timeout_s)
    try:
        # Awaited as it is, not through `asyncio.wait`: that would be one more turn of the event loop.
        return await future
    finally:
        late.cancel()
        if future.cancelled():
            # With its caller.
            awaited.leave()


def _give_up(awaited: AwaitedAnswer, future: asyncio.Future[Ack], timeout_s: float) -> None:
    if not future.done():
        awaited.leave()
        future.set_exception(unanswered(timeout_s))


def answered_in_thread(awaited: AwaitedAnswer, future: concurrent.futures.Future[Ack], timeout_s: float) -> Ack:
    """Return the answer to an `observe` as `answered` does, for a thread that waits."""
    try:
        return future.result(timeout_s)
    except EngramError:
        raise
    except concurrent.futures.TimeoutError:
        awaited.leave()
        # The answer may have come in the meantime.
        if future.done():
            return future.result()
        raise unanswered(timeout_s) from None
    except BaseException:
        # Interrupted, as by Ctrl-C.
        awaited.leave()
        raise


def unanswered(timeout_s: float) -> Unavailable:
    """Return the error of an `observe` that waited for `timeout_s` seconds."""
    return Unavailable(
        f"there was no answer within {timeout_s:g} s; the observations are still being sent, and may be stored later",
        code="observe_timeout",
        field="timeout_s",
        limit=timeout_s,
        value=timeout_s,
    )
