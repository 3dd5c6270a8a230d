"""The end of a call whose client is gone: nobody is to be told anything, and nothing has failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

# What grpc raises when it is to send something on a call that is over. Their classes are not part of its interface.
_NAMES: Final = frozenset({"ExecuteBatchError", "UsageError"})


class ClientLeft(Exception):
    """A message could not be sent, because its client is gone."""


def until_client_leaves(write: Callable[[Any], Awaitable[object]]) -> Callable[[Any], Awaitable[object]]:
    """Return `write` as a function that raises `ClientLeft` where grpc's own error says that the call is over."""

    async def write_or_end(message: Any) -> object:
        try:
            return await write(message)
        except Exception as error:
            if type(error).__name__ in _NAMES:
                raise ClientLeft from error
            raise

    return write_or_end
