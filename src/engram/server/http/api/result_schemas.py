"""JSON Schema of what operations answer, for the description of the service."""

from __future__ import annotations

from typing import Any, Final

from engram.metrics.health import LEVELS
from engram.model.ack import Ack, Deletion
from engram.model.following.change import KINDS, Changes
from engram.model.hit import Hits
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.naming import AliasChanged, AliasList, SpaceDropped, SpaceRenamed
from engram.model.operations.results import Counted, SnapshotTaken, SpaceList
from engram.model.operations.status import ServerStatus, SpaceStatus
from engram.model.query import Recalled
from engram.model.scans.facets import Facets
from engram.model.scans.page import ScanPage
from engram.model.spaces import VECTORS
from engram.wire.forms.hits import UNCHANGED_SHARES

Schema = dict[str, Any]

_WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number"}
_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_OBJECT: Final[Schema] = {"type": "object"}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: dict[str, Schema], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


_HIT: Final = _object(
    {
        "id": _TEXT,
        "score": _NUMBER,
        "confidence": _NUMBER,
        "generation": _WHOLE,
        "content": _TEXT,
        "has_content": _FLAG,
        "metadata": _OBJECT,
        "tags": _list(_TEXT),
        "timestamp": {"type": "string", "format": "date-time"},
        **{spec.singular: _NUMBER for spec in UNCHANGED_SHARES},
        "indexed": _FLAG,
        "recent": _FLAG,
        "age_s": _NUMBER,
        "strength": _NUMBER,
        "vector": _list(_NUMBER),
        "expires_at": {"type": "string", "format": "date-time"},
    },
    "expires_at",
    "has_content",
    "strength",
    "vector",
)
_LEVEL: Final[Schema] = {"type": "string", "enum": list(LEVELS)}
_HEALTH_PROBLEM: Final = _object(
    {"name": _TEXT, "space": _TEXT, "level": _LEVEL, "since_us": _WHOLE, "message": _TEXT, "advice": _TEXT}
)
_SPACE: Final = _object(
    {
        "name": _TEXT,
        "dimension": _WHOLE,
        "metric": _TEXT,
        "embedder": _TEXT,
        "vectors": {"type": "string", "enum": list(VECTORS)},
        "ttl_s": _NUMBER,
        **dict.fromkeys(("durable_generation", "visible_generation", "indexed_generation", "live_count"), _WHOLE),
        **dict.fromkeys(("log_bytes", "index_bytes", "damaged_count"), _WHOLE),
        "pressure": _NUMBER,
        "pressure_level": _TEXT,
        "tail_count_max": _WHOLE,
        "health": _LEVEL,
        "problems": _list(_ref("HealthProblem")),
        "metrics": _list(_OBJECT),
    },
    "vectors",
    "ttl_s",
)
_STATUS: Final = _object(
    {
        "version": _TEXT,
        "uptime_s": _NUMBER,
        **dict.fromkeys(("sessions", "connections", "observations_accepted", "observations_rejected"), _WHOLE),
        **dict.fromkeys(("recalls", "commits"), _WHOLE),
        "lanes": _list(_OBJECT),
        "workers": _list(_OBJECT),
        "spaces": _list(_ref("Space")),
        "damaged_count": _WHOLE,
        "damages": _list(_OBJECT),
        "unsound_spaces": _list(_OBJECT),
        "health": _LEVEL,
        "problems": _list(_ref("HealthProblem")),
        "metrics": _list(_OBJECT),
    }
)
_ERROR: Final = _object(
    {
        **dict.fromkeys(("code", "message", "field", "limit", "value", "kind"), _TEXT),
        "retry_after_ms": _WHOLE,
        "expected_sequence": _WHOLE,
        **dict.fromkeys(("type", "title", "detail"), _TEXT),
        "status": _WHOLE,
    },
    "retry_after_ms",
    "expected_sequence",
)

NAME_OF_RESULT: Final[dict[type[Any], str]] = {
    Ack: "Ack",
    Deletion: "Deletion",
    ErasureReceipt: "ErasureReceipt",
    Hits: "Hits",
    ScanPage: "Page",
    Facets: "Facets",
    Recalled: "Recalled",
    ManyRecalled: "ManyRecalled",
    Changes: "Changes",
    Counted: "Counted",
    SnapshotTaken: "Snapshot",
    SpaceStatus: "Space",
    SpaceList: "Spaces",
    SpaceDropped: "SpaceDropped",
    SpaceRenamed: "SpaceRenamed",
    AliasChanged: "AliasChanged",
    AliasList: "Aliases",
    ServerStatus: "Status",
}
"""Names of the schemas of results, by their classes."""

RESULT_SCHEMAS: Final[dict[str, Schema]] = {
    "Ack": _object(
        {"first_generation": _WHOLE, "last_generation": _WHOLE, "count": _WHOLE, "ids": _list(_TEXT)}, "ids"
    ),
    "Counted": _object({"count": _WHOLE, "generation": _WHOLE}),
    "Deletion": _object({"deleted": _WHOLE, "generation": _WHOLE, "as_of": _WHOLE, "more": _FLAG}, "as_of", "more"),
    "ErasureReceipt": _object(
        {
            "space": _TEXT,
            "space_id": _TEXT,
            "digests": _list(_TEXT),
            "generation": _WHOLE,
            "count": _WHOLE,
            "erased_us": _WHOLE,
        }
    ),
    "Page": _object(
        {"hits": _list(_ref("Hit")), "generation": _WHOLE, "incomplete": _FLAG, "cursor": _TEXT},
    ),
    "Facets": _object(
        {"facets": {"type": "object", "additionalProperties": _ref("Facet")}, "count": _WHOLE, "generation": _WHOLE}
    ),
    "Facet": _object(
        {
            "values": _list(_object({"value": {}, "count": _WHOLE})),
            "count": _WHOLE,
            "distinct": _WHOLE,
            "least": {"type": ["number", "string", "null"]},
            "greatest": {"type": ["number", "string", "null"]},
        }
    ),
    "Hit": _HIT,
    "Hits": _object({"hits": _list(_ref("Hit")), "generation": _WHOLE}),
    "Recalled": _object(
        {
            "hits": _list(_ref("Hit")),
            "generation": _WHOLE,
            "incomplete": _FLAG,
            "partial": _FLAG,
            "more": _FLAG,
        },
        "more",
    ),
    "ManyRecalled": _object(
        {
            "results": _list(_ref("CueResults")),
            "generation": _WHOLE,
            "due_time": {"type": "string", "format": "date-time"},
        },
        "due_time",
    ),
    "Changes": _object({"changes": _list(_ref("Change")), "generation": _WHOLE, "incomplete": _FLAG}),
    "Change": _object(
        {
            "kind": {"type": "string", "enum": list(KINDS)},
            "id": _TEXT,
            "generation": _WHOLE,
            "replaces": _WHOLE,
            "hit": _ref("Hit"),
        },
        "replaces",
        "hit",
    ),
    "CueResults": _object({"hits": _list(_ref("Hit")), "incomplete": _FLAG}),
    "Snapshot": _object({"generation": _WHOLE}),
    "Space": _SPACE,
    "Spaces": _object({"spaces": _list(_ref("Space")), "unsound_spaces": _list(_OBJECT)}),
    "SpaceDropped": _object({"space": _TEXT, "aliases": _list(_TEXT)}),
    "SpaceRenamed": _object({"space": _TEXT, "new": _TEXT}),
    "AliasChanged": _object({"alias": _TEXT, "space": _TEXT}),
    "Aliases": _object({"aliases": {"type": "object", "additionalProperties": _TEXT}}),
    "Status": _STATUS,
    "HealthProblem": _HEALTH_PROBLEM,
    "Problem": _ERROR,
}
"""The schemas of results and errors, by name."""
