"""The door before every operation: it asks the authorizer, and stays shut unless that allows the operation."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from typing import Final

from engram.errors import PermissionDenied
from engram.model.operations.action import Action
from engram.model.values.scalars import shown
from engram.server.authorization import Authorizer, Caller

_logger: Final = logging.getLogger(__name__)


class Gatekeeper:
    """Asks the authorizer of a server, and lets nobody in whom it did not allow.

    Parameters
    ----------
    authorizer
        The function that decides.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer
        self._has_complained = False

    def check(self, caller: Caller, actions: Sequence[Action], space: str | None) -> None:
        """Check that `caller` may perform one of `actions` in `space`; the first refusal is raised.

        Raises
        ------
        PermissionDenied
            If the authorizer refuses all of them, or returns something.
        Exception
            What the authorizer raises besides.
        """
        refusal: PermissionDenied | None = None
        for action in actions:
            try:
                self._ask(caller, action, space)
            except PermissionDenied as error:
                refusal = refusal or error
            else:
                return
        if refusal is not None:
            raise refusal

    def _ask(self, caller: Caller, action: Action, space: str | None) -> None:
        verdict: object = self._authorizer(caller, action, space)  # type: ignore[func-returns-value]  # A bad one does.
        if verdict is None:
            return
        if isinstance(verdict, Coroutine):
            verdict.close()
        if not self._has_complained:
            self._has_complained = True
            _logger.error(
                "the authorizer returned %s, so the operation is refused; an authorizer returns None to allow an "
                "operation, and raises an error to refuse it",
                shown(verdict),
            )
        raise PermissionDenied(f"the server does not permit {action.value} here", field="action", value=action.value)
