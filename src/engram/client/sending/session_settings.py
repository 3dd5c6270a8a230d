"""What the caller decides about the session of a client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from engram.client.sending.observe_session import ObserveSession, Reopen
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.client.transport import Transport
from engram.errors import InvalidInput
from engram.model.priority import Priority, priority_named
from engram.model.spaces import SpaceConfig
from engram.model.values.scalars import as_text, shown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What the caller decides about the session of a client; see `AsyncClient`.

    Parameters
    ----------
    session_id, incarnation
        Id of the session, and incarnation of its space; empty if there is none yet.
    priority
        Lane of the observations.
    limits, options
        Bounds on buffering, sending and waiting.
    """

    session_id: str
    incarnation: str
    priority: Priority
    limits: OutboxLimits
    options: StreamOptions

    @classmethod
    def of(
        cls,
        session_id: str,
        incarnation: str,
        priority: str,
        limits: OutboxLimits | None,
        options: StreamOptions | None,
    ) -> SessionSettings:
        """Return the settings by the arguments of a client.

        Raises
        ------
        InvalidInput
            If an argument has the wrong type, or there is no such priority.
        """
        return cls(
            as_text("session_id", session_id, code="invalid_session_id"),
            as_text("incarnation", incarnation, code="invalid_incarnation"),
            priority_named(priority),
            _one_of(OutboxLimits, "limits", limits),
            _one_of(StreamOptions, "options", options),
        )

    def session(self, transport: Transport, config: SpaceConfig, incarnation: str, reopen: Reopen) -> ObserveSession:
        """Return the session of a client, on the running event loop. It does not keep the client alive.

        Parameters
        ----------
        transport, config, reopen
            See `ObserveSession`.
        incarnation
            What an earlier session of the client was told; empty if there was none.
        """
        return ObserveSession(
            transport,
            config,
            partial(transport.encode, priority=self.priority),
            reopen=reopen,
            limits=self.limits,
            options=self.options,
            session_id=self.session_id,
            # So that a space which was made anew meanwhile is noticed.
            incarnation=incarnation or self.incarnation,
        )


def _one_of(kind: type[T], field: str, value: object) -> T:
    if value is None:
        return kind()
    if isinstance(value, kind):
        return value
    limit = f"an object of class {kind.__name__}"
    raise InvalidInput(
        f"{field} is {shown(value)}; pass {limit}",
        code="invalid_option",
        field=field,
        limit=limit,
        value=shown(value, with_type=False),
    )
