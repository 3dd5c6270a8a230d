"""The results of operations as a client receives them: JSON, and frames for those with hits.

What `engram.wire.forms.results` writes, this reads. Fields that only a later server knows are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from numpy.typing import NDArray

from engram.errors import EngramError, InvalidInput, Unavailable
from engram.metrics.health import Problem
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.model.ack import Ack, Deletion
from engram.model.damage import Damage
from engram.model.following.change import Changes
from engram.model.hit import Hits
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.naming import AliasChanged, AliasList, SpaceDropped, SpaceRenamed
from engram.model.operations.results import Counted, SnapshotTaken, SpaceList
from engram.model.operations.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace, WorkerStatus
from engram.model.query import Recalled
from engram.model.scans.facets import Facet, Facets, FacetValue
from engram.model.scans.page import ScanPage
from engram.model.spaces import VECTORS_DEFAULT, SpaceConfig
from engram.wire.forms.failures import error_from
from engram.wire.forms.following.changes import read_changes
from engram.wire.forms.many import read_many
from engram.wire.forms.received_hits import read_hits

Arrays = Mapping[str, NDArray[Any]]
_Text = bytes | memoryview


class _Metric(Struct):
    name: str
    value: float | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class _Problem(Struct):
    name: str
    space: str = ""
    level: str = ""
    since_us: int = 0
    message: str = ""
    advice: str = ""


class _Counted(Struct):
    count: int
    generation: int = 0


class _Space(Struct):
    name: str
    dimension: int
    metric: str
    embedder: str = ""
    vectors: str = VECTORS_DEFAULT
    ttl_s: float | None = None
    durable_generation: int = 0
    visible_generation: int = 0
    indexed_generation: int = 0
    live_count: int = 0
    log_bytes: int = 0
    index_bytes: int = 0
    damaged_count: int = 0
    pressure: float | None = 0.0
    pressure_level: str = ""
    tail_count_max: int = 0
    problems: list[_Problem] = msgspec.field(default_factory=list)
    metrics: list[_Metric] = msgspec.field(default_factory=list)


class _Unsound(Struct):
    name: str
    code: str = ""
    message: str = ""


class _Spaces(Struct):
    spaces: list[_Space]
    unsound_spaces: list[_Unsound] = msgspec.field(default_factory=list)


class _Damage(Struct):
    space: str
    file: str
    offset: int
    first_generation: int
    last_generation: int
    what: str


class _Server(Struct):
    version: str
    uptime_s: float
    sessions: int = 0
    connections: int = 0
    observations_accepted: int = 0
    observations_rejected: int = 0
    recalls: int = 0
    commits: int = 0
    lanes: tuple[LaneStatus, ...] = ()
    workers: tuple[WorkerStatus, ...] = ()
    spaces: list[_Space] = msgspec.field(default_factory=list)
    damaged_count: int = 0
    damages: list[_Damage] = msgspec.field(default_factory=list)
    unsound_spaces: list[_Unsound] = msgspec.field(default_factory=list)
    problems: list[_Problem] = msgspec.field(default_factory=list)
    metrics: list[_Metric] = msgspec.field(default_factory=list)


class _Generations(Struct):
    first_generation: int
    last_generation: int


class _Receipt(Struct):
    space: str
    space_id: str
    digests: tuple[str, ...]
    generation: int
    count: int
    erased_us: int


class _Aliases(Struct):
    aliases: dict[str, str]


class _Deleted(Struct):
    deleted: int
    generation: int
    as_of: int = 0
    more: bool = False


class _FacetValue(Struct):
    value: Any
    count: int


class _Facet(Struct):
    values: list[_FacetValue]
    count: int
    distinct: int
    least: Any = None
    greatest: Any = None


class _Facets(Struct):
    facets: dict[str, _Facet]
    count: int
    generation: int


def decode_result(kind: type[Any], text: _Text, arrays: Arrays | None) -> Any:
    """Return the result of an operation.

    Parameters
    ----------
    kind
        Class of the result.
    text
        The JSON object, or the header of a frame.
    arrays
        The arrays of the frame; None if the result came as JSON alone.

    Raises
    ------
    Unavailable
        With code ``unexpected_response``, if the text is no such result.
    """
    try:
        return _READERS[kind](text, arrays or {})
    except (ValueError, RecursionError, InvalidInput) as error:
        raise unexpected(f"an answer that cannot be read as {kind.__name__}: {error}") from None


def decode_error(text: _Text) -> EngramError:
    """Return the error that a JSON object reports."""
    try:
        return error_from(msgspec.json.decode(text, type=dict[str, Any]))
    except (ValueError, RecursionError) as error:
        return unexpected(f"an error that cannot be read: {error}")


def unexpected(what: str) -> Unavailable:
    """Return the error that a server sent what no server should send."""
    return Unavailable(f"the server sent {what}", code="unexpected_response")


def _recalled(text: _Text, arrays: Arrays) -> Recalled:
    form, hits = read_hits(text, arrays)
    return Recalled(hits, form.generation, len(hits), 0.0, form.incomplete, form.more)


def _hits(text: _Text, arrays: Arrays) -> Hits:
    form, hits = read_hits(text, arrays)
    return Hits(hits, form.generation, form.incomplete)


def _page(text: _Text, arrays: Arrays) -> ScanPage:
    form, hits = read_hits(text, arrays)
    return ScanPage(hits, form.generation, form.incomplete, form.cursor)


def _facets(form: _Facets) -> Facets:
    return Facets({name: _facet(each) for name, each in form.facets.items()}, form.count, form.generation)


def _facet(form: _Facet) -> Facet:
    values = tuple(FacetValue(each.value, each.count) for each in form.values)
    return Facet(values, form.count, form.distinct, form.least, form.greatest)


def _ack(form: _Generations) -> Ack:
    return Ack(0, 0, form.first_generation, form.last_generation)


_SETTINGS: Final = ("name", "dimension", "metric", "embedder", "vectors", "ttl_s")


def _space(form: _Space) -> SpaceStatus:
    return SpaceStatus(
        # The server's settings are not checked again, so that a later server may have others.
        config=SpaceConfig(*(getattr(form, name) for name in _SETTINGS)),
        durable_generation=form.durable_generation,
        visible_generation=form.visible_generation,
        indexed_generation=form.indexed_generation,
        live_count=form.live_count,
        log_bytes=form.log_bytes,
        index_bytes=form.index_bytes,
        damaged_count=form.damaged_count,
        metrics=_metrics(form.metrics),
        pressure=form.pressure or 0.0,
        pressure_level=form.pressure_level,
        tail_count_max=form.tail_count_max,
        problems=_problems(form.problems),
    )


def _problems(forms: list[_Problem]) -> tuple[Problem, ...]:
    return tuple(Problem(*msgspec.structs.astuple(form)) for form in forms)


def _unsound(forms: list[_Unsound]) -> tuple[UnsoundSpace, ...]:
    return tuple(UnsoundSpace(form.name, form.code, form.message) for form in forms)


def _server(form: _Server) -> ServerStatus:
    given = {name: getattr(form, name) for name in form.__struct_fields__}
    given |= {
        "spaces": tuple(map(_space, form.spaces)),
        "damages": tuple(Damage(*msgspec.structs.astuple(each)) for each in form.damages),
        "unsound_spaces": _unsound(form.unsound_spaces),
        "problems": _problems(form.problems),
        "metrics": _metrics(form.metrics),
    }
    return ServerStatus(**given)


def _metrics(forms: list[_Metric]) -> MetricSamples:
    # JSON has no NaN; it has null in its place.
    return MetricSamples(
        MetricSample(form.name, math.nan if form.value is None else form.value, form.labels) for form in forms
    )


def _of(form: type[Any], make: Callable[[Any], Any]) -> Callable[[_Text, Arrays], Any]:
    read = msgspec.json.Decoder(form).decode
    return lambda text, arrays: make(read(text))


def _as_it_is(result: Any) -> Any:
    return result


_READERS: Final[dict[type[Any], Callable[[_Text, Arrays], Any]]] = {
    Recalled: _recalled,
    ManyRecalled: read_many,
    Changes: read_changes,
    Hits: _hits,
    Ack: _of(_Generations, _ack),
    Counted: _of(_Counted, lambda form: Counted(form.count, form.generation)),
    ScanPage: _page,
    Facets: _of(_Facets, _facets),
    ErasureReceipt: _of(
        _Receipt,
        lambda form: ErasureReceipt(
            form.space, form.space_id, form.digests, form.generation, form.count, form.erased_us
        ),
    ),
    Deletion: _of(_Deleted, lambda form: Deletion(form.deleted, form.generation, form.as_of, form.more)),
    SnapshotTaken: _of(SnapshotTaken, _as_it_is),
    SpaceStatus: _of(_Space, _space),
    SpaceList: _of(_Spaces, lambda form: SpaceList(tuple(map(_space, form.spaces)), _unsound(form.unsound_spaces))),
    ServerStatus: _of(_Server, _server),
    SpaceDropped: _of(SpaceDropped, _as_it_is),
    SpaceRenamed: _of(SpaceRenamed, _as_it_is),
    AliasChanged: _of(AliasChanged, _as_it_is),
    AliasList: _of(_Aliases, lambda form: AliasList(form.aliases)),
}
