"""Who may call by which name, and from which pages."""

from __future__ import annotations

import pytest

from engram.errors import EngramError, InvalidInput, PermissionDenied
from engram.server.http.access import AccessRules, parse_hosts, parse_origins

RULES = AccessRules("127.0.0.1", parse_hosts("memory.example.org, OTHER"), parse_origins("https://notes.example.org"))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:7432",
        "127.0.0.1:1",
        "127.8.9.1",
        "[::1]:7432",
        "memory.example.org",
        "other.",
        "Other:80",
    ],
)
def test_own_names_are_taken_with_any_port(host: str) -> None:
    assert RULES.check_host([host]) == host.lower()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([], "invalid_host"),
        (["localhost", "localhost"], "invalid_host"),
        ([""], "invalid_host"),
        (["local host"], "invalid_host"),
        (["localhost:port"], "invalid_host"),
        (["user@localhost"], "invalid_host"),
        (["evil.example"], "host_not_allowed"),
        (["localhost.evil.example"], "host_not_allowed"),
        (["127.0.0.1.evil.example"], "host_not_allowed"),
        (["10.0.0.1"], "host_not_allowed"),
        (["0x7f000001"], "host_not_allowed"),
    ],
)
def test_other_names_are_refused(values: list[str], code: str) -> None:
    with pytest.raises(EngramError) as caught:
        RULES.check_host(values)
    assert (caught.value.code, caught.value.field) == (code, "Host")


def test_who_listens_everywhere_is_called_by_any_address_but_not_by_any_name() -> None:
    rules = AccessRules("0.0.0.0")  # noqa: S104 - nothing listens.
    assert rules.check_host(["10.0.0.1:7432"]) == "10.0.0.1:7432"
    with pytest.raises(PermissionDenied):
        rules.check_host(["evil.example"])


@pytest.mark.parametrize(
    ("origins", "host", "foreign"),
    [
        ([], "localhost:7432", None),
        (["http://localhost:7432"], "localhost:7432", None),
        (["http://LOCALHOST:7432"], "localhost:7432", None),
        (["http://localhost"], "localhost:80", None),
        (["https://memory.example.org"], "memory.example.org", None),
        (["https://notes.example.org"], "localhost:7432", "https://notes.example.org"),
    ],
)
def test_pages_of_the_server_itself_and_of_allowed_sites_may_call(
    origins: list[str], host: str, foreign: str | None
) -> None:
    assert RULES.check_origin(origins, host) == foreign


@pytest.mark.parametrize(
    "origins",
    [
        ["null"],
        [""],
        ["http://localhost:7433"],
        ["http://evil.example"],
        ["http://notes.example.org"],
        ["https://notes.example.org.evil.example"],
        ["https://notes.example.org/"],
        ["file://"],
        ["http://localhost:7432", "http://localhost:7432"],
    ],
)
def test_pages_of_other_sites_may_not_call(origins: list[str]) -> None:
    with pytest.raises(PermissionDenied) as caught:
        RULES.check_origin(origins, "localhost:7432")
    assert caught.value.code == "origin_not_allowed"


def test_origins_are_taken_as_browsers_send_them() -> None:
    assert parse_origins(" https://a.example:443 , HTTP://b.example:8080,") == {
        "https://a.example",
        "http://b.example:8080",
    }


@pytest.mark.parametrize("text", ["*", "a.example", "https://a.example/path", "ftp://a.example", "https://", "null"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="http_origins"):
        parse_origins(text)


@pytest.mark.parametrize("text", ["*", "a.example:80", "http://a.example", "a b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="http_hosts"):
        parse_hosts(text)
