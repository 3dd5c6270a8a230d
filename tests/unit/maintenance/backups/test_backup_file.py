"""The list of what a backup holds is believed only as far as this version could have written it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.errors import CorruptData
from engram.log.files.checked_json import decode_checked, encode_checked
from engram.maintenance.backups.backup import backup
from engram.maintenance.backups.backup_file import FILE_NAME
from engram.maintenance.backups.restore import restore
from tests.doubles.damaged import SPACE, make_store


@pytest.mark.parametrize("name", ["../../outside", "/outside", "..", "a", "UPPER", ""])
def test_a_name_that_no_space_has_leads_nowhere(tmp_path: Path, name: str) -> None:
    make_store(tmp_path / "data", seed=1, batches=3)
    backup(tmp_path / "data", tmp_path / "backup")
    file = tmp_path / "backup" / FILE_NAME
    content = decode_checked(file.read_bytes(), FILE_NAME)
    # The checksum fits, as in a file that was made by hand.
    content["spaces"][name.replace("/outside", str(tmp_path / "outside"))] = content["spaces"].pop(SPACE)
    file.write_bytes(encode_checked(content))
    with pytest.raises(CorruptData, match="no name of a space") as caught:
        restore(tmp_path / "backup", tmp_path / "restored")
    assert caught.value.code == "corrupt_description"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data"]
