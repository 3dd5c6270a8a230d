"""The methods of ``engram.v1.EngramService``: their names, messages and kinds of streaming, for every transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from google.protobuf.message import Message

from engram.wire import engram_pb2 as pb

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["EngramService"]
SERVICE_NAME: Final[str] = _SERVICE.full_name


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """One method of the service.

    Parameters
    ----------
    name
        Name of the method in the contract.
    request, response
        Types of the messages.
    """

    name: str
    request: type[Request]
    response: type[Response]

    @property
    def takes_stream(self) -> bool:
        """Whether the client sends any number of requests in one call."""
        return bool(_descriptor(self.name).client_streaming)

    @property
    def answers_stream(self) -> bool:
        """Whether the server sends any number of responses in one call."""
        return bool(_descriptor(self.name).server_streaming)


def _descriptor(name: str) -> Any:
    return _SERVICE.methods_by_name[name]


OBSERVE_STREAM: Final = Method("ObserveStream", pb.ObservationRequest, pb.ObservationResponse)
RECALL_STREAM: Final = Method("RecallStream", pb.StreamingRecallRequest, pb.StreamingRecallResponse)
CHANGES: Final = Method("Changes", pb.ChangesRequest, pb.ChangesResponse)
MEMORY_STREAM: Final = Method("MemoryStream", pb.MemoryStreamRequest, pb.MemoryStreamResponse)
REMEMBER: Final = Method("Remember", pb.RememberRequest, pb.RememberResponse)
RECALL: Final = Method("Recall", pb.RecallRequest, pb.RecallResponse)
UPDATE: Final = Method("Update", pb.UpdateRequest, pb.RememberResponse)
RECALL_MANY: Final = Method("RecallMany", pb.RecallManyRequest, pb.RecallManyResponse)
FORGET: Final = Method("Forget", pb.ForgetRequest, pb.ForgetResponse)
CLEAR: Final = Method("Clear", pb.ClearRequest, pb.ForgetResponse)
ERASE: Final = Method("Erase", pb.EraseRequest, pb.EraseResponse)
SCAN: Final = Method("Scan", pb.ScanRequest, pb.ScanResponse)
GET_FACETS: Final = Method("GetFacets", pb.FacetsRequest, pb.FacetsResponse)
GET: Final = Method("Get", pb.GetRequest, pb.GetResponse)
COUNT: Final = Method("Count", pb.CountRequest, pb.CountResponse)
GET_SNAPSHOT: Final = Method("GetSnapshot", pb.GetSnapshotRequest, pb.GetSnapshotResponse)
CREATE_SPACE: Final = Method("CreateSpace", pb.CreateSpaceRequest, pb.Space)
GET_SPACE: Final = Method("GetSpace", pb.GetSpaceRequest, pb.Space)
LIST_SPACES: Final = Method("ListSpaces", pb.ListSpacesRequest, pb.ListSpacesResponse)
DROP_SPACE: Final = Method("DropSpace", pb.DropSpaceRequest, pb.DropSpaceResponse)
RENAME_SPACE: Final = Method("RenameSpace", pb.RenameSpaceRequest, pb.RenameSpaceResponse)
SET_ALIAS: Final = Method("SetAlias", pb.SetAliasRequest, pb.SetAliasResponse)
DROP_ALIAS: Final = Method("DropAlias", pb.DropAliasRequest, pb.DropAliasResponse)
LIST_ALIASES: Final = Method("ListAliases", pb.ListAliasesRequest, pb.ListAliasesResponse)
GET_STATUS: Final = Method("GetStatus", pb.GetStatusRequest, pb.GetStatusResponse)
