"""The choice of a transport by the scheme of an address, and what transports ask of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from engram.client.call_metadata import check_call_metadata
from engram.client.missing_packages import naming_the_extra
from engram.client.transport import Transport

Opener = Callable[[str, Mapping[str, str]], Transport]
"""Makes a transport to the server at an address, which sends metadata with each call. It connects at the first call."""


def choose_transport(address: str, metadata: Mapping[str, str] | None = None) -> Transport:
    """Return a transport to the server at `address`; it sends `metadata` with each call.

    Raises
    ------
    InvalidInput
        If the address or the metadata are invalid.
    MissingExtra
        If the packages of the transport are not installed.
    """
    checked = check_call_metadata(metadata)
    scheme, separator, _ = address.partition("://") if isinstance(address, str) else ("", "", "")
    opener = OPENERS.get(scheme.lower()) if separator else None
    return (opener or _open_grpc)(address, checked)


def prepare_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Prepare an event loop that belongs to the client, and not to its caller, for every transport."""
    # Imported here, because importing the package changes the environment, for gRPC. It needs no package of gRPC's.
    from engram.client.grpc.poller import quiet_poller  # noqa: PLC0415

    quiet_poller(loop)


def _open_grpc(address: str, metadata: Mapping[str, str]) -> Transport:
    # Imported here, so that clients of other transports do without gRPC.
    with naming_the_extra():
        from engram.client.grpc.transport import GrpcTransport  # noqa: PLC0415
    return GrpcTransport(address, metadata)


def _open_grpc_by_scheme(address: str, metadata: Mapping[str, str]) -> Transport:
    return _open_grpc(address.partition("://")[2], metadata)


def _open_websocket(address: str, metadata: Mapping[str, str]) -> Transport:
    with naming_the_extra("websocket"):
        from engram.client.websocket.transport import WebSocketTransport  # noqa: PLC0415
    return WebSocketTransport(address, metadata)


OPENERS: Final[dict[str, Opener]] = {
    "grpc": _open_grpc_by_scheme,
    **dict.fromkeys(("ws", "wss", "http", "https"), _open_websocket),
}
"""The transports by the schemes of their addresses (what precedes ``://``). All other addresses are those of gRPC."""
