"""Metadata of calls: what every transport can send passes, with keys in lower case, and no error shows a secret."""

from __future__ import annotations

from typing import Any

import pytest

from engram.client.call_metadata import check_call_metadata
from engram.errors import InvalidInput


def test_what_a_header_can_hold_passes() -> None:
    assert check_call_metadata(None) == {}
    assert check_call_metadata({"Authorization": "Bearer a.b~c", "x-1_2.3": ""}) == {
        "authorization": "Bearer a.b~c",
        "x-1_2.3": "",
    }


@pytest.mark.parametrize(
    "metadata",
    [
        {"": "secret"},
        {"two words": "secret"},
        {"ümlaut": "secret"},
        {"grpc-timeout": "secret"},
        {"token-bin": "secret"},
        {1: "secret"},
        {"token": "secret\n"},
        {"token": "sécret"},
        {"token": b"secret"},
        {"token": None},
        [("token", "secret")],
        "token=secret",
    ],
)
def test_what_it_cannot_hold_is_refused_without_being_shown(metadata: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_call_metadata(metadata)
    assert (caught.value.code, caught.value.field) == ("invalid_call_metadata", "metadata")
    assert "secret" not in f"{caught.value.message} {caught.value.value}"
