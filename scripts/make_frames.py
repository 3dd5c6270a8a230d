"""Make the corpus of binary frames that every decoder is tested with: python scripts/make_frames.py

It writes ``tests/fixtures/frames/``: one file for each frame, good or bad, and ``index.json``, which says of each what
a decoder makes of it. The frames are put together here byte by byte, without the encoder that they test.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "frames"
_FORMATS = {"f4": "f", "f8": "d", "i8": "q", "u1": "B"}
Arrays = list[tuple[str, str, list[int], list[Any]]]


def packed(code: str, values: list[Any]) -> bytes:
    return struct.pack(f"<{len(values)}{_FORMATS[code]}", *values)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def raw_frame(header: bytes, body: bytes = b"") -> bytes:
    return padded(struct.pack("<I", len(header)) + header) + body


def frame(header: dict[str, Any], arrays: Arrays) -> bytes:
    described = [[name, code, shape] for name, code, shape, _ in arrays]
    text = json.dumps({**header, "arrays": described}, ensure_ascii=False, separators=(",", ":")).encode()
    made = struct.pack("<I", len(text)) + text
    made = padded(made)
    for _, code, _, values in arrays:
        made = padded(made) + packed(code, values)
    return made


VECTORS = ("vectors", "f4", [2, 3], [0.5, -1.0, 2.0, 0.0, 0.25, 1.0])
TIMES = ("timestamps", "i8", [2], [1_764_331_200_000_000, -1])
SHARES = ("confidences", "f4", [2], [0.5, 1.0])
FLAGS = ("flags", "u1", [3], [0, 1, 3])
AGES = ("ages_s", "f8", [2], [0.1, 1e300])
BATCH: dict[str, Any] = {"type": "observation_batch", "sequence_number": 7, "ids": ["n1", "n2"]}

GOOD: dict[str, tuple[str, dict[str, Any], Arrays]] = {
    "no_arrays": ("A header alone.", {"type": "heartbeat"}, []),
    "empty_object": ("A header without any field but arrays.", {}, []),
    "vectors": ("One array of two dimensions.", BATCH, [VECTORS]),
    "columns": ("Arrays of all types, whose ends need to be filled up.", BATCH, [VECTORS, FLAGS, TIMES, SHARES, AGES]),
    "odd_end": ("Nothing is filled up behind the last array.", {"type": "get_result"}, [FLAGS]),
    "no_rows": (
        "Arrays without elements.",
        {"ids": []},
        [("vectors", "f4", [0, 768], []), ("timestamps", "i8", [0], [])],
    ),
    "no_columns": ("Rows without columns.", {"ids": ["a"]}, [("vectors", "f4", [1, 0], []), FLAGS]),
    "not_ascii": ("Texts beyond ASCII: lengths count bytes.", {"contents": ["Pumpe ä 水 🌊", "a\u2028b"]}, [FLAGS]),
    "nested": ("Fields of any form.", {"metadata": [{"site": [1, {"a": None}]}, None], "more": False}, [SHARES]),
    "whole_numbers": ("int64 at its ends.", {}, [("generations", "i8", [2], [2**63 - 1, -(2**63)])]),
    "small_numbers": (
        "float32 at its ends.",
        {},
        [("scores", "f4", [2], [1.401298464324817e-45, 3.4028234663852886e38])],
    ),
    "sixteen": ("As many arrays as there may be.", {}, [(f"a{i}", "u1", [1], [i]) for i in range(16)]),
}


def _one(described: Any, body: bytes = b"") -> bytes:
    return raw_frame(json.dumps({"arrays": described}).encode(), body)


def bad() -> dict[str, tuple[str, bytes]]:
    whole = frame(BATCH, [VECTORS, FLAGS])
    filled = raw_frame(b'{"arrays":[["a","u1",[1]],["b","u1",[1]]]}', b"\x01\0\0\0\0\0\0\0\x02")
    return {
        "empty": ("No bytes at all.", b""),
        "half_length": ("Fewer bytes than the length of the header takes.", b"\x02\0\0"),
        "header_cut": ("The header is longer than the frame.", struct.pack("<I", 200) + b'{"arrays":[]}'),
        "header_endless": ("The header would be 4 GiB.", struct.pack("<I", 2**32 - 1) + b'{"arrays":[]}'),
        "header_empty": ("A header of no bytes.", raw_frame(b"")),
        "header_not_json": ("The header is no JSON.", raw_frame(b"arrays: []")),
        "header_list": ("The header is a list.", raw_frame(b"[]")),
        "header_null": ("The header is null.", raw_frame(b"null")),
        "header_two": ("Two objects in place of one.", raw_frame(b'{"arrays":[]}{"arrays":[]}')),
        "header_nan": ("NaN is no JSON.", raw_frame(b'{"k":NaN,"arrays":[]}')),
        "header_bom": ("A byte order mark is no JSON.", raw_frame(b'\xef\xbb\xbf{"arrays":[]}')),
        "header_latin": ("The header is no UTF-8.", raw_frame(b'{"id":"\xe4","arrays":[]}')),
        "header_surrogate": ("Half of a pair as bytes is no UTF-8.", raw_frame(b'{"id":"\xed\xa0\x80","arrays":[]}')),
        "header_zero": ("A zero byte inside the header.", raw_frame(b'{"arrays":[]}\0')),
        "padding_cut": ("The zeros behind the header are missing.", struct.pack("<I", 13) + b'{"arrays":[]}'),
        "padding_header": ("What fills up behind the header is not zero.", filled.replace(b"]]]}\0\0", b"]]]}\0\1")),
        "padding_array": ("What fills up behind an array is not zero.", filled[:-2] + b"\x09" + filled[-1:]),
        "no_description": ("The field arrays is missing.", raw_frame(b'{"type":"heartbeat"}')),
        "description_null": ("The field arrays is null.", _one(None)),
        "description_object": ("The field arrays is an object.", _one({"a": ["u1", [1]]}, b"\1")),
        "description_short": ("An array without a shape.", _one([["a", "u1"]], b"\1")),
        "description_long": ("An array with one part too many.", _one([["a", "u1", [1], 0]], b"\1")),
        "name_number": ("A name that is no text.", _one([[1, "u1", [1]]], b"\1")),
        "name_empty": ("An empty name.", _one([["", "u1", [1]]], b"\1")),
        "name_long": ("A name of 65 characters.", _one([["a" * 65, "u1", [1]]], b"\1")),
        "name_twice": ("Two arrays of one name.", _one([["a", "u1", [1]]] * 2, b"\1\0\0\0\0\0\0\0\1")),
        "name_of_field": (
            "An array with the name of a field.",
            raw_frame(b'{"ids":["n1"],"arrays":[["ids","u1",[1]]]}', b"\1"),
        ),
        "name_arrays": ("An array with the name arrays.", _one([["arrays", "u1", [1]]], b"\1")),
        "type_unknown": ("A type that is none.", _one([["a", "f2", [1]]], b"\1\1")),
        "type_big_endian": ("Big-endian numbers.", _one([["a", ">f4", [1]]], bytes(4))),
        "type_object": ("A type of NumPy that is none of a frame.", _one([["a", "O", [1]]], bytes(8))),
        "shape_none": ("No dimension.", _one([["a", "u1", []]], b"\1")),
        "shape_three": ("Three dimensions.", _one([["a", "u1", [1, 1, 1]]], b"\1")),
        "shape_number": ("A shape that is no list.", _one([["a", "u1", 1]], b"\1")),
        "shape_negative": ("A negative size.", _one([["a", "u1", [-1]]])),
        "shape_two_negative": ("Two negative sizes, whose product is positive.", _one([["a", "u1", [-1, -1]]], b"\1")),
        "shape_fraction": ("A size that is no whole number.", _one([["a", "u1", [1.5]]], b"\1")),
        "shape_text": ("A size that is a text.", _one([["a", "u1", ["1"]]], b"\1")),
        "shape_true": ("A size that is a truth value.", _one([["a", "u1", [True]]], b"\1")),
        "shape_null": ("A size that is null.", _one([["a", "u1", [None]]], b"\1")),
        "shape_huge": ("More bytes than there are.", _one([["a", "f8", [2**31 - 1, 2**31 - 1]]], bytes(8))),
        "shape_wraps": ("A size of which 64 bits keep nothing.", _one([["a", "f4", [2**62]]])),
        "shape_huge_empty": ("No elements, but a size beyond 2**31 - 1.", _one([["a", "f4", [0, 2**31]]])),
        "arrays_many": ("Seventeen arrays.", _one([[f"a{i}", "u1", [0]] for i in range(17)])),
        "array_cut": ("The last byte is missing.", whole[:-1]),
        "array_missing": ("An array of which there is nothing.", _one([["a", "f4", [1]]])),
        "byte_more": ("A byte behind the last array.", whole + b"\0"),
        "padding_more": ("Zeros behind the last array.", padded(whole)),
        "bytes_no_arrays": ("Bytes that no array describes.", raw_frame(b'{"arrays":[]}', bytes(8))),
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    index: list[dict[str, Any]] = []
    for name, (why, header, arrays) in GOOD.items():
        described = {key: {"type": code, "shape": shape, "values": values} for key, code, shape, values in arrays}
        (FOLDER / f"{name}.frame").write_bytes(frame(header, arrays))
        index.append({"name": name, "file": f"{name}.frame", "verdict": "good", "why": why})
        # Whole numbers beyond 2**53 would change in readers that have only doubles, so all of int64 are texts.
        for each in described.values():
            each["values"] = [str(v) for v in each["values"]] if each["type"] == "i8" else each["values"]
        index[-1] |= {"header": header, "arrays": described}
    for name, (why, data) in bad().items():
        (FOLDER / f"{name}.frame").write_bytes(data)
        index.append({"name": name, "file": f"{name}.frame", "verdict": "bad", "why": why})
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
