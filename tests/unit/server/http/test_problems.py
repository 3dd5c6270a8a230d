"""Errors as answers."""

from __future__ import annotations

import json

import pytest

from engram import errors
from engram.errors import EngramError, InvalidInput, OverCapacity, Unavailable
from engram.server.http.problems import problem_body, problem_bytes, problem_headers, status_of

STATUS = {
    "EngramError": 500,
    "InvalidInput": 400,
    "NotFound": 404,
    "AlreadyExists": 409,
    "FailedPrecondition": 409,
    "SequenceError": 409,
    "OverCapacity": 429,
    "Unavailable": 503,
    "Unauthenticated": 401,
    "PermissionDenied": 403,
    "StoreLocked": 500,
    "CorruptData": 500,
    "NewerFormat": 409,
    "MissingExtra": 500,
}


def test_every_class_of_errors_has_a_status() -> None:
    classes = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert {name: status_of(kind("x")) for name, kind in classes.items()} == STATUS


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("method_not_allowed", 405),
        ("request_timeout", 408),
        ("message_bytes", 413),
        ("json_bytes", 413),
        ("media_type", 415),
        ("header_bytes", 431),
    ],
)
def test_http_has_statuses_of_its_own_for_some_invalid_input(code: str, status: int) -> None:
    assert status_of(InvalidInput("x", code=code)) == status


def test_a_problem_has_all_parts_of_the_error() -> None:
    error = OverCapacity("full", code="lane_full", field="lane", limit=5, value=6, retry_after_ms=1200)
    body = problem_body(error)
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "full",
        "code": "lane_full",
        "message": "full",
        "field": "lane",
        "limit": "5",
        "value": "6",
        "kind": "over_capacity",
        "retry_after_ms": 1200,
    }
    headers = dict(problem_headers(error, body))
    assert headers[b"retry-after"] == b"2"
    assert headers[b"content-type"] == b"application/problem+json"


def test_who_is_to_come_again_is_told_when_and_nobody_else() -> None:
    def retry(error: EngramError) -> bytes | None:
        return dict(problem_headers(error, b"")).get(b"retry-after")

    assert retry(Unavailable("stops", code="shutting_down")) == b"1"
    assert retry(OverCapacity("full", retry_after_ms=0)) == b"1"
    assert retry(Unavailable("broken", code="log_failed")) is None
    assert retry(InvalidInput("wrong")) is None


def test_texts_that_no_header_and_no_utf8_can_hold_are_written_all_the_same() -> None:
    error = InvalidInput("\ud800 \r\n x" + "y" * 5000, field="\udfff")
    answer = problem_bytes(error)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["field"] == "?"
    assert f"content-length: {len(body)}".encode() in head.split(b"\r\n")
    assert len(answer) < 4096
