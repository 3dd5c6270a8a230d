"""The server: an engine without a socket, and thin adapters of transports over it.

Names are imported on first use, so that a server process can install its signal handlers before it imports the rest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engram.model.operations.action import Action
    from engram.server.authorization import Authorizer, Caller
    from engram.server.options import ServerOptions
    from engram.server.process_tuning import memory_budget_bytes, tune_allocator
    from engram.server.run import run_server, serve

__all__ = [
    "Action",
    "Authorizer",
    "Caller",
    "ServerOptions",
    "memory_budget_bytes",
    "run_server",
    "serve",
    "tune_allocator",
]

_HOMES = {
    "Action": "engram.model.operations.action",
    "Authorizer": "engram.server.authorization",
    "Caller": "engram.server.authorization",
    "ServerOptions": "engram.server.options",
    "memory_budget_bytes": "engram.server.process_tuning",
    "run_server": "engram.server.run",
    "serve": "engram.server.run",
    "tune_allocator": "engram.server.process_tuning",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engram.server' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
