"""What the committer measures: each request once, each group commit once, also one that fails."""

from __future__ import annotations

from collections.abc import Sequence

from engram.metrics import table
from engram.metrics.family import MetricFamily
from engram.metrics.samples import MetricSamples
from engram.model.spaces import SpaceConfig
from engram.store.commit.committer import Committer
from engram.store.commit.queue import CommitRequest, CommitResult, FifoCommitQueue
from tests.doubles.batches import DIM, batch_of


class Target:
    """A space that answers every request, and may fail behind the answers."""

    def __init__(self, fails: bool = False) -> None:
        self.config = SpaceConfig("notes", DIM)
        self.fails = fails

    def admit(self, request: CommitRequest) -> None:
        pass

    def withdraw(self, request: CommitRequest) -> None:
        pass

    def commit(self, requests: Sequence[CommitRequest]) -> None:
        for request in requests:
            request.done(CommitResult(1, 1, 1))
        if self.fails:
            raise RuntimeError("nobody could be told of the commit")


def commit_all(*targets: Target) -> MetricSamples:
    """Have requests of two observations wait for each of `targets`, in its order, and commit them in one take."""
    queue = FifoCommitQueue(1000, 1 << 20, 1000, 1 << 20)
    for number, target in enumerate(targets):
        batch = batch_of([f"{number}a", f"{number}b"])
        queue.put(CommitRequest(space=target, batch=batch, done=lambda _: None))
    committer = Committer(queue)
    committer.start()
    committer.stop()
    return MetricSamples(committer.samples())


def count(samples: MetricSamples, family: MetricFamily) -> float:
    return samples.value(f"{family.name}_count")


def test_requests_are_counted_one_by_one_and_commits_by_space() -> None:
    one, two = Target(), Target()
    samples = commit_all(one, two, one)
    assert count(samples, table.QUEUE_WAIT) == 3
    assert count(samples, table.COMMIT_TIME) == count(samples, table.BATCH_SIZE) == 2
    assert samples.value(f"{table.BATCH_SIZE.name}_sum") == 6
    assert samples.value(f"{table.BATCH_SIZE.name}_bucket", le="1.0") == 0
    assert samples.value(f"{table.BATCH_SIZE.name}_bucket", le="4.0") == 2


def test_a_commit_that_fails_is_measured_as_well() -> None:
    samples = commit_all(Target(fails=True), Target())
    assert count(samples, table.COMMIT_TIME) == 2
