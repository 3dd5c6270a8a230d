"""The present problems of a space: since when, in which order, and one line of the log for each end of one."""

from __future__ import annotations

import logging

import pytest

from engram.metrics import table
from engram.metrics.health import DEGRADED, FAILED, LEVELS, OK, Problem, health_of, severity
from engram.metrics.samples import MetricSamples
from engram.store.health import problem_kinds
from engram.store.health.noted import noted
from engram.store.health.problem_kinds import CHECKPOINT_FAILED, DISK_FULL, KINDS, ProblemKind
from engram.store.health.problems import Problems


def test_a_problem_keeps_its_beginning_and_has_its_newest_message() -> None:
    now = 1_000_000
    problems = Problems("notes", lambda: now)
    problems.set(CHECKPOINT_FAILED, "first")
    now = 5_000_000
    problems.set(DISK_FULL, "full")
    problems.set(CHECKPOINT_FAILED, "second")
    assert problems.all() == (
        Problem("disk_full", "notes", FAILED, 5_000_000, "full", DISK_FULL.advice),
        Problem("checkpoint_failed", "notes", DEGRADED, 1_000_000, "second", CHECKPOINT_FAILED.advice),
    )
    problems.set(CHECKPOINT_FAILED, None)
    problems.set(CHECKPOINT_FAILED, None)
    problems.set(CHECKPOINT_FAILED, "again")
    assert [problem.since_us for problem in problems.all()] == [5_000_000, 5_000_000]


def test_the_log_has_one_line_when_it_begins_and_one_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    now = 0
    problems = Problems("notes", lambda: now)
    with caplog.at_level(logging.INFO):
        problems.set(DISK_FULL, "nothing is free.")
        problems.set(DISK_FULL, "still nothing is free")
        now = 90_000_000
        problems.set(DISK_FULL, None)
        problems.set(DISK_FULL, None)
    assert [record.getMessage() for record in caplog.records] == [
        f"space notes is failed (disk_full): nothing is free. {DISK_FULL.advice}",
        "space notes is no longer failed (disk_full), after 90 s",
    ]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert {vars(record)["space"] for record in caplog.records} == {"notes"}


def test_the_levels_are_metrics() -> None:
    problems = Problems("notes")
    assert MetricSamples(problems.samples()).value(table.HEALTH, memory_space="notes") == 0
    problems.set(CHECKPOINT_FAILED, "no")
    problems.set(DISK_FULL, "no")
    samples = MetricSamples(problems.samples())
    assert samples.value(table.HEALTH, memory_space="notes") == 2
    assert samples.value(table.PROBLEM, problem="checkpoint_failed") == 1
    assert samples.value(table.PROBLEM, problem="disk_full") == 2


def test_the_health_is_that_of_the_worst() -> None:
    one = Problem("a", "", DEGRADED, 0, "", "")
    assert [health_of(found) for found in ([], [one], [one, one._replace(level=FAILED)])] == [OK, DEGRADED, FAILED]
    assert [severity(level) for level in (*LEVELS, "of a later version")] == [0, 1, 2, 2]


def test_all_kinds_are_known_and_say_what_to_do() -> None:
    found = [kind for kind in vars(problem_kinds).values() if isinstance(kind, ProblemKind)]
    assert sorted(KINDS) == sorted(found)
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.level in (DEGRADED, FAILED) and kind.advice.endswith(".") for kind in KINDS)


def test_work_that_fails_is_a_problem_until_it_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    problems = Problems()
    for _ in range(3):
        with noted(problems, CHECKPOINT_FAILED, "it does not work"):
            raise ZeroDivisionError("secret")
    assert [problem.message for problem in problems.all()] == ["it does not work: ZeroDivisionError"]
    assert len([record for record in caplog.records if record.exc_info]) == 1
    with noted(problems, CHECKPOINT_FAILED, "it does not work"):
        pass
    assert problems.all() == ()
