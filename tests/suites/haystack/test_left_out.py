"""All of Haystack's suites are run, and the tests that are left out stand on the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from haystack.testing import document_store, document_store_async

from tests.suites.haystack import test_async_document_store as coroutines
from tests.suites.haystack import test_document_store as waiting
from tests.suites.pages import page_of

OURS: list[Any] = [waiting.TestDocumentStore, coroutines.TestAsyncDocumentStore]


def has_tests(value: object) -> bool:
    return isinstance(value, type) and any(name.startswith("test_") for name in vars(value))


@pytest.mark.parametrize(
    ("suites", "ours"), [(document_store, OURS[0]), (document_store_async, OURS[1])], ids=["waiting", "coroutines"]
)
def test_every_suite_is_run(suites: Any, ours: Any) -> None:
    found = {name for name, value in vars(suites).items() if has_tests(value)}
    assert len(found) >= 12
    assert found <= {base.__name__ for base in ours.__mro__}


def test_what_is_left_out_stands_on_the_page() -> None:
    left_out = {name for ours in OURS for name, test in vars(ours).items() if name.startswith("test_") and test is None}
    assert len(left_out) == 2
    assert set(re.findall(r"`(test_\w+)`", page_of("haystack"))) == left_out
