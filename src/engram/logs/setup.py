"""Setting up the log of a process that runs a server."""

from __future__ import annotations

import logging
from typing import Final

from engram.logs.formatters import ConsoleFormatter, JsonFormatter

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("console", "json")


def set_up_logging(level: str, form: str) -> None:
    """Write the log of this process to standard error, unless the process has set it up already.

    Parameters
    ----------
    level
        Least severe level of what Engram logs, of `LEVELS`. What other packages log at `debug` is left out, because it
        may hold what was sent.
    form
        How lines are written, of `FORMATS`.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else ConsoleFormatter())
    own = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(own, logging.INFO), handlers=[handler])
    logging.getLogger("engram").setLevel(own)
    # Otherwise they are lines of another form.
    logging.captureWarnings(True)
