"""`verify` finds every damage, names it, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.errors import NotFound, StoreLocked
from engram.maintenance.progress import Progress
from engram.maintenance.verify import verify
from engram.store import MemoryStore
from tests.doubles.damaged import SPACE, copied, cut, everything_in, flip, logs_of, make_store, zero


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "data"
    make_store(path, seed=3)
    return path


@pytest.fixture
def bad(sound: Path, tmp_path: Path) -> Path:
    return copied(sound, tmp_path / "bad")


def test_a_sound_directory_is_sound_and_stays_as_it_is(sound: Path) -> None:
    before = everything_in(sound)
    moments: list[Progress] = []
    verdict = verify(sound, on_progress=moments.append)
    assert verdict.is_sound
    assert [space.name for space in verdict.spaces] == [SPACE]
    assert verdict.spaces[0].linked_count > 0, "the graph of the checkpoint was looked at"
    assert everything_in(sound) == before
    assert moments[-1].done_bytes >= moments[-1].total_bytes > 0


def test_a_flipped_bit_is_named_by_space_file_offset_and_generations(bad: Path) -> None:
    file = logs_of(bad)[1]
    flip(file, 2000)
    verdict = verify(bad)
    assert [space.name for space in verdict.spaces] == [SPACE], "a damaged record keeps nobody from the others"
    (damage,) = verdict.damages
    assert (damage.space, damage.file) == (SPACE, f"log/{file.name}")
    assert 2000 - 512 < damage.offset <= 2000
    assert 0 < damage.first_generation <= damage.last_generation


def test_all_damage_of_a_space_that_does_not_open_is_listed(bad: Path) -> None:
    first, second, *_ = logs_of(bad)
    first.unlink()
    flip(second, 2000)
    verdict = verify(bad)
    assert verdict.unsound[SPACE].code == "missing_segment"
    assert {damage.file for damage in verdict.damages} >= {f"log/{first.name}", f"log/{second.name}"}


@pytest.mark.parametrize("file", ["store.json", f"spaces/{SPACE}/space.json"])
def test_damaged_descriptions_are_found(bad: Path, file: str) -> None:
    flip(bad / file, 40)
    verdict = verify(bad)
    assert not verdict.is_sound


def test_a_damaged_checkpoint_is_found(bad: Path) -> None:
    file = next((bad / "spaces" / SPACE / "checkpoints").iterdir())
    flip(file, 1000)
    verdict = verify(bad)
    assert f"checkpoints/{file.name}" in {damage.file for damage in verdict.damages}


def test_a_space_that_is_missing_is_found(bad: Path) -> None:
    (bad / "spaces" / SPACE).rename(bad / "elsewhere")
    assert verify(bad).unsound[SPACE].code == "missing_space"


@pytest.mark.parametrize("harm", [lambda file: cut(file, 3000), lambda file: zero(file, 512, 1 << 20)])
def test_what_was_cut_or_emptied_is_found(bad: Path, harm: object) -> None:
    assert callable(harm)
    harm(logs_of(bad)[-1])
    assert not verify(bad).is_sound


def test_more_damage_than_a_store_remembers_is_listed_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        space = store.space(SPACE, dim=8)
        for number in range(150):
            space.observe([f"{number}"], [[1.0] * 8], ["text"])
        places = [(record.segment.name, record.position) for record in space._engine._state.log.records()]
    files = {file.name: file for file in logs_of(path)}
    for name, position in places:
        flip(files[name], position + 512)
    damages = verify(path).damages
    assert sorted(d.first_generation for d in damages if d.file.startswith("log/")) == list(range(1, 151))


def test_spaces_can_be_chosen(bad: Path) -> None:
    assert verify(bad, spaces=[SPACE]).is_sound
    with pytest.raises(NotFound, match="no-such"):
        verify(bad, spaces=["no-such"])


def test_what_is_no_data_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify(tmp_path / "none")
    with pytest.raises(NotFound, match="no data directory"):
        verify(tmp_path)


def test_beside_a_writer_it_is_refused(bad: Path) -> None:
    with MemoryStore(bad), pytest.raises(StoreLocked):
        verify(bad)
    # Two readers do not disturb each other.
    with MemoryStore(bad, read_only=True):
        assert verify(bad).is_sound
