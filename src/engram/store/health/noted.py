"""Work that is tried again and again, whose failures are a problem until it succeeds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from engram.errors import EngramError
from engram.store.health.problem_kinds import ProblemKind
from engram.store.health.problems import Problems

logger: logging.Logger = logging.getLogger(__name__)


@contextmanager
def noted(problems: Problems, kind: ProblemKind, what: str) -> Iterator[None]:
    """Note in `problems` whether the body fails, and go on.

    Parameters
    ----------
    problems
        Where a failure is noted as long as it lasts.
    kind
        The kind of problem that it is.
    what
        What does not work, such as ``"the list of spaces cannot be written"``.
    """
    try:
        yield
    except EngramError as error:
        problems.set(kind, f"{what}: {error.message}")
    except Exception as error:
        if not problems.has(kind):
            logger.exception("%s", what)
        problems.set(kind, f"{what}: {type(error).__name__}")
    else:
        problems.set(kind, None)
