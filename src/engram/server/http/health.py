"""Health over HTTP: whether the process lives, and whether it is ready, with the reasons if it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engram.errors import EngramError
from engram.metrics.health import FAILED, Problem, health_of, severity
from engram.model.operations.action import Action
from engram.server.engine import Engine
from engram.server.http.caller import caller_of
from engram.store.health.problem_kinds import DISK_FULL
from engram.wire.error_kinds import shorten

Reason = dict[str, str]
# A store with more has to be seen to anyway.
_PROBLEMS_MAX: Final = 100


class Health:
    """Answers the paths below ``/health``.

    They are not authorized, because probes have no credentials. Whoever may not describe the server learns only the
    codes of the reasons, and the names of the problems.

    Parameters
    ----------
    engine
        The engine whose health is told.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def live(self, request: Request) -> Response:
        """Answer that the process answers."""
        return JSONResponse({"status": "live"})

    async def ready(self, request: Request) -> Response:
        """Answer whether every call can be expected to be served: 200, or 503 with the reasons.

        What does not keep a call from being served is a problem, and no reason.
        """
        reasons, problems = await asyncio.to_thread(_looked_at, self._engine)
        known = self._may_know(request)
        if not known:
            reasons = [{"code": reason["code"]} for reason in reasons]
        body: dict[str, Any] = {"status": "unready" if reasons else "ready", "reasons": reasons}
        body["health"] = health_of(problems)
        body["problems"] = [_described(problem, known=known) for problem in problems[:_PROBLEMS_MAX]]
        return JSONResponse(body, 503 if reasons else 200)

    def _may_know(self, request: Request) -> bool:
        try:
            self._engine.authorize(caller_of(request.scope), None, Action.DESCRIBE)
        except Exception:
            # Whatever an authorizer raises refuses.
            return False
        return True


def _looked_at(engine: Engine) -> tuple[list[Reason], list[Problem]]:
    """Return the reasons and the problems, of one look at everything."""
    problems = _all(engine)
    return list(_unready_reasons(engine, problems)), problems


def _all(engine: Engine) -> list[Problem]:
    """Return the problems of the server and of all spaces, the worst first."""
    found = [*engine.store.problems(), *(each for space in engine.store.spaces() for each in space.health.look())]
    return sorted(found, key=lambda problem: -severity(problem.level))


def _described(problem: Problem, *, known: bool) -> dict[str, Any]:
    return problem._asdict() if known else {"name": problem.name, "level": problem.level}


def _unready_reasons(engine: Engine, problems: Iterable[Problem]) -> Iterator[Reason]:
    """Yield why calls cannot be expected to be served, where these are the `problems` that there are."""
    if engine.stopping.is_set():
        yield {"code": "shutting_down", "message": "the server is stopping"}
    for name, error in sorted(engine.store.unsound.items()):
        yield _reason(error, name)
    for space in engine.store.spaces():
        failure = space.failure()
        if failure is not None:
            yield _reason(failure, space.config.name)
    for problem in engine.store.table.left.problems():
        # Whether a space that failed and rests takes writes again is not known before it is opened.
        if problem.level == FAILED:
            yield {"code": problem.name, "space": problem.space, "message": shorten(problem.message)}
    for problem in problems:
        if problem.name == DISK_FULL.name:
            # That of the server begins and ends with the refusals, not with the reserve, see `Hysteresis`.
            of_space = {"space": problem.space} if problem.space else {}
            yield {"code": "disk_full", **of_space, "message": shorten(problem.message)}


def _reason(error: EngramError, space: str) -> Reason:
    return {"code": error.code, "space": space, "message": shorten(error.message)}
