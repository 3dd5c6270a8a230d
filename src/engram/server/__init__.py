"""The gRPC server: thin adapters over `engram.streaming` and `engram.store`."""

from engram.server.options import ServerOptions
from engram.server.process import memory_budget_bytes, tune_allocator
from engram.server.run import run_server, serve

__all__ = ["ServerOptions", "memory_budget_bytes", "run_server", "serve", "tune_allocator"]
