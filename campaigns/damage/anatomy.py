"""Where the parts of a log lie in its files, so that each part can be hit on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.log.format1.records import HEADER_BYTES
from engram.log.manifest import Manifest
from engram.log.records.header import Header, RecordKind
from engram.log.records.layout import NUMBERS, TEXTS
from engram.log.records.sectors import INLINE_SUMS, INLINE_SUMS_OFFSET, SECTOR_BYTES, table_sectors
from engram.log.segments.segment import Segment
from engram.model.values.presence import presence_bytes


class Part(NamedTuple):
    """A range of bytes that means something."""

    file: str
    start: int
    stop: int


class Anatomy(NamedTuple):
    """The parts of a directory's logs by what they are, and where the records of each file end."""

    parts: Mapping[str, list[Part]]
    ends: Mapping[str, int]


@cache
def dissect(directory: Path) -> Anatomy:
    """Find the parts of all logs in a sound directory."""
    parts: dict[str, list[Part]] = {}
    ends: dict[str, int] = {}
    for description in sorted(directory.glob("spaces/*/space.json")):
        storage = FileStorage(description.parent, read_only=True)
        manifest = Manifest.read(storage)
        for entry in manifest.segments:
            log = storage.directory("log")
            segment = Segment(entry.epoch, log.open(f"{entry.epoch:012d}.log"), entry.salt, Damages(), entry.format)
            file = f"spaces/{description.parent.name}/log/{segment.name}"
            if segment.format > 1:
                parts.setdefault("segment header", []).append(Part(file, 0, SECTOR_BYTES))
            end = segment.begin
            while (header := segment.header_at(end)) is not None:
                for name, start, stop in _parts(segment, header):
                    if stop > start:
                        parts.setdefault(name, []).append(Part(file, start, stop))
                end = header.end
            ends[file] = end
            segment.file.close()
        storage.close()
    return Anatomy(parts, ends)


def _parts(segment: Segment, header: Header) -> Iterator[tuple[str, int, int]]:
    begin = header.position
    if segment.format == 1:
        yield "record header", begin, begin + HEADER_BYTES
    else:
        table = SECTOR_BYTES * table_sectors(header.sum_count)
        yield "record header", begin, begin + INLINE_SUMS_OFFSET
        sums = 4 * min(INLINE_SUMS, header.sum_count)
        yield "sums in a header", begin + INLINE_SUMS_OFFSET, begin + INLINE_SUMS_OFFSET + sums
        yield "table of sums", begin + SECTOR_BYTES, begin + SECTOR_BYTES + table
    payload = segment.payload_of(header)
    layout = segment.lay_out(header)
    numbers = [(spec.array, layout.number(spec.name), np.dtype(spec.dtype).itemsize * header.rows) for spec in NUMBERS]
    # Rows without a vector have no place among the vectors.
    vectors = [
        ("vector sums", layout.vector_sums, 4 * header.vectors),
        ("vectors", layout.vectors, 4 * header.dim * header.vectors),
    ]
    optional = [
        ("expiries", layout.expires, 8 * header.rows),
        ("vector presence", layout.vector_presence, presence_bytes(header.rows)),
        ("text presence", layout.text_presence, presence_bytes(header.rows)),
    ]
    for name, start, nbytes in numbers + vectors + optional:
        if start >= 0:
            yield name, payload + start, payload + start + nbytes
    for name, place in zip([spec.name for spec in TEXTS], layout.texts, strict=True):
        if place is not None:
            kind = f"{name} of a deletion" if header.kind == RecordKind.DELETE else name
            yield f"offsets of {kind}", payload + place.offsets, payload + place.offsets + 4 * (header.rows + 1)
            yield kind, payload + place.start, payload + place.stop
