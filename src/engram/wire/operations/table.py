"""The table of the protobuf codecs: how each operation is encoded as messages of the contract."""

from __future__ import annotations

from typing import Any, Final

from engram.wire.operations.changes import CHANGES_CODEC
from engram.wire.operations.codec import OperationCodec
from engram.wire.operations.look_ups import COUNT_CODEC, GET_CODEC, SNAPSHOT_CODEC
from engram.wire.operations.many import RECALL_MANY_CODEC
from engram.wire.operations.naming import (
    ALIASES_CODEC,
    DROP_ALIAS_CODEC,
    DROP_SPACE_CODEC,
    RENAME_SPACE_CODEC,
    SET_ALIAS_CODEC,
)
from engram.wire.operations.recalls import RECALL_CODEC, RECALL_STREAM_CODEC
from engram.wire.operations.scans import FACETS_CODEC, SCAN_CODEC
from engram.wire.operations.spaces import CREATE_SPACE_CODEC, SPACE_CODEC, SPACES_CODEC, STATUS_CODEC
from engram.wire.operations.writes import CLEAR_CODEC, DELETE_CODEC, ERASE_CODEC, OBSERVE_CODEC, UPDATE_CODEC

CODECS: Final[dict[str, OperationCodec[Any, Any]]] = {
    codec.operation.name: codec
    for codec in (
        OBSERVE_CODEC,
        UPDATE_CODEC,
        DELETE_CODEC,
        CLEAR_CODEC,
        ERASE_CODEC,
        GET_CODEC,
        SCAN_CODEC,
        FACETS_CODEC,
        RECALL_CODEC,
        RECALL_MANY_CODEC,
        RECALL_STREAM_CODEC,
        CHANGES_CODEC,
        COUNT_CODEC,
        SNAPSHOT_CODEC,
        CREATE_SPACE_CODEC,
        DROP_SPACE_CODEC,
        RENAME_SPACE_CODEC,
        SET_ALIAS_CODEC,
        DROP_ALIAS_CODEC,
        ALIASES_CODEC,
        SPACE_CODEC,
        SPACES_CODEC,
        STATUS_CODEC,
    )
}
"""The codecs by the names of their operations."""

CODEC_OF: Final[dict[type, OperationCodec[Any, Any]]] = {codec.operation.request: codec for codec in CODECS.values()}
"""The codecs by the classes of the requests."""
