"""Exit codes of the command line; commands on directories have their own, see ``engram verify --help``."""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
# The command succeeded and found that stored data is damaged.
EXIT_DAMAGE: Final = 4
# The command succeeded and found that something else is degraded or failed.
EXIT_PROBLEM: Final = 5
EXIT_INTERRUPTED: Final = 130
