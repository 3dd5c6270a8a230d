"""The line of a file where a setting stands, however the file is written. tests/unit/test_config.py has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.errors import InvalidInput
from engram.settings.setting import Setting
from engram.settings.sources import from_file

SECTIONS = {"server": {"port": Setting(1, "port"), "host": Setting("x", "host")}}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server]\nport = 1", 2),
        ("# port = 0\n\n[server]\n# port = 0\nhost = 'port = 0'\nport = 1 # port\n", 6),
        ("server.host = 'x'\nserver.port = 1", 2),
        ("server = { host = 'x', port = 1 }", 1),
        ('[server]\nhost = """\nport = 0\n"""\n"port" = 1', 5),
        ("[server]\r\nhost = 'x'\r\nport = 1\r\n", 3),
    ],
)
def test_the_line_is_found_however_the_file_is_written(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "engram.toml"
    path.write_bytes(text.encode())
    given = {each.key: each for each in from_file(path, SECTIONS)}
    assert given["port"].origin() == f"file {path}, line {line}, key server.port"
    assert given["port"].checked(SECTIONS["server"]["port"]) == 1


def test_the_line_of_an_unknown_section_is_named(tmp_path: Path) -> None:
    path = tmp_path / "engram.toml"
    path.write_text("[server]\nport = 1\n\n[serve]\nport = 2\n")
    with pytest.raises(InvalidInput, match=r"line 4: there is no \[serve\]; did you mean \[server\]\?"):
        list(from_file(path, SECTIONS))
