"""The table of metrics: everything that the engine counts or measures, each described once.

`MemoryStore.metrics`, ``GetStatus``, the client's status, ``engram status`` and ``docs/metrics.md`` show what stands
here. A new metric needs an entry here and the place that counts it. Each entry has the name without the prefix
``engram_streaming_``, the unit, the title and the meaning, as `MetricFamily` describes them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engram.metrics.family import MetricFamily, MetricGroup, MetricKind

_PREFIX: Final = "engram_streaming_"


class _Section(NamedTuple):
    """The entries of one group, which share their first labels."""

    group: MetricGroup
    labels: tuple[str, ...] = ()

    def counter(self, name: str, unit: str, title: str, meaning: str) -> MetricFamily:
        return MetricFamily(_PREFIX + name, MetricKind.COUNTER, self.group, unit, title, meaning, self.labels)

    def gauge(self, name: str, unit: str, title: str, meaning: str, *labels: str) -> MetricFamily:
        labels = (*self.labels, *labels)
        return MetricFamily(_PREFIX + name, MetricKind.GAUGE, self.group, unit, title, meaning, labels)


# What the event loop of a server counts, in `engram.streaming.counters.Counters`.
_TRAFFIC: Final = _Section(MetricGroup.TRAFFIC)
CONNECTIONS: Final = _TRAFFIC.gauge(
    "connections", "connections", "connections", "Streams to which clients write observations that are open now."
)
OBSERVATIONS: Final = _TRAFFIC.counter(
    "observations_total", "observations", "accepted", "Observations that were acknowledged as durable."
)
OBSERVATIONS_REJECTED: Final = _TRAFFIC.counter(
    "observations_rejected_total", "observations", "rejected", "Observations that were refused, for any reason."
)
MALFORMED: Final = _TRAFFIC.counter(
    "malformed_messages_total", "messages", "malformed messages", "Messages whose bytes could not be parsed."
)
RECALLS: Final = _TRAFFIC.counter(
    "recalls_total", "recalls", "recalls", "Recalls that were answered. A streamed recall counts with its first batch."
)

# What a server holds at the moment.
_SERVER: Final = _Section(MetricGroup.SERVER)
ACTIVE_SESSIONS: Final = _SERVER.gauge(
    "active_sessions", "sessions", "sessions", "Sessions that have not ended or expired, with a connection or without."
)
RECALL_STREAMS: Final = _SERVER.gauge(
    "recall_streams", "streams", "recall streams", "Recall streams that are open, including standing recalls."
)
RECALLS_WAITING: Final = _SERVER.gauge(
    "recalls_waiting", "recalls", "recalls waiting", "Recalls that wait for their answer or first batch."
)
UNSOUND_SPACES: Final = _SERVER.gauge(
    "unsound_spaces", "spaces", "unsound spaces", "Spaces that could not be opened and are not served."
)

# The lanes in which observations wait for the committer of a server.
_QUEUE: Final = _Section(MetricGroup.QUEUE, ("priority",))
QUEUE_DEPTH: Final = _QUEUE.gauge(
    "queue_depth", "observations", "waiting", "Observations that wait in the lane to be committed."
)
QUEUE_CAPACITY: Final = _QUEUE.gauge(
    "queue_capacity", "observations", "at most", "Observations that may wait in the lane."
)
QUEUE_BYTES: Final = _QUEUE.gauge("queue_bytes", "bytes", "size", "Bytes of the observations that wait in the lane.")
QUEUE_CAPACITY_BYTES: Final = _QUEUE.gauge(
    "queue_capacity_bytes", "bytes", "at most", "Bytes of observations that may wait in the lane."
)
QUEUE_ADMITTED: Final = _QUEUE.counter(
    "queue_requests_admitted_total", "requests", "admitted", "Requests that entered the lane."
)
QUEUE_REFUSED: Final = _QUEUE.counter(
    "queue_requests_refused_total", "requests", "refused", "Requests for which the lane had no room."
)

# The index workers of a store, all threads that were one worker together.
_WORKERS: Final = _Section(MetricGroup.WORKERS, ("worker",))
OBSERVATIONS_INDEXED: Final = _WORKERS.counter(
    "observations_indexed_total", "observations", "linked", "Observations that the worker linked into a graph."
)
BATCHES_PROCESSED: Final = _WORKERS.counter(
    "batches_processed_total", "batches", "batches", "Batches of observations that the worker linked."
)
WORK_STOLEN: Final = _WORKERS.counter(
    "work_stolen_total", "batches", "stolen", "Batches that the worker linked in the space of another worker."
)
WORKER_RESTARTS: Final = _WORKERS.counter(
    "worker_restarts_total", "restarts", "restarts", "Times that the worker died and was replaced."
)
WORKER_BUSY: Final = _WORKERS.counter(
    "worker_busy_seconds_total", "seconds", "busy s", "Time that the worker spent on batches."
)

# Each space of a store. Counters count since the store was opened.
_SPACES: Final = _Section(MetricGroup.SPACES, ("memory_space",))
LIVE_OBSERVATIONS: Final = _SPACES.gauge(
    "live_observations", "observations", "live", "Observations that are neither deleted nor superseded."
)
INDEX_LAG: Final = _SPACES.gauge(
    "index_lag_observations", "observations", "tail", "Generations that are recallable and not in the graph yet."
)
INDEX_LAG_LIMIT: Final = _SPACES.gauge(
    "index_lag_limit_observations", "observations", "", "Observations that may wait to be linked into the graph."
)
LOG_BYTES: Final = _SPACES.gauge("log_bytes", "bytes", "log", "Size of the log.")
INDEX_BYTES: Final = _SPACES.gauge("index_bytes", "bytes", "index", "Memory of the index and of the data for filters.")
GENERATION: Final = _SPACES.gauge(
    "generation",
    "generations",
    "",
    "Generation up to which everything is on disk (`durable`), recallable (`visible`), or in the graph (`indexed`).",
    "watermark",
)
CHECKPOINT_GENERATION: Final = _SPACES.gauge(
    "checkpoint_generation", "generations", "", "Generation that the newest checkpoint of the graph covers."
)
STORED_SESSIONS: Final = _SPACES.gauge(
    "stored_sessions", "sessions", "", "Sessions of which the space knows the last durable sequence number."
)
STANDING_RECALLS: Final = _SPACES.gauge("standing_recalls", "recalls", "", "Standing recalls that follow the space.")
PRESSURE: Final = _SPACES.gauge(
    "pressure_ratio", "ratio", "", "Fill of the fullest limited resource of the space; 1 is full. Only of a server."
)
BACKPRESSURE_STATE: Final = _SPACES.gauge(
    "backpressure_state", "level", "", "0 normal, 1 warning, 2 critical, 3 overloaded. Only of a server."
)
COMMITS: Final = _SPACES.counter("commits_total", "commits", "commits", "Group commits that stored something.")
OBSERVATIONS_STORED: Final = _SPACES.counter(
    "observations_stored_total", "observations", "stored", "Observations that were stored."
)
OBSERVATIONS_DELETED: Final = _SPACES.counter(
    "observations_deleted_total", "observations", "deleted", "Observations that were deleted by their ids."
)
OBSERVATIONS_DUPLICATE: Final = _SPACES.counter(
    "observations_duplicate_total", "observations", "duplicates", "Observations that came again and were not stored."
)
CHECKPOINTS: Final = _SPACES.counter(
    "checkpoints_total", "checkpoints", "checkpoints", "Checkpoints of the graph that were written."
)
COMPACTIONS: Final = _SPACES.counter(
    "compactions_total", "compactions", "compactions", "Compactions that removed something from the graph."
)
DAMAGED_PLACES: Final = _SPACES.counter(
    "damaged_places_total", "places", "damaged places", "Damaged places that were found. No name: the list of spaces."
)

# All entries, in the order above.
TABLE: Final = tuple(entry for entry in list(globals().values()) if isinstance(entry, MetricFamily))
