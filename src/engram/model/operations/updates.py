"""The request of ``update``."""

from __future__ import annotations

from dataclasses import dataclass

from engram.model.ack import Ack
from engram.model.operations.changes import ObservationChanges, check_changes
from engram.model.operations.operation import Request
from engram.model.priority import Priority
from engram.model.values.scalars import as_flag


@dataclass(frozen=True, slots=True, eq=False)
class Update(Request[Ack]):
    """Change fields of observations that exist, all of them or none. What is not named stays.

    Parameters
    ----------
    space
        Name of the space.
    changes
        The ids and what changes.
    priority
        Lane of the new versions.
    merge
        Whether the keys of `metadata` join those that are there, where null removes a key. Otherwise the metadata are
        replaced as a whole.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.

    Raises
    ------
    InvalidInput
        If the changes can be those of no observation, or there are none.
    """

    space: str
    changes: ObservationChanges
    priority: Priority = Priority.NORMAL
    merge: bool = True
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        check_changes(self.changes)
        object.__setattr__(self, "merge", as_flag("merge", self.merge))
