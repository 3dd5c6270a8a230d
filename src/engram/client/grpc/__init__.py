"""The client's transport over gRPC; nothing else of the client knows gRPC."""

from __future__ import annotations

import os

# In a process with running event threads of gRPC, which every client has, gRPC's fork handlers make a forked child
# crash or log errors. The handlers are not needed, because a child of a process that has used a client is refused
# clients of its own. gRPC reads the variable when it is first used.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
