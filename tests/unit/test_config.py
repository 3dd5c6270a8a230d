"""Settings from four places, and errors that say where to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.config import SECTIONS, ClientSettings, ServeSettings, Settings, describe_settings, load_settings
from engram.errors import InvalidInput
from engram.model.spaces import METRICS
from engram.server import ServerOptions
from engram.settings.setting import public_settings
from engram.settings.sources import variable
from engram.streaming.pressure.levels import Thresholds


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "engram.toml"
    path.write_text(text, encoding="utf-8")
    return path


def server(settings: Settings) -> ServerOptions:
    return settings.of(ServerOptions, data=None)


def test_without_anything_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ={})
    assert server(settings) == ServerOptions(None, default_space=server(settings).default_space)
    assert settings.of(ServeSettings) == ServeSettings()
    assert settings.of(ClientSettings) == ClientSettings()


def test_each_source_overrides_the_one_before(tmp_path: Path) -> None:
    path = write(tmp_path, '[server]\nport = 1\nhost = "::1"\ngrace_s = 3\n[client]\nspace = "from-file"\n')
    environ = {"ENGRAM_SERVER_PORT": "2", "ENGRAM_SERVER_HOST": "localhost"}
    settings = load_settings(path, environ, {"server.port": "3", "server.host": None})
    assert (server(settings).port, server(settings).host, server(settings).grace_s) == (3, "localhost", 3.0)
    assert settings.of(ClientSettings).space == "from-file"


def test_a_source_that_is_overridden_is_checked_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = -1\n")
    with pytest.raises(InvalidInput, match=r"engram\.toml, line 2"):
        load_settings(path, {"ENGRAM_SERVER_PORT": "2"}, {"server.port": "3"})


def test_settings_reach_the_options_that_are_nested(tmp_path: Path) -> None:
    path = write(tmp_path, '[server]\ntail_count_max = 5\npressure_enter = "10/20/30"\npressure_leave = "1/2/3"\n')
    options = server(load_settings(path, {}, {"server.session_idle_s": "7"}))
    assert (options.store.tail_count_max, options.session_idle_s_max) == (5, 7.0)
    assert (options.thresholds.enter, options.thresholds.leave) == ((10, 20, 30), (1, 2, 3))


def test_every_setting_reaches_an_option() -> None:
    """A setting that no object holds would be accepted and do nothing."""
    for section, kinds in SECTIONS.items():
        reached = {described.key for kind in kinds for described in public_settings(kind)}
        assert reached == set(describe_settings()[section])
        assert sum(len(list(public_settings(kind))) for kind in kinds) == len(reached), "two fields have one key"


def test_a_file_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "[server]\nport = 7\n")
    monkeypatch.chdir(tmp_path)
    assert server(load_settings(environ={})).port == 7


def test_a_variable_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 8\n")
    assert server(load_settings(environ={"ENGRAM_CONFIG": str(path)})).port == 8


def test_variables_have_the_type_of_their_setting() -> None:
    environ = {
        "ENGRAM_SERVER_ALLOW_REMOTE": "yes",
        "ENGRAM_SERVER_DATA": "~/memories",
        "ENGRAM_SERVER_GRACE_S": "2.5",
        "ENGRAM_SERVER_SESSIONS_MAX": "12",
    }
    settings = load_settings(environ=environ)
    options = server(settings)
    assert (options.allow_remote, options.grace_s, options.sessions_max) == (True, 2.5, 12)
    assert settings.of(ServeSettings).data == Path("~/memories").expanduser()


def test_variables_of_others_are_left_alone() -> None:
    assert load_settings(environ={"ENGRAM_TEST": "1", "ENGRAM_HOME": "/", "PATH": "x"}) == load_settings(environ={})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[sever]\nport = 1", ["engram.toml", "[sever]", "[server]", "did you mean"]),
        ("port = 1", ["engram.toml, line 1", "port is not a section", "below their section, [server]"]),
        ("x = 1", ["engram.toml, line 1", "x is not a section", "[server] or [client]"]),
        ("server = 1", ["engram.toml, line 1", "server is not a section", "[server]"]),
        ("[[client]]", ["engram.toml, line 1", "client is not a section", "[client]"]),
        ("[server]\nprot = 1", ["engram.toml, line 2", "[server]", "prot", "did you mean port?", "allow_remote"]),
        ("[server]\nhost = ''", ["engram.toml, line 2", "server.host", "a text that is not empty"]),
        ("[server]\npressure_enter = '50/80'", ["server.pressure_enter", "'50/80'", "3 whole numbers from 1 to 100"]),
        ("[server]\npressure_enter = '50/80/101'", ["server.pressure_enter", "such as 50/80/95"]),
        ("[server]\nworkers = 17", ["server.workers", "17", "a whole number from 0 to 16"]),
        ("[server]\ntail_bytes_max = 1e9", ["server.tail_bytes_max", "1000000000.0", "at least 1, in bytes"]),
        ("[server]\nport = '1'", ["engram.toml, line 2", "server.port", "'1'", "a whole number from 0 to 65535"]),
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
        ("ENGRAM_SERVER_PORT", "", ["ENGRAM_SERVER_PORT", "''", "a whole number from 0 to 65535"]),
        ("ENGRAM_SERVER_HOST", "", ["ENGRAM_SERVER_HOST", "''", "a text that is not empty"]),
        ("ENGRAM_SERVER_PORT", "tcp://10.0.0.7:50051", ["ENGRAM_SERVER_PORT", "'tcp://10.0.0.7:50051'"]),
        ("ENGRAM_SERVER_RETAINED_S", "inf", ["ENGRAM_SERVER_RETAINED_S", "'inf'", "at least 0, in seconds"]),
        ("ENGRAM_SERVER_PRESSURE_LEAVE", "a/b/c", ["ENGRAM_SERVER_PRESSURE_LEAVE", "'a/b/c'", "3 whole numbers"]),
        ("ENGRAM_SERVER_TAIL_COUNT_MAX", "9" * 30, ["ENGRAM_SERVER_TAIL_COUNT_MAX", "999", "less than 2^63"]),
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
    flags = {"server.log_level": "loud"}
    with pytest.raises(InvalidInput, match=r"option --log-level.*one of debug, info, warning, error") as caught:
        load_settings(environ={}, flags=flags)
    error = caught.value
    assert (error.code, error.field, error.value) == ("invalid_setting", "server.log_level", "'loud'")
    assert error.limit == "one of debug, info, warning, error"


def test_settings_that_do_not_fit_each_other_are_named_with_their_sources(tmp_path: Path) -> None:
    path = write(tmp_path, '[server]\npressure_enter = "20/30/40"\n')
    settings = load_settings(path, {"ENGRAM_SERVER_PRESSURE_LEAVE": "10/20/30"}, {"server.host": "example.org"})
    with pytest.raises(InvalidInput, match="option --host: refusing to listen") as caught:
        server(settings)
    assert (caught.value.code, caught.value.field) == ("remote_not_allowed", "server.host")
    settings = load_settings(path, {"ENGRAM_SERVER_PRESSURE_LEAVE": "10/20/50"})
    with pytest.raises(InvalidInput) as caught:
        server(settings)
    assert "engram.toml, line 2, key server.pressure_enter and variable ENGRAM_SERVER" in caught.value.message
    with pytest.raises(InvalidInput, match=r"^levels are entered at 50/80/95 % and left at 10/20/99 %") as caught:
        Thresholds(leave=(10, 20, 99))


def test_a_file_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read the configuration"):
        load_settings(tmp_path / "none.toml", {})


def test_a_file_must_be_text(tmp_path: Path) -> None:
    path = tmp_path / "engram.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="cannot read the configuration"):
        load_settings(path, {})


def test_every_setting_is_described() -> None:
    described = describe_settings()
    assert described["server"]["port"].help == "Port of the gRPC endpoint; 0 takes a free port."
    assert all(each.help for section in described.values() for each in section.values())


def test_every_default_is_accepted_as_it_is_written() -> None:
    for section, described in describe_settings().items():
        environ = {variable(section, key): each.shown_default for key, each in described.items()}
        values = load_settings(environ=environ).values[section]
        assert values == {key: each.default for key, each in described.items()}
