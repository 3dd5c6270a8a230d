"""What one client may have under way, so that it takes nothing from the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engram.errors import OverCapacity

FEW: Final = 16
"""What a client may always have as long as there is room for anybody."""

_RETRY_AFTER_MS: Final = 100


class ClientShares:
    """Counts something that clients have at the same time, for each client. Used on the event loop's thread only.

    A client may have so many. Once three quarters of what all may have are taken, a client that has `FEW` gets no more:
    the last quarter is for the others, however many clients ask for as much as they may.

    Parameters
    ----------
    what
        What is counted, for messages, in the plural.
    code
        The code of a refusal.
    client_max
        How many one client may have.
    all_max
        How many there may be. It is not enforced here.
    """

    def __init__(self, what: str, code: str, client_max: int, all_max: int) -> None:
        self._what = what
        self._code = code
        self._client_max = client_max
        self._crowded_count = all_max - all_max // 4
        self._counts: dict[str, int] = {}
        self._count = 0

    @contextmanager
    def one_more(self, client: str) -> Iterator[None]:
        """Count one more of `client` in the body.

        Parameters
        ----------
        client
            The client's address, which is that of its connection; where a transport has none, nothing is refused.

        Raises
        ------
        OverCapacity
            If the client has its share.
        """
        taken = self._counts.get(client, 0)
        is_crowded = self._count >= self._crowded_count
        limit = min(FEW, self._client_max) if is_crowded else self._client_max
        if client and taken >= limit:
            why = " while those of all clients are as many as now" if is_crowded else ""
            raise OverCapacity(
                f"one client may have {limit} {self._what} at the same time{why}; try again when some have ended",
                code=self._code,
                field="client",
                limit=limit,
                value=taken + 1,
                retry_after_ms=_RETRY_AFTER_MS,
            )
        self._counts[client] = taken + 1
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if self._counts[client] == 1:
                del self._counts[client]
            else:
                self._counts[client] -= 1
