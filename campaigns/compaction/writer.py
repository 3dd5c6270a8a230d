"""The process that is killed: it takes the steps of the story, and compacts its log all the time.

``python -m campaigns.compaction.writer DIRECTORY LIFE`` prints a line of JSON before and behind each step, and never
ends by itself.
"""

from __future__ import annotations

import json
import sys
from typing import Final

from campaigns.compaction.story import DIM, RETENTION, SPACE, Story
from engram import MemoryStore, StoreOptions

_OPTIONS: Final = StoreOptions(
    segment_bytes=64 << 10,
    workers=1,
    mark_interval_s=0.01,
    log_compaction_bytes_per_s=1 << 30,
    compaction_count_min=500,
)


def main() -> None:
    """Take steps until the process is killed."""
    directory, life = sys.argv[1:]
    store = MemoryStore(directory, options=_OPTIONS)
    space = store.space(SPACE, dim=DIM)
    space.set_retention(RETENTION)
    story = Story(space, int(life))
    for step in story.steps():
        print(json.dumps(["begin", *step]), flush=True)
        print(json.dumps(["end", *story.take(step)]), flush=True)


if __name__ == "__main__":
    main()
