"""Settings from four places, and errors that say where to look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engram.config import ClientSettings, ServerSettings, Settings, describe_settings, load_settings
from engram.errors import InvalidInput
from engram.model.spaces import METRICS


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "engram.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}) == Settings(ServerSettings(), ClientSettings())


def test_each_source_overrides_the_one_before(tmp_path: Path) -> None:
    path = write(tmp_path, '[server]\nport = 1\nhost = "file"\ngrace_s = 3\n[client]\nspace = "from-file"\n')
    environ = {"ENGRAM_SERVER_PORT": "2", "ENGRAM_SERVER_HOST": "variable"}
    settings = load_settings(path, environ, {"server.port": 3, "server.host": None})
    assert (settings.server.port, settings.server.host, settings.server.grace_s) == (3, "variable", 3.0)
    assert settings.client.space == "from-file"


def test_a_file_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "[server]\nport = 7\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}).server.port == 7


def test_a_variable_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 8\n")
    assert load_settings(environ={"ENGRAM_CONFIG": str(path)}).server.port == 8


def test_variables_have_the_type_of_their_setting() -> None:
    environ = {
        "ENGRAM_SERVER_ALLOW_REMOTE": "yes",
        "ENGRAM_SERVER_DATA": "~/memories",
        "ENGRAM_SERVER_GRACE_S": "2.5",
        "ENGRAM_SERVER_SESSIONS_MAX": "12",
    }
    server = load_settings(environ=environ).server
    assert (server.allow_remote, server.grace_s, server.sessions_max) == (True, 2.5, 12)
    assert server.data == Path("~/memories").expanduser()


def test_variables_of_others_are_left_alone() -> None:
    assert load_settings(environ={"ENGRAM_TEST": "1", "ENGRAM_HOME": "/", "PATH": "x"}) == load_settings(environ={})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[sever]\nport = 1", ["engram.toml", "[sever]", "[server]", "did you mean"]),
        ("port = 1", ["engram.toml", "[port]", "[server], [client]"]),
        ("[server]\nprot = 1", ["engram.toml", "[server]", "prot", "did you mean port?", "allow_remote"]),
        ("[server]\nport = '1'", ["engram.toml", "server.port", "'1'", "a whole number from 0 to 65535"]),
        ("[server]\nport = true", ["server.port", "a whole number"]),
        ("[server]\nport = 70000", ["server.port", "70000", "from 0 to 65535"]),
        ("[server]\nport = 1.5", ["server.port", "a whole number"]),
        ("[server]\ngrace_s = nan", ["server.grace_s", "a number of at least 0"]),
        ("[server]\ndata = ''", ["server.data", "a path"]),
        ("[server]\nallow_remote = 1", ["server.allow_remote", "true or false"]),
        ("[server]\nmetric = 'dot'", ["server.metric", "'dot'", f"one of {', '.join(METRICS)}"]),
        ("[server\n", ["engram.toml", "not valid TOML", "line 1"]),
    ],
)
def test_errors_in_a_file_name_file_key_and_what_is_allowed(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidInput) as caught:
        load_settings(path, {})
    for part in parts:
        assert part in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("ENGRAM_SERVER_PROT", "1", ["ENGRAM_SERVER_PROT", "did you mean ENGRAM_SERVER_PORT?"]),
        ("ENGRAM_SERVER_PORT", "http", ["ENGRAM_SERVER_PORT", "'http'", "a whole number from 0 to 65535"]),
        ("ENGRAM_SERVER_ALLOW_REMOTE", "maybe", ["ENGRAM_SERVER_ALLOW_REMOTE", "true or false"]),
        ("ENGRAM_CLIENT_TIMEOUT_S", "-1", ["ENGRAM_CLIENT_TIMEOUT_S", "at least 0.001"]),
    ],
)
def test_errors_in_the_environment_name_the_variable(name: str, value: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(environ={name: value})
    for part in parts:
        assert part in caught.value.message


def test_errors_in_options_name_the_option() -> None:
    flags: dict[str, Any] = {"server.log_level": "loud"}
    with pytest.raises(InvalidInput, match=r"option --log-level.*one of debug, info, warning, error"):
        load_settings(environ={}, flags=flags)


def test_a_file_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read the configuration"):
        load_settings(tmp_path / "none.toml", {})


def test_a_file_must_be_text(tmp_path: Path) -> None:
    path = tmp_path / "engram.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="cannot read the configuration"):
        load_settings(path, {})


def test_every_setting_is_described() -> None:
    described = {name: (variable, help) for name, variable, help in describe_settings()}
    assert described["server.port"] == ("ENGRAM_SERVER_PORT", "port of the gRPC endpoint; 0 takes a free one")
    assert all(help for _, help in described.values())
