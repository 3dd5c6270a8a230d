"""How long an embedded space keeps what is observed, and how much of its history."""

from __future__ import annotations

from engram.model.values.expiry import Ttl, checked_ttl_s
from engram.model.values.retention_policy import RetentionPolicy, checked_policy
from engram.store.many.recalling_space import RecallingSpace


class ExpiringSpace(RecallingSpace):
    """A space that has a default time to live, and a policy of what it retains; a base class of `Space`."""

    @property
    def ttl_s(self) -> float | None:
        """Seconds after which what is observed from now on expires, unless it says otherwise; None: never."""
        return self._engine.config.ttl_s

    def set_ttl(self, ttl: Ttl | None) -> None:
        """Set after how long what is observed from now on expires, unless it says otherwise.

        It is recorded with the space, as the `ttl` of `MemoryStore.space` is when the space is created. What is stored
        already is not changed. A client cannot call it: for a space that is served, stop the server first.

        Parameters
        ----------
        ttl
            Seconds, or a `timedelta`; None: never.

        Raises
        ------
        InvalidInput
            With code ``invalid_ttl``, if it is none, negative, NaN or longer than 10 000 000 000 seconds.
        FailedPrecondition
            If the store is closed.
        Unavailable
            If it cannot be recorded, or the space takes no more writes; the old one holds then.
        """
        seconds = checked_ttl_s(ttl)
        with self._access.held() as engine:
            engine.set_ttl(seconds)

    @property
    def retention(self) -> RetentionPolicy:
        """How much of its history the space retains."""
        return self._engine.retention.policy

    def set_retention(self, policy: RetentionPolicy) -> None:
        """Set how much of its history the space retains; it is recorded with the space.

        A space that is made by this version retains a day. One from before retains everything until this is called. A
        client cannot call it: for a space that is served, stop the server first.

        Raises
        ------
        InvalidInput
            If `policy` is no `RetentionPolicy`.
        FailedPrecondition
            If the store is closed.
        Unavailable
            If it cannot be recorded, or the space takes no more writes; the old policy holds then.
        """
        policy = checked_policy(policy)
        with self._access.held() as engine:
            engine.set_retention(policy)
