"""What the command line exits with; commands on directories have codes of their own, see `engram verify --help`."""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
# The command did what it was told, and what it found is that something stored is damaged.
EXIT_DAMAGE: Final = 4
EXIT_INTERRUPTED: Final = 130
