"""The table of metrics: everything that the engine counts or measures, each described once.

`MemoryStore.metrics`, ``GetStatus``, the client's status, ``engram status``, ``/metrics`` and ``docs/metrics.md`` show
what stands here. A new metric needs an entry here, the place that counts it, and a row in the catalogue of
``docs/operations/streaming-monitoring.md``. Each entry has the name without the prefix ``engram_streaming_``, the unit,
the title and the meaning, as `MetricFamily` describes them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engram.metrics.family import MetricFamily, MetricGroup, MetricKind

_PREFIX: Final = "engram_streaming_"
# From what a recall takes at best to where a client has long given up.
_SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_COUNTS: Final = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0)


class _Section(NamedTuple):
    """The entries of one group, which share their first labels."""

    group: MetricGroup
    labels: tuple[str, ...] = ()

    def counter(self, name: str, unit: str, title: str, meaning: str, *labels: str) -> MetricFamily:
        labels = (*self.labels, *labels)
        return MetricFamily(_PREFIX + name, MetricKind.COUNTER, self.group, unit, title, meaning, labels)

    def gauge(self, name: str, unit: str, title: str, meaning: str, *labels: str) -> MetricFamily:
        labels = (*self.labels, *labels)
        return MetricFamily(_PREFIX + name, MetricKind.GAUGE, self.group, unit, title, meaning, labels)

    def histogram(
        self, name: str, unit: str, meaning: str, *labels: str, bounds: tuple[float, ...] = _SECONDS
    ) -> MetricFamily:
        return MetricFamily(_PREFIX + name, MetricKind.HISTOGRAM, self.group, unit, "", meaning, labels, bounds)


# What the event loop of a server counts, in `engram.streaming.counters.Counters`.
_TRAFFIC: Final = _Section(MetricGroup.TRAFFIC)
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
CONNECTIONS: Final = _SERVER.gauge(
    "connections", "connections", "connections", "Connections on which a client has a session now, to write with."
)
CONNECTIONS_MAX: Final = _SERVER.gauge(
    "connections_max", "connections", "connections at most", "Connections of all transports that the server takes."
)
DESCRIPTORS: Final = _SERVER.gauge(
    "descriptors", "descriptors", "descriptors", "Files and connections that the process has open, where that is known."
)
DESCRIPTORS_MAX: Final = _SERVER.gauge(
    "descriptors_max", "descriptors", "at most", "Files and connections that the process may have open (`ulimit -n`)."
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
OPEN_SPACES: Final = _SERVER.gauge(
    "open_spaces", "spaces", "open spaces", "Spaces that are open: they were used not long ago, or are in use."
)
RESTING_SPACES: Final = _SERVER.gauge(
    "resting_spaces", "spaces", "resting spaces", "Spaces that are closed until they are used."
)
SPACES_RESTED: Final = _SERVER.counter(
    "spaces_rested_total", "spaces", "came to rest", "Spaces that were closed to make room for others."
)
DISK_FREE: Final = _SERVER.gauge(
    "disk_free_bytes", "bytes", "disk free", "Free space on the disk of the store. Without a value for one in memory."
)
DISK_FREE_MIN: Final = _SERVER.gauge(
    "disk_free_limit_bytes", "bytes", "of which kept", "Free space on the disk below which writes are refused."
)

# How often the pressure on a space rose, over all spaces of a server.
_PRESSURE: Final = _Section(MetricGroup.PRESSURE, ("level",))
BACKPRESSURE_ACTIVATIONS: Final = _PRESSURE.counter(
    "backpressure_activations_total",
    "activations",
    "activations",
    "Times that the pressure on a space rose to `warning`, `critical` or `overloaded`.",
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
WORKER_UTILIZATION: Final = _WORKERS.gauge(
    "worker_utilization", "share", "busy", "Share of the last seconds that the worker spent on batches, from 0 to 1."
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
LOG_COMPACTIONS: Final = _SPACES.counter(
    "log_compactions_total",
    "compactions",
    "log compactions",
    "Times that segments of the log were replaced by one that has less.",
)
LOG_FREED_BYTES: Final = _SPACES.counter(
    "log_freed_bytes_total", "bytes", "log freed", "Bytes of the log that compactions have given back to the disk."
)
LOG_COMPACTION_FAILURES: Final = _SPACES.counter(
    "log_compaction_failures_total", "failures", "log failures", "Compactions of the log that failed."
)
OLDEST_GENERATION: Final = _SPACES.gauge(
    "oldest_generation", "generations", "", "Oldest generation that can be recalled."
)
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
STANDING_CUES: Final = _SPACES.gauge("standing_cues", "cues", "", "Cues of standing recalls, which follow the space.")
SNAPSHOT_AGE: Final = _SPACES.gauge(
    "snapshot_age_seconds",
    "seconds",
    "",
    "Time since the oldest snapshot or standing recall that keeps old versions was overtaken; 0 if none was.",
)
PRESSURE: Final = _SPACES.gauge(
    "pressure_ratio", "ratio", "", "Fill of the fullest limited resource of the space; 1 is full. Only of a server."
)
BACKPRESSURE_STATE: Final = _SPACES.gauge(
    "backpressure_state", "level", "", "0 normal, 1 warning, 2 critical, 3 overloaded. Only of a server."
)
OBSERVATIONS: Final = _SPACES.counter(
    "observations_total",
    "observations",
    "accepted",
    "Observations that were acknowledged as durable. Only of a server.",
    "priority",
)
OBSERVATIONS_REJECTED: Final = _SPACES.counter(
    "observations_rejected_total",
    "observations",
    "rejected",
    "Observations that were refused, by the code of the error. No name: there is no such space. Only of a server.",
    "reason",
)
RECALL_AT_K: Final = _SPACES.gauge(
    "recall_at_k_ratio",
    "ratio",
    "",
    "Share of the true neighbours that the recalls measured last found: `estimate`, and the `lower` and `upper` end of "
    "its 95 % interval. Without a value until one was measured.",
    "bound",
)
RECALLS_MEASURED: Final = _SPACES.counter(
    "recalls_measured_total", "recalls", "recalls measured", "Recalls that were answered once more, exactly."
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

# What is wrong with a space or, without a name, with the store or the server as a whole.
_HEALTH: Final = _Section(MetricGroup.HEALTH, ("memory_space",))
HEALTH: Final = _HEALTH.gauge(
    "health_level", "level", "", "0 ok, 1 degraded, 2 failed. No name: the store or the server as a whole."
)
PROBLEM: Final = _HEALTH.gauge(
    "problem_level",
    "level",
    "",
    "A problem, while it lasts: 1 if it degrades the space, 2 if it makes it fail. Without a value when there is none.",
    "problem",
)

# Values that are counted by their size, over all spaces.
_DISTRIBUTIONS: Final = _Section(MetricGroup.DISTRIBUTIONS)
OBSERVATION_LATENCY: Final = _DISTRIBUTIONS.histogram(
    "observation_latency_seconds",
    "seconds",
    "Time of each observation from its receipt until it was on disk (`durable`), or in the graph (`indexed`). "
    "Only of a server.",
    "stage",
)
RECALL_LATENCY: Final = _DISTRIBUTIONS.histogram(
    "recall_latency_seconds",
    "seconds",
    "Time of each recall with one answer, from its receipt until the answer was made. Only of a server.",
)
FIRST_RESULT: Final = _DISTRIBUTIONS.histogram(
    "first_result_seconds",
    "seconds",
    "Time of each streamed recall from its receipt until its first batch was made. Only of a server.",
)
QUEUE_WAIT: Final = _DISTRIBUTIONS.histogram(
    "queue_wait_seconds", "seconds", "Time that each request waited for the committer to take it."
)
COMMIT_TIME: Final = _DISTRIBUTIONS.histogram("commit_seconds", "seconds", "Time that each group commit took.")
BATCH_SIZE: Final = _DISTRIBUTIONS.histogram(
    "batch_size", "observations", "Observations, and ids to delete, of each group commit.", bounds=_COUNTS
)

_BUILD: Final = _Section(MetricGroup.BUILD, ("version",))
BUILD_INFO: Final = _BUILD.gauge(
    "build_info", "builds", "", "Always 1; the labels are the versions of Engram and of Python that run.", "python"
)

# All entries, in the order above.
TABLE: Final = tuple(entry for entry in list(globals().values()) if isinstance(entry, MetricFamily))
