"""Whoever makes a request, as the authorizer is told."""

from __future__ import annotations

from typing import Any

from engram.server.authorization import Caller


def caller_of(scope: Any) -> Caller:
    """Return the caller of an ASGI scope; the headers of the request are the metadata."""
    metadata: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        metadata[key] = f"{metadata[key]}, {text}" if key in metadata else text
    client = scope.get("client")
    if not client:
        return Caller("", metadata)
    host, port = client[0], client[1]
    return Caller(f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}", metadata)
