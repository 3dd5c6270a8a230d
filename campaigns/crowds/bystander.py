"""Another client, in a process of its own, which recalls again and again while a crowd is served.

``python -m campaigns.crowds.bystander ADDRESS DIM`` recalls until its input ends, and prints how long each recall took
and which failed, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from engram import Client
from engram.errors import EngramError

_PAUSE_S: Final = 0.05
_BEGUN: Final = "begun"


@contextmanager
def bystander(address: str, dim: int) -> Iterator[dict[str, Any]]:
    """Have another process recall in the body; afterwards the value has its ``times_s`` and what ``failed``."""
    command = [sys.executable, "-m", "campaigns.crowds.bystander", address, str(dim)]
    told: dict[str, Any] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != _BEGUN:
            raise SystemExit("the other client did not begin")
        yield told
        answer, _ = process.communicate()
        told |= json.loads(answer)


def recalls(address: str, dim: int, over: threading.Event) -> dict[str, Any]:
    """Recall with a pause in between until `over` is set; return the times and the failures."""
    times_s: list[float] = []
    failed: list[str] = []
    cue = np.ones(dim, dtype=np.float32)
    with Client(address) as client:
        client.recall(cue, k=1)
        print(_BEGUN, flush=True)
        while not over.wait(_PAUSE_S):
            begin_s = time.perf_counter()
            try:
                client.recall(cue, k=1)
            except EngramError as error:
                failed.append(f"a recall: {error.code}")
            times_s.append(time.perf_counter() - begin_s)
    return {"times_s": times_s, "failed": failed}


def main() -> None:
    """Recall until the input ends."""
    address, dim = sys.argv[1:]
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    print(json.dumps(recalls(address, int(dim), over)))


if __name__ == "__main__":
    main()
