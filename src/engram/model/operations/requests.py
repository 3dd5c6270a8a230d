"""The requests of the operations. Their fields are the arguments, which are the same on every transport.

What a request refuses, it refuses on every transport, at the client and at the server. Whatever depends on the space,
such as the dimension of a vector, is checked where the request is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from engram.errors import InvalidInput
from engram.model.ack import Ack, Deletion
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import NO_FILTER, Filter
from engram.model.hit import Hits
from engram.model.limits import CUES_MAX, RESULTS_MAX
from engram.model.many.cue_list import too_many_cues
from engram.model.many.many_query import ManyQuery
from engram.model.many.many_recalled import ManyRecalled
from engram.model.observations import ObservationBatch
from engram.model.operations.conditions import as_expected
from engram.model.operations.deletions import check_deleting
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.operation import Request
from engram.model.operations.results import Counted, SnapshotTaken, SpaceList
from engram.model.operations.status import ServerStatus, SpaceStatus
from engram.model.priority import Priority
from engram.model.query import Recalled, RecallQuery, as_generation, check_one_snapshot, check_range
from engram.model.spaces import SpaceConfig
from engram.model.values.ids import check_id_count
from engram.model.values.scalars import as_flag


@dataclass(frozen=True, slots=True, eq=False)
class Observe(Request[Ack]):
    """Store observations outside of a session, as a whole or not at all; with conditions, only if all of them hold.

    Parameters
    ----------
    space
        Name of the space.
    batch
        The observations, 1 to 10 000 of at most 32 MiB together; an id that exists is superseded.
    priority
        Lane of the observations.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.
    expected_generations
        The generation that the live version of each id must have, 0 for an id that must not be alive; each id once.
        None for no conditions.

    Raises
    ------
    InvalidInput
        If there is not one expected generation for each id, or an id that has one occurs twice.
    """

    space: str
    batch: ObservationBatch
    priority: Priority = Priority.NORMAL
    idempotency_key: str = ""
    expected_generations: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.expected_generations is not None:
            expected = as_expected(self.expected_generations, self.batch.ids)
            object.__setattr__(self, "expected_generations", expected)


@dataclass(frozen=True, slots=True)
class Delete(Request[Deletion]):
    """Delete observations by their ids, or all that pass a filter. Ids that do not exist are no error.

    Parameters
    ----------
    space
        Name of the space.
    ids
        The ids, up to 10 000; None if there is a filter.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.
    filter
        Conditions, at least one, that each observation meets. What is written after `max_generation` stays.
    max_generation
        Apply the filter as of this generation; None for the newest.
    dry_run
        Whether to delete nothing, and only count.

    Raises
    ------
    InvalidInput
        If there are too many ids, or not either ids or a filter with conditions.
    """

    space: str
    ids: Sequence[str] | None = None
    idempotency_key: str = ""
    filter: Filter | Condition | None = None
    max_generation: int | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.filter is not None:
            check_deleting(self.filter, self.ids is not None)
        elif self.ids is None:
            raise InvalidInput(
                "there is nothing to delete by; pass ids or a filter",
                code="missing_field",
                field="ids",
                limit="ids or filter",
            )
        elif self.max_generation is not None:
            raise InvalidInput(
                "ids are deleted as of now; max_generation goes with a filter",
                code="invalid_arguments",
                field="max_generation",
                limit="a filter",
            )
        check_id_count(self.ids or ())
        object.__setattr__(self, "max_generation", as_generation(self.max_generation))
        object.__setattr__(self, "dry_run", as_flag("dry_run", self.dry_run))


@dataclass(frozen=True, slots=True)
class Erase(Request[ErasureReceipt]):
    """Delete observations, and remove all that was ever written under their ids from every file of a space.

    Parameters
    ----------
    space
        Name of the space.
    ids
        The ids, up to 10 000.
    idempotency_key
        A text of the caller's choice for this write; the same write with the same key gets the first answer again.
        Empty for none.

    Raises
    ------
    InvalidInput
        If there are too many ids.
    """

    space: str
    ids: Sequence[str]
    idempotency_key: str = ""

    def __post_init__(self) -> None:
        check_id_count(self.ids)


@dataclass(frozen=True, slots=True)
class Get(Request[Hits]):
    """Look up observations by their ids, all at one generation. An id that does not exist is left out.

    Parameters
    ----------
    space
        Name of the space.
    ids
        The ids, up to 10 000.
    max_generation
        Generation of the look-up; None for the newest.
    include_vectors
        Whether the hits have their vectors.

    Raises
    ------
    InvalidInput
        If there are too many ids, or `include_vectors` is no truth value.
    """

    space: str
    ids: Sequence[str]
    max_generation: int | None = None
    include_vectors: bool = False

    def __post_init__(self) -> None:
        check_id_count(self.ids)
        object.__setattr__(self, "include_vectors", as_flag("include_vectors", self.include_vectors))


@dataclass(frozen=True, slots=True)
class Recall(Request[Recalled]):
    """Find what best matches a cue, answered as a whole.

    Parameters
    ----------
    space
        Name of the space.
    query
        What is searched for, up to 10 000 hits, and how; its parameters for streams do not apply.

    Raises
    ------
    InvalidInput
        If more hits are asked for; a `StreamRecall` may.
    """

    space: str
    query: RecallQuery

    def __post_init__(self) -> None:
        check_range("k", self.query.k, 1, RESULTS_MAX)


@dataclass(frozen=True, slots=True)
class RecallMany(Request[ManyRecalled]):
    """Find what best matches each of many cues, all as of one snapshot, answered as a whole.

    Parameters
    ----------
    space
        Name of the space.
    query
        What is searched for, up to 10 000 cues and 10 000 hits of each, and how.

    Raises
    ------
    InvalidInput
        If there are too many cues, or more hits are asked for.
    """

    space: str
    query: ManyQuery

    def __post_init__(self) -> None:
        if len(self.query.cues) > CUES_MAX:
            raise too_many_cues(len(self.query.cues))
        check_range("k", self.query.common.k, 1, RESULTS_MAX)


@dataclass(frozen=True, slots=True)
class StreamRecall(Request[Recalled]):
    """Find what matches a cue, answered in batches as it is found, and in a standing recall also what is stored later.

    Parameters
    ----------
    space
        Name of the space.
    query
        What is searched for, any number of hits, and how.
    """

    space: str
    query: RecallQuery

    @property
    def follows(self) -> bool:
        """Whether answers come for as long as somebody listens."""
        return self.query.follow


@dataclass(frozen=True, slots=True)
class Count(Request[Counted]):
    """Count the observations that pass a filter, as of one generation.

    Parameters
    ----------
    space
        Name of the space.
    filter
        Conditions that the observations meet.
    max_generation
        Generation as of which is counted; None for the newest.
    """

    space: str
    filter: Filter | Condition = NO_FILTER
    max_generation: int | None = None


@dataclass(frozen=True, slots=True)
class TakeSnapshot(Request[SnapshotTaken]):
    """Find out which generation is the newest, or was at a time, for recalls as of then.

    Parameters
    ----------
    space
        Name of the space.
    max_generation
        Check that this generation is retained, and return it; None for the newest.
    snapshot_us
        Return the newest generation at this time, in microseconds since 1970 UTC; it excludes `max_generation`.

    Raises
    ------
    InvalidInput
        If both a generation and a time are given.
    """

    space: str
    max_generation: int | None = None
    snapshot_us: int | None = None

    def __post_init__(self) -> None:
        check_one_snapshot(self.max_generation, self.snapshot_us)


@dataclass(frozen=True, slots=True)
class CreateSpace(Request[SpaceStatus]):
    """Create a space. A space that exists with the same settings is no error.

    Parameters
    ----------
    config
        Name and settings of the space.
    """

    config: SpaceConfig

    @property
    def space(self) -> str:
        """Name of the space."""
        return self.config.name

    def for_space(self, name: str) -> Self:
        """Return the same request about the space called `name`."""
        return replace(self, config=replace(self.config, name=name))


@dataclass(frozen=True, slots=True)
class DescribeSpace(Request[SpaceStatus]):
    """Describe one space: its settings, watermarks, sizes and metrics.

    Parameters
    ----------
    space
        Name of the space.
    """

    space: str


@dataclass(frozen=True, slots=True)
class ListSpaces(Request[SpaceList]):
    """Describe every space, and name those that cannot be used."""


@dataclass(frozen=True, slots=True)
class DescribeServer(Request[ServerStatus]):
    """Describe the server: its version, counters, lanes, workers, spaces, damage and metrics."""
