"""Stores by their addresses: a directory or a server, with the same methods."""

from __future__ import annotations

from engram.connection.connecting import AnySpace, AnyStore, AsyncAnySpace, AsyncAnyStore, connect, connect_async

__all__ = ["AnySpace", "AnyStore", "AsyncAnySpace", "AsyncAnyStore", "connect", "connect_async"]
