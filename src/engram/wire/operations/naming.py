"""``drop_space``, ``rename_space``, ``set_alias``, ``drop_alias`` and ``aliases`` as messages."""

from __future__ import annotations

from typing import Any, Final

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
from engram.model.operations.operation import Operation, check_space_is_named
from engram.model.operations.table import ALIASES, DROP_ALIAS, DROP_SPACE, RENAME_SPACE, SET_ALIAS
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.operations.codec import OperationCodec, named_space, whole_server


def _given(operation: Operation[Any], message: Any) -> str:
    check_space_is_named(operation, message.memory_space_id)
    return str(message.memory_space_id)


def _decode_drop(message: pb.DropSpaceRequest) -> DropSpace:
    return DropSpace(_given(DROP_SPACE, message), message.idempotency_key)


def _encode_drop(request: DropSpace) -> pb.DropSpaceRequest:
    return pb.DropSpaceRequest(memory_space_id=request.space, idempotency_key=request.idempotency_key)


def _encode_dropped(_: object, dropped: SpaceDropped) -> list[pb.DropSpaceResponse]:
    return [pb.DropSpaceResponse(space=dropped.space, aliases=dropped.aliases)]


def _decode_dropped(message: pb.DropSpaceResponse) -> SpaceDropped:
    return SpaceDropped(message.space, tuple(message.aliases))


def _decode_rename(message: pb.RenameSpaceRequest) -> RenameSpace:
    return RenameSpace(_given(RENAME_SPACE, message), message.new, message.idempotency_key)


def _encode_rename(request: RenameSpace) -> pb.RenameSpaceRequest:
    return pb.RenameSpaceRequest(
        memory_space_id=request.space, new=request.new, idempotency_key=request.idempotency_key
    )


def _encode_renamed(_: object, renamed: SpaceRenamed) -> list[pb.RenameSpaceResponse]:
    return [pb.RenameSpaceResponse(space=renamed.space, new=renamed.new)]


def _decode_renamed(message: pb.RenameSpaceResponse) -> SpaceRenamed:
    return SpaceRenamed(message.space, message.new)


def _decode_set_alias(message: pb.SetAliasRequest) -> SetAlias:
    return SetAlias(_given(SET_ALIAS, message), message.to)


def _encode_set_alias(request: SetAlias) -> pb.SetAliasRequest:
    return pb.SetAliasRequest(memory_space_id=request.space, to=request.to)


def _encode_alias_set(_: object, changed: AliasChanged) -> list[pb.SetAliasResponse]:
    return [pb.SetAliasResponse(alias=changed.alias, space=changed.space)]


def _decode_alias_set(message: pb.SetAliasResponse) -> AliasChanged:
    return AliasChanged(message.alias, message.space)


def _decode_drop_alias(message: pb.DropAliasRequest) -> DropAlias:
    return DropAlias(_given(DROP_ALIAS, message), message.idempotency_key)


def _encode_drop_alias(request: DropAlias) -> pb.DropAliasRequest:
    return pb.DropAliasRequest(memory_space_id=request.space, idempotency_key=request.idempotency_key)


def _encode_alias_dropped(_: object, changed: AliasChanged) -> list[pb.DropAliasResponse]:
    return [pb.DropAliasResponse(alias=changed.alias, space=changed.space)]


def _decode_alias_dropped(message: pb.DropAliasResponse) -> AliasChanged:
    return AliasChanged(message.alias, message.space)


def _decode_list(_: pb.ListAliasesRequest) -> ListAliases:
    return ListAliases()


def _encode_list(_: ListAliases) -> pb.ListAliasesRequest:
    return pb.ListAliasesRequest()


def _encode_listed(_: object, found: AliasList) -> list[pb.ListAliasesResponse]:
    return [pb.ListAliasesResponse(aliases=found.aliases)]


def _decode_listed(message: pb.ListAliasesResponse) -> AliasList:
    # The order of a map is anybody's.
    return AliasList(dict(sorted(message.aliases.items())))


DROP_SPACE_CODEC: Final = OperationCodec(
    DROP_SPACE, methods.DROP_SPACE, named_space, _decode_drop, _encode_drop, _encode_dropped, _decode_dropped
)
RENAME_SPACE_CODEC: Final = OperationCodec(
    RENAME_SPACE, methods.RENAME_SPACE, named_space, _decode_rename, _encode_rename, _encode_renamed, _decode_renamed
)
SET_ALIAS_CODEC: Final = OperationCodec(
    SET_ALIAS,
    methods.SET_ALIAS,
    named_space,
    _decode_set_alias,
    _encode_set_alias,
    _encode_alias_set,
    _decode_alias_set,
)
DROP_ALIAS_CODEC: Final = OperationCodec(
    DROP_ALIAS,
    methods.DROP_ALIAS,
    named_space,
    _decode_drop_alias,
    _encode_drop_alias,
    _encode_alias_dropped,
    _decode_alias_dropped,
)
ALIASES_CODEC: Final = OperationCodec(
    ALIASES, methods.LIST_ALIASES, whole_server, _decode_list, _encode_list, _encode_listed, _decode_listed
)
