"""Writing past the page cache and through it are one: what the mapping shows, and what the disk has."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from engram.log.files import mapped_file
from engram.log.files.aligned_buffers import BLOCK_BYTES, STAGING_BYTES
from engram.log.files.direct_writer import DirectWriter
from engram.log.files.file_storage import FileStorage
from engram.log.files.mapped_file import DIRECT_BYTES_MIN, MappedFile

SIZE = 16 << 20


def pattern(start: int, nbytes: int) -> bytes:
    """Bytes that tell where in the file they belong; never zero."""
    return (np.arange(start, start + nbytes) % 251 + 1).astype(np.uint8).tobytes()


def append(file: MappedFile, end: int, nbytes: int, parts: int = 1) -> int:
    data = pattern(end, nbytes)
    step = -(-nbytes // parts)
    file.write(end, [data[start : start + step] for start in range(0, nbytes, step)])
    return end + nbytes


@pytest.mark.parametrize("seed", range(6))
def test_appends_of_any_size_follow_each_other(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    file = FileStorage(tmp_path).create("a", SIZE)
    end = 0
    while end < SIZE - 3 * STAGING_BYTES:
        size = random.choice([64, 4096, DIRECT_BYTES_MIN - 64, DIRECT_BYTES_MIN, STAGING_BYTES, 2 * STAGING_BYTES])
        end = append(file, end, size + 64 * random.randrange(70), parts=random.randint(1, 40))
        # Half of the time the pages are cached before the next write goes past them.
        if random.random() < 0.5:
            assert file.view()[:end].tobytes() == pattern(0, end)
        if random.random() < 0.3:
            file.sync()
    assert file.view()[:end].tobytes() == pattern(0, end)
    assert not file.view()[end:].any()
    file.sync()
    assert (tmp_path / "a").read_bytes() == pattern(0, end).ljust(SIZE, b"\0")


def test_readers_of_earlier_bytes_never_see_anything_else(tmp_path: Path) -> None:
    file = FileStorage(tmp_path).create("a", SIZE)
    view, ends, wrong = file.view(), [0], []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            end = ends[0]
            start = max(0, end - 2 * BLOCK_BYTES)
            # The last block is the one that is written again.
            if view[start:end].tobytes() != pattern(start, end - start):
                wrong.append(end)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(90):
        ends[0] = append(file, ends[0], DIRECT_BYTES_MIN + 64 * (1 + turn % 64))
    done.set()
    reader.join()
    assert not wrong


def test_what_was_begun_is_taken_up_after_opening_again(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    end = append(storage.create("a", SIZE), 0, DIRECT_BYTES_MIN + 100)
    end = append(storage.open("a"), end, DIRECT_BYTES_MIN + 100)
    assert storage.open("a").view()[:end].tobytes() == pattern(0, end)


def test_writing_again_after_undoing_a_write(tmp_path: Path) -> None:
    file = FileStorage(tmp_path).create("a", SIZE)
    end = append(file, 0, DIRECT_BYTES_MIN + 100)
    file.write(end, [b"\xff" * (DIRECT_BYTES_MIN + 200)])
    file.write(end, [bytes(DIRECT_BYTES_MIN + 200)])
    assert not file.view()[end:].any()
    end = append(file, end, DIRECT_BYTES_MIN)
    assert file.view()[:end].tobytes() == pattern(0, end)


def test_files_that_end_within_a_block_keep_their_size(tmp_path: Path) -> None:
    file = FileStorage(tmp_path).create("a", DIRECT_BYTES_MIN + 100)
    append(file, 0, DIRECT_BYTES_MIN + 100)
    assert (tmp_path / "a").read_bytes() == pattern(0, DIRECT_BYTES_MIN + 100)


def refuse_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(mapped_file, "DirectWriter", refuse)


def refuse_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def refuse(descriptor: int, data: memoryview, offset: int) -> int:
        # The first block gets through, as on a disk with larger blocks.
        real(descriptor, data[:BLOCK_BYTES], offset)
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "pwrite", refuse)


def write_little(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda descriptor, data, offset: real(descriptor, data[: 3 * BLOCK_BYTES], offset)
    )


@pytest.mark.parametrize("trouble", [refuse_to_open, refuse_to_write, write_little])
def test_file_systems_that_do_not_like_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[pytest.MonkeyPatch], None]
) -> None:
    trouble(monkeypatch)
    file = FileStorage(tmp_path).create("a", SIZE)
    end = append(file, 0, 3 * DIRECT_BYTES_MIN + 100)
    end = append(file, end, 3 * DIRECT_BYTES_MIN)
    assert file.view()[:end].tobytes() == pattern(0, end)


def test_other_errors_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FileStorage(tmp_path).create("a", SIZE)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DirectWriter, "write", full)
    with pytest.raises(OSError, match="No space"):
        append(file, 0, DIRECT_BYTES_MIN)


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system cannot write past its page cache")
def test_large_writes_pass_by_the_page_cache_and_small_ones_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct: list[int] = []
    real = DirectWriter.write

    def note(writer: DirectWriter, offset: int, pending: list[memoryview]) -> None:
        direct.append(offset)
        real(writer, offset, pending)

    monkeypatch.setattr(DirectWriter, "write", note)
    file = FileStorage(tmp_path).create("a", SIZE)
    end = append(file, 0, DIRECT_BYTES_MIN - 1)
    append(file, end, DIRECT_BYTES_MIN)
    assert direct == [end]


def test_closing_releases_every_descriptor(tmp_path: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("needs /proc")
    storage = FileStorage(tmp_path)
    before = len(list(folder.iterdir()))
    file = storage.create("a", SIZE)
    append(file, 0, DIRECT_BYTES_MIN)
    file.close()
    file.close()
    # The mapping needs none.
    assert len(list(folder.iterdir())) == before
    del file
    assert len(list(folder.iterdir())) == before
    storage.close()
    storage.close()
    assert len(list(folder.iterdir())) == before - 1


def test_a_file_that_is_only_read_keeps_no_descriptor(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    storage.create("a", SIZE, b"there").close()
    before = len(os.listdir("/proc/self/fd"))
    files = [storage.open("a") for _ in range(10)]
    assert len(os.listdir("/proc/self/fd")) == before
    assert files[0].view()[:5].tobytes() == b"there"
    files[0].write(5, [b" it is"])
    files[0].sync()
    assert files[9].view()[:11].tobytes() == b"there it is"
    del files
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("nbytes", [1, 2 * DIRECT_BYTES_MIN])
def test_a_file_that_took_its_place_is_not_written(tmp_path: Path, nbytes: int) -> None:
    storage = FileStorage(tmp_path)
    storage.create("a", SIZE).close()
    file = storage.open("a")
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "a").write_bytes(b"of another")
    with pytest.raises(FileNotFoundError, match="another file took its place"):
        file.write(0, [bytes(nbytes)])
    with pytest.raises(FileNotFoundError, match="another file took its place"):
        file.sync()
    assert (tmp_path / "a").read_bytes() == b"of another"
    (tmp_path / "a").unlink()
    with pytest.raises(FileNotFoundError):
        file.sync()
