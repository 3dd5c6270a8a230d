"""Addresses are checked by form, and a wrong one is told what to be instead."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.client import AsyncClient, Client
from engram.client.grpc.address import parse_address
from engram.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "is_local"),
    [
        ("localhost:50051", True),
        ("LocalHost:1", True),
        ("localhost.:50051", True),
        ("db.localhost:50051", True),
        ("ip6-localhost:50051", True),
        ("127.0.0.1:50051", True),
        ("127.255.3.4:65535", True),
        ("0.0.0.0:50051", True),
        ("[::1]:50051", True),
        ("[::]:50051", True),
        ("[::ffff:127.0.0.1]:50051", True),
        ("unix:/run/engram.sock", True),
        ("unix:///run/engram.sock", True),
        ("unix:engram.sock", True),
        ("unix-abstract:engram", True),
        ("dns:///localhost:50051", True),
        ("ipv4:127.0.0.1:50051", True),
        ("ipv6:[::1]:50051", True),
        ("10.0.0.7:50051", False),
        ("128.0.0.1:50051", False),
        ("[2001:db8::7]:50051", False),
        ("[fe80::1%eth0]:50051", False),
        ("memory.example.com:443", False),
        ("localhost.example.com:50051", False),
        ("notlocalhost:50051", False),
        ("my_service:50051", False),
        ("a-b:1", False),
        ("dns:///memory.example.com:443", False),
        ("dns:memory:443", False),
        ("dns:50051", False),
    ],
)
def test_what_is_an_address(text: str, is_local: bool) -> None:
    assert parse_address(text).target == text
    assert parse_address(text).is_local is is_local


@pytest.mark.parametrize(
    ("address", "problem", "instead"),
    [
        (None, "is of type NoneType, not a text", "host:port"),
        (50051, "is a number, not a text", "pass 'localhost:50051'"),
        (0, "is a number, not a text", "host:port"),
        (True, "is of type bool, not a text", "host:port"),
        (1.5, "is of type float", "host:port"),
        (b"localhost:50051", "is bytes, not a text", "pass 'localhost:50051'"),
        (["localhost:50051"], "is of type list", "host:port"),
        (("localhost", 50051), "is of type tuple", "host:port"),
        (Path("engram-data"), "is of type PosixPath", "host:port"),
        (np.zeros(10_000), "is of type ndarray", "host:port"),
        ("", "is empty", "host:port"),
        (" \t", "is empty", "host:port"),
        (" localhost:50051", "has blanks", "pass 'localhost:50051'"),
        ("localhost:50051\n", "has blanks", "pass 'localhost:50051'"),
        ("local host:50051", "has blanks", "pass 'localhost:50051'"),
        ("local\x00host:50051", "invisible characters", "pass"),
        ("http://localhost:50051", "begins with http://", "pass 'localhost:50051'"),
        ("HTTPS://localhost:50051/api/v1", "begins with HTTPS://", "pass 'localhost:50051'"),
        ("grpc://localhost:50051", "begins with grpc://", "pass 'localhost:50051'"),
        ("http://", "begins with http://", "pass 'localhost:50051'"),
        ("localhost", "has no port", "pass 'localhost:50051'"),
        ("50051", "has no port", "pass 'localhost:50051'"),
        ("127.0.0.1", "has no port", "pass '127.0.0.1:50051'"),
        ("localhost:", "has no port after the colon", "host:port"),
        (":50051", "has no host", "pass 'localhost:50051'"),
        (":", "has no host", "host:port"),
        ("localhost:grpc", "has the port 'grpc', which is not a number", "host:port"),
        ("localhost:-1", "has the port '-1', which is not a number", "host:port"),
        ("localhost:5e4", "has the port '5e4'", "host:port"),
        ("localhost:٥٠", "has the port '٥٠', which is not a number", "host:port"),
        ("localhost:50051/", "has the port '50051/'", "host:port"),
        ("localhost:50051,localhost:50052", "has the port '50051,localhost:50052'", "host:port"),
        ("localhost:0", "outside 1..65535", "host:port"),
        ("localhost:65536", "outside 1..65535", "host:port"),
        ("localhost:" + "9" * 5000, "outside 1..65535", "host:port"),
        ("::1", "is an IPv6 address without brackets and port", "pass '[::1]:50051'"),
        ("::1:50051", "has an IPv6 address without brackets", "pass '[::1]:50051'"),
        ("2001:db8:0:0:0:0:0:7:50051", "without brackets", "pass '[2001:db8:0:0:0:0:0:7]:50051'"),
        ("[::1]", "has no port", "pass '[::1]:50051'"),
        ("[::1", "in brackets, which is no IPv6 address", "pass '[::1]:50051'"),
        ("[localhost]:50051", "has 'localhost' in brackets", "pass '[::1]:50051'"),
        ("300.0.0.1:50051", "which is no IPv4 address", "host:port"),
        ("127.1:50051", "which is no IPv4 address", "host:port"),
        ("user@host:50051", "has the host 'user@host'", "host:port"),
        ("höst:50051", "has the host 'höst'", "host:port"),
        ("-x:50051", "has the host '-x'", "host:port"),
        ("a" * 300 + ":50051", "more than 253 characters", "host:port"),
        ("/var/lib/engram", "is a path", "MemoryStore(path)"),
        ("./engram-data:1", "is a path", "MemoryStore(path)"),
        ("unix:", "names no socket", "unix:/path"),
    ],
)
def test_what_is_none(address: Any, problem: str, instead: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_address(address)
    error = refusal.value
    assert problem in error.message
    assert instead in error.message
    assert (error.code, error.field, error.limit) == ("invalid_address", "address", "host:port")
    assert len(error.message) < 400
    assert "\n" not in error.message


@given(st.text() | st.from_regex(r"[\[a-z0-9.:/\]]{0,20}:[0-9]{1,6}"))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert parse_address(text).target == text


def test_clients_refuse_it_when_they_are_made() -> None:
    with pytest.raises(InvalidInput, match="has no port"):
        Client("localhost")

    async def asynchronous() -> None:
        AsyncClient("ftp://localhost:50051")

    with pytest.raises(InvalidInput, match="begins with ftp://"):
        asyncio.run(asynchronous())
