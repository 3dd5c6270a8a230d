"""What the machine says is read as it is meant."""

from __future__ import annotations

import os
import re
import resource
import tempfile
from pathlib import Path

import pytest

from engram.cli.doctor import facts
from tests.doubles.rightless import answer_without_rights, give

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /data rw - xfs /dev/sdb rw
24 22 0:6 / /data/with\\040space rw master:1 - nfs4 server:/x rw
25 22 0:7 / /database rw - tmpfs tmpfs rw
26 22 0:8 / /twice rw - ext4 /dev/sdc rw
27 26 0:9 / /twice rw - btrfs /dev/sdd rw
not a line of a mount
""".splitlines()


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/home/x", "ext4"),
        ("/data", "xfs"),
        ("/data/spaces", "xfs"),
        ("/data/with space/x", "nfs4"),
        ("/database", "tmpfs"),
        ("/databases", "ext4"),
        ("/twice/x", "btrfs"),
    ],
)
def test_a_folder_is_on_the_innermost_file_system(folder: str, kind: str) -> None:
    assert facts.file_system_kind(Path(folder), MOUNTS) == kind


def test_without_mounts_the_kind_is_not_known() -> None:
    assert facts.file_system_kind(Path("/x"), []) == ""


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000", None), ("150000 100000", 1.5), ("", None), ("x y", None), ("1 0", None)]
)
def test_a_quota_is_a_number_of_processors(text: str, quota: float | None) -> None:
    assert facts.cpu_quota(text) == quota


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: fpu\n", {"fpu", "avx2"}),
        ("Features\t: asimd crc32\n", {"asimd", "crc32"}),
        ("", set()),
    ],
)
def test_the_flags_of_the_first_processor_count(text: str, flags: set[str]) -> None:
    assert facts.processor_flags(text) == flags


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    assert facts.text_of(tmp_path / "x") == ""
    assert facts.number_of(tmp_path / "x") is None
    (tmp_path / "max").write_text("max\n")
    assert facts.number_of(tmp_path / "max") is None
    (tmp_path / "seven").write_text("7\n")
    assert facts.number_of(tmp_path / "seven") == 7


def test_a_folder_that_is_not_there_is_the_nearest_above(tmp_path: Path) -> None:
    assert facts.existing_folder(tmp_path) == tmp_path
    assert facts.existing_folder(tmp_path / "a" / "b") == tmp_path
    (tmp_path / "file").touch()
    assert facts.existing_folder(tmp_path / "file") == tmp_path


def test_the_rights_to_a_directory_and_to_what_is_in_it_are_looked_at(tmp_path: Path) -> None:
    facts.check_rights(tmp_path / "not" / "there")
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "x" / "y"):
        with pytest.raises(NotADirectoryError, match=re.escape(str(tmp_path / "file"))):
            facts.check_rights(place)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError):
        facts.check_rights(tmp_path / "gone")


def lacking(data: Path) -> str:
    """Runs in the child."""
    try:
        facts.check_rights(data)
    except PermissionError as error:
        return f"{error.filename}: {error.strerror}"
    return "nothing"


@pytest.mark.parametrize("name", ["", "spaces", "spaces/notes", "LOCK"])
def test_what_the_user_of_the_server_may_not_use_is_named(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "spaces" / "notes").mkdir(parents=True)
        (data / "LOCK").touch()
        for path in (data, *data.rglob("*")):
            give(path, 0o755 if path.is_dir() else 0o644)
        assert answer_without_rights(lambda: lacking(data)) == "nothing"
        theirs = give(data / name, 0o555)
        assert answer_without_rights(lambda: lacking(data)) == f"{theirs}: Permission denied"
        theirs.chmod(0o755)


def test_files_of_the_future_are_noticed(tmp_path: Path) -> None:
    assert facts.seconds_ahead(tmp_path, 1000.0) == 0
    (tmp_path / "store.json").touch()
    os.utime(tmp_path / "store.json", (5000, 5000))
    assert facts.seconds_ahead(tmp_path, 1000.0) == 4000
    assert facts.seconds_ahead(tmp_path, 4999.0) == 0
    assert facts.seconds_ahead(tmp_path, 6000.0) == 0


def test_a_sync_is_measured_and_leaves_nothing(tmp_path: Path) -> None:
    assert facts.sync_seconds(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="No such file"):
        facts.sync_seconds(tmp_path / "x")


def test_this_machine_can_be_read() -> None:
    total, available = facts.memory_bytes()
    assert 0 < available <= total
    assert facts.usable_processors() >= 1
    soft, hard = facts.limits(resource.RLIMIT_NOFILE)
    assert soft == -1 or soft > 0
    assert hard == -1 or hard >= soft
    assert facts.clock_is_synchronized() in {True, False, None}
