"""The table of all operations, which every transport and every client goes by."""

from __future__ import annotations

from typing import Any, Final

from engram.model.ack import Ack, Deletion
from engram.model.following.change import Changes
from engram.model.following.follow_changes import FollowChanges
from engram.model.hit import Hits
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.action import Action
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.naming import (
    AliasChanged,
    AliasList,
    DropAlias,
    DropSpace,
    ListAliases,
    RenameSpace,
    SetAlias,
    SpaceDropped,
    SpaceRenamed,
)
from engram.model.operations.operation import Operation, Route
from engram.model.operations.requests import (
    Count,
    CreateSpace,
    Delete,
    DescribeServer,
    DescribeSpace,
    Erase,
    Get,
    ListSpaces,
    Observe,
    Recall,
    RecallMany,
    StreamRecall,
    TakeSnapshot,
)
from engram.model.operations.results import Counted, SnapshotTaken, SpaceList
from engram.model.operations.scans import Clear, CountFacets, ReadPage
from engram.model.operations.status import ServerStatus, SpaceStatus
from engram.model.operations.updates import Update
from engram.model.query import Recalled
from engram.model.scans.facets import Facets
from engram.model.scans.page import ScanPage

_SPACES: Final = "/api/v1/spaces"
_SPACE: Final = f"{_SPACES}/{{space}}"
_ALIASES: Final = "/api/v1/aliases"

OBSERVE: Final = Operation(
    "observe",
    Observe,
    Ack,
    Action.OBSERVE,
    "Store one observation or many, perhaps on conditions; they are durable and recallable when this answers.",
    (Route("POST", f"{_SPACE}/observations"),),
    writes=True,
)
UPDATE: Final = Operation(
    "update",
    Update,
    Ack,
    Action.OBSERVE,
    "Change fields of observations; what is not named stays.",
    (Route("POST", f"{_SPACE}/update"),),
    writes=True,
)
DELETE: Final = Operation(
    "delete",
    Delete,
    Deletion,
    Action.FORGET,
    "Delete observations by their ids, or all that pass a filter.",
    (Route("POST", f"{_SPACE}/delete"), Route("DELETE", f"{_SPACE}/observations/{{id}}")),
    writes=True,
)
CLEAR: Final = Operation(
    "clear",
    Clear,
    Deletion,
    Action.FORGET,
    "Delete all observations of a space.",
    (Route("POST", f"{_SPACE}/clear"),),
    writes=True,
)
ERASE: Final = Operation(
    "erase",
    Erase,
    ErasureReceipt,
    Action.FORGET,
    "Remove all that was ever written under some ids from every file of a space.",
    (Route("POST", f"{_SPACE}/erase"),),
    writes=True,
)
GET: Final = Operation(
    "get",
    Get,
    Hits,
    Action.RECALL,
    "Return observations by their ids, as far as they exist.",
    (Route("GET", f"{_SPACE}/observations/{{id}}"), Route("POST", f"{_SPACE}/get")),
)
SCAN: Final = Operation(
    "scan",
    ReadPage,
    ScanPage,
    Action.RECALL,
    "Return one page of everything that passes a filter, and the cursor of the next.",
    (Route("POST", f"{_SPACE}/scan"), Route("GET", f"{_SPACE}/observations")),
)
FACETS: Final = Operation(
    "facets",
    CountFacets,
    Facets,
    Action.RECALL,
    "Return the values that observations have, with their numbers.",
    (Route("POST", f"{_SPACE}/facets"),),
)
RECALL: Final = Operation(
    "recall",
    Recall,
    Recalled,
    Action.RECALL,
    "Return what best matches a cue, best first.",
    (Route("POST", f"{_SPACE}/recall"),),
)
RECALL_MANY: Final = Operation(
    "recall_many",
    RecallMany,
    ManyRecalled,
    Action.RECALL,
    "Return what best matches each of many cues, best first, all as of one snapshot.",
    (Route("POST", f"{_SPACE}/recall_many"),),
)
RECALL_STREAM: Final = Operation(
    "recall_stream",
    StreamRecall,
    Recalled,
    Action.RECALL,
    "Return what matches a cue in batches, as it is found, and then what is stored meanwhile if asked to follow.",
    (Route("POST", f"{_SPACE}/recall"), Route("POST", f"{_SPACE}/follow"), Route("GET", f"{_SPACE}/follow")),
    streams=True,
)
CHANGES: Final = Operation(
    "changes",
    FollowChanges,
    Changes,
    Action.RECALL,
    "Tell what is observed, updated, deleted and expires, in order, from any retained generation on.",
    (Route("POST", f"{_SPACE}/changes"), Route("GET", f"{_SPACE}/changes")),
    streams=True,
)
COUNT: Final = Operation(
    "count",
    Count,
    Counted,
    Action.RECALL,
    "Return how many observations pass a filter.",
    (Route("POST", f"{_SPACE}/count"),),
)
SNAPSHOT: Final = Operation(
    "snapshot",
    TakeSnapshot,
    SnapshotTaken,
    Action.RECALL,
    "Return the generation that is the newest now, or was at a time.",
    (Route("GET", f"{_SPACE}/snapshot"),),
)
CREATE_SPACE: Final = Operation(
    "create_space",
    CreateSpace,
    SpaceStatus,
    Action.CREATE,
    "Create a space; one that exists with the same settings is returned.",
    (Route("PUT", _SPACE),),
    writes=True,
)
DROP_SPACE: Final = Operation(
    "drop_space",
    DropSpace,
    SpaceDropped,
    Action.DROP,
    "Drop a space with all that is in it, and its aliases.",
    (Route("DELETE", _SPACE),),
    writes=True,
    names_space=True,
)
RENAME_SPACE: Final = Operation(
    "rename_space",
    RenameSpace,
    SpaceRenamed,
    Action.NAME,
    "Give a space another name.",
    (Route("POST", f"{_SPACE}/rename"),),
    writes=True,
    names_space=True,
)
SET_ALIAS: Final = Operation(
    "set_alias",
    SetAlias,
    AliasChanged,
    Action.NAME,
    "Let a name mean a space from now on.",
    (Route("PUT", f"{_ALIASES}/{{space}}"),),
    writes=True,
    names_space=True,
)
DROP_ALIAS: Final = Operation(
    "drop_alias",
    DropAlias,
    AliasChanged,
    Action.NAME,
    "Drop an alias; its space stays as it is.",
    (Route("DELETE", f"{_ALIASES}/{{space}}"),),
    writes=True,
    names_space=True,
)
ALIASES: Final = Operation(
    "aliases",
    ListAliases,
    AliasList,
    Action.DESCRIBE,
    "Name the aliases of all spaces.",
    (Route("GET", _ALIASES),),
)
SPACE: Final = Operation(
    "space",
    DescribeSpace,
    SpaceStatus,
    Action.DESCRIBE,
    "Describe one space.",
    (Route("GET", _SPACE),),
    # A client checks observations and cues against the settings of the space.
    or_actions=(Action.OBSERVE, Action.RECALL),
)
SPACES: Final = Operation(
    "spaces",
    ListSpaces,
    SpaceList,
    Action.DESCRIBE,
    "Describe every space, and name those that cannot be used.",
    (Route("GET", _SPACES),),
)
STATUS: Final = Operation(
    "status",
    DescribeServer,
    ServerStatus,
    Action.DESCRIBE,
    "Describe the server.",
    (Route("GET", "/api/v1/status"),),
)

OPERATIONS: Final[dict[str, Operation[Any]]] = {
    operation.name: operation
    for operation in (
        OBSERVE,
        UPDATE,
        DELETE,
        CLEAR,
        ERASE,
        GET,
        SCAN,
        FACETS,
        RECALL,
        RECALL_MANY,
        RECALL_STREAM,
        CHANGES,
        COUNT,
        SNAPSHOT,
        CREATE_SPACE,
        DROP_SPACE,
        RENAME_SPACE,
        SET_ALIAS,
        DROP_ALIAS,
        ALIASES,
        SPACE,
        SPACES,
        STATUS,
    )
}
"""All operations by their names."""
