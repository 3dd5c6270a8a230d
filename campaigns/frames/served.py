"""A server that says what it holds when it is asked by a signal: tasks, and objects of connections.

``python -m campaigns.frames.served FILE ...`` takes the arguments of ``python -m engram.server`` behind the file that
it writes to.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from engram.server.__main__ import main

# What belongs to one connection, and must be gone with it.
_ROOMS: Final = ("engram.server.websocket", "engram.server.http", "uvicorn", "starlette", "websockets")


def held() -> dict[str, Any]:
    """Return the number of tasks, and of objects by their classes, that only connections have."""
    gc.collect()
    kinds = Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for each in gc.get_objects()
        if str((kind := type(each)).__module__).startswith(_ROOMS)
    )
    return {"tasks": len(asyncio.all_tasks()), "objects": dict(kinds)}


def _tell(path: Path) -> None:
    made = path.with_suffix(".new")
    made.write_text(json.dumps(held()))
    os.replace(made, path)


if __name__ == "__main__":
    target = Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda *_: _tell(target))
    main()
