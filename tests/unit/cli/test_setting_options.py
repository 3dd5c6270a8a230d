"""`engram serve` has an option for each setting, with its help, and says where a wrong value came from."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from engram.cli.commands.serve import serve
from engram.cli.main import run
from engram.cli.setting_options import SettingOption
from engram.config import ServeSettings, describe_settings
from engram.server import ServerOptions

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ServerOptions]:
    """The options that servers were to be started with. No server is started, and the process is not tuned."""
    found: list[ServerOptions] = []
    monkeypatch.setattr("engram.server.serve", found.append)
    monkeypatch.setattr("engram.server.tune_allocator", lambda: None)
    return found


def test_every_setting_of_the_server_is_an_option_and_no_other() -> None:
    names = {option.name: option.opts for option in serve.params if isinstance(option, SettingOption)}
    assert names == {key: [f"--{key.replace('_', '-')}"] for key in describe_settings()["server"]}


def test_the_help_has_a_heading_for_each_group(capsys: Capture) -> None:
    assert run(["serve", "--help"]) == 0
    shown = capsys.readouterr().out
    headings = [line.rstrip(":") for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    groups = dict.fromkeys(described.group for described in describe_settings()["server"].values())
    assert headings == ["Options", *groups]
    words = " ".join(shown.split())
    assert "--port NUMBER Port of the gRPC endpoint; 0 takes a free port. [default: 50051]" in words
    assert "--tail-bytes-max BYTES" in words


def test_every_option_reaches_the_server(started: list[ServerOptions]) -> None:
    arguments = {
        "data": "here",
        "host": "localhost",
        "port": "0",
        "dim": "16",
        "metric": "l2",
        "embedder": "lexical",
        "workers": "3",
        "tail_count_max": "7",
        "session_idle_s": "8.5",
        "pressure_enter": "30/40/50",
        "pressure_leave": "10/20/30",
        "memory_bytes_max": "1000",
    }
    given = [part for key, value in arguments.items() for part in (f"--{key.replace('_', '-')}", value)]
    assert run(["serve", *given]) == 0
    (options,) = started
    assert (options.data, options.host, options.port) == (Path("here"), "localhost", 0)
    space = options.default_space
    assert (space.name, space.dim, space.metric, space.embedder) == ("default", 16, "l2", "lexical")
    assert (options.store.workers, options.store.tail_count_max, options.session_idle_s_max) == (3, 7, 8.5)
    assert (options.thresholds.enter, options.thresholds.leave) == ((30, 40, 50), (10, 20, 30))
    assert options.memory_bytes_max == 1000


def test_without_options_the_server_has_the_defaults_of_the_library(started: list[ServerOptions]) -> None:
    assert run(["serve"]) == 0
    (options,) = started
    expected = ServerOptions(ServeSettings().data, ready=options.ready, http_ready=options.http_ready)
    assert options == expected


def test_a_switch_overrides_the_file_both_ways(started: list[ServerOptions]) -> None:
    Path("engram.toml").write_text("[server]\nallow_remote = true\n")
    assert run(["serve", "--host", "example.org"]) == 0
    assert run(["serve", "--host", "example.org", "--no-allow-remote"]) == 1
    Path("engram.toml").unlink()
    assert run(["serve", "--host", "example.org", "--allow-remote"]) == 0
    assert [options.host for options in started] == ["example.org"] * 2


@pytest.mark.parametrize("value", ["", "x", "1.5", "-1", "65536"])
def test_a_wrong_value_is_refused_with_the_name_of_the_option(value: str, capsys: Capture) -> None:
    assert run(["serve", "--port", value]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        f"engram: option --port: {value!r} is not allowed; it must be a whole number from 0 to 65535"
    )


def test_a_file_is_no_data_directory(capsys: Capture) -> None:
    Path("file").touch()
    assert run(["serve", "--data", "file"]) == 2
    assert "'file' is a file" in capsys.readouterr().err


def test_an_unknown_option_is_refused_with_a_suggestion(capsys: Capture) -> None:
    assert run(["serve", "--tail-count", "1"]) == 2
    assert "--tail-count-max" in capsys.readouterr().err


def test_options_of_client_commands_show_the_default_of_the_setting() -> None:
    from engram.cli.app import app  # noqa: PLC0415 - for this test alone.

    for name, key in (("status", "address"), ("recall", "space"), ("ingest", "space")):
        option = next(each for each in app.commands[name].params if each.name == key)
        assert isinstance(option, click.Option)
        assert f"[default: {describe_settings()['client'][key].shown_default}]" in (option.help or "")
