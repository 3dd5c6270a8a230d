"""The futures through which callers get the answers to their observations."""

from __future__ import annotations

import asyncio
import concurrent.futures
from types import MethodType

from engram.client.sending.micro_batch import Settle
from engram.client.sending.outgoing_batch import Answer
from engram.errors import EngramError, Unavailable
from engram.model.ack import Ack

AnyFuture = asyncio.Future[Ack] | concurrent.futures.Future[Ack]


def settle_future(future: AnyFuture) -> Settle:
    """Return a callback that sets the answer of `future`, unless the caller has cancelled the future."""
    # There is one for each observation: a bound method is the smallest callback there is.
    return MethodType(_settle, future)


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


async def answered(future: asyncio.Future[Ack], timeout_s: float) -> Ack:
    """Return the answer to an `observe`; raise `unanswered` if there is none in time. The future goes on."""
    await asyncio.wait([future], timeout=timeout_s)
    if not future.done():
        raise unanswered(timeout_s)
    return future.result()


def unanswered(timeout_s: float) -> Unavailable:
    """Return the error of an `observe` that waited for `timeout_s` seconds."""
    return Unavailable(
        f"there was no answer within {timeout_s:g} s; the observations are still being sent, and may be stored later",
        code="observe_timeout",
        field="timeout_s",
        limit=timeout_s,
        value=timeout_s,
    )
