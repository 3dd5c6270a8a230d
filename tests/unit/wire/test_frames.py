"""Binary frames: what is encoded is decoded, and nothing else is taken for a frame."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.wire.frames import ARRAYS_MAX, Frame, decode_frame, encode_frame
from tests.doubles.places import ROOT

FOLDER = ROOT / "tests" / "fixtures" / "frames"
CORPUS: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
NAMES = ("vectors", "timestamps", "scores", "Übung", "x")
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=8,
)
headers = st.dictionaries(
    st.text(st.characters(codec="utf-8")).filter(lambda name: name not in (*NAMES, "arrays")), json_values, max_size=4
)
arrays = st.dictionaries(
    st.sampled_from(NAMES),
    hnp.arrays(
        st.sampled_from(["f4", "f8", "i8", "u1"]).map(np.dtype), hnp.array_shapes(max_dims=2, min_side=0, max_side=5)
    ),
    max_size=4,
)


def same(got: dict[str, NDArray[Any]], wanted: dict[str, NDArray[Any]]) -> bool:
    return list(got) == list(wanted) and all(
        got[name].dtype == wanted[name].dtype and np.array_equal(got[name], wanted[name], equal_nan=True)
        for name in got
    )


def decoded(data: bytes) -> Frame | None:
    """The frame, or None if it is refused as it should be; any other error fails the test."""
    try:
        return decode_frame(data)
    except InvalidInput as error:
        if error.code != "malformed_message":
            raise
        return None


@given(headers, arrays)
def test_what_is_encoded_is_decoded(header: dict[str, Any], columns: dict[str, NDArray[Any]]) -> None:
    frame = decode_frame(encode_frame(header, columns))
    assert frame.header == header
    assert same(frame.arrays, columns)


@given(headers, arrays, st.data())
def test_changed_bytes_are_refused_or_are_another_frame(
    header: dict[str, Any], columns: dict[str, NDArray[Any]], data: st.DataObject
) -> None:
    changed = bytearray(encode_frame(header, columns))
    for position in data.draw(st.lists(st.integers(0, len(changed) - 1), min_size=1, max_size=4)):
        changed[position] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(changed)) | st.just(len(changed)))
    frame = decoded(bytes(changed[:end]))
    assert frame is None or sum(array.nbytes for array in frame.arrays.values()) <= end


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_are_a_frame(data: bytes) -> None:
    frame = decoded(data)
    assert frame is None or isinstance(frame.header, dict)


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry["name"])
def test_the_corpus_is_read_as_its_index_says(entry: dict[str, Any]) -> None:
    data = (FOLDER / entry["file"]).read_bytes()
    if entry["verdict"] == "bad":
        with pytest.raises(InvalidInput) as caught:
            decode_frame(data)
        assert caught.value.code == "malformed_message"
        assert caught.value.field
        assert caught.value.limit
        return
    frame = decode_frame(data)
    assert frame.header == entry["header"]
    assert list(frame.arrays) == list(entry["arrays"])
    for name, wanted in entry["arrays"].items():
        array = frame.arrays[name]
        assert array.dtype == np.dtype(wanted["type"])
        assert array.shape == tuple(wanted["shape"])
        assert array.ravel().tolist() == [int(v) if wanted["type"] == "i8" else v for v in wanted["values"]]
    again = encode_frame(frame.header, frame.arrays)
    assert decode_frame(again).header == frame.header
    assert same(decode_frame(again).arrays, frame.arrays)


def test_the_corpus_is_what_the_script_makes(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_frames.py"))
    script["main"].__globals__["FOLDER"] = tmp_path
    script["main"]()
    made, kept = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path, FOLDER))
    assert made == kept


def test_arrays_are_views_that_nobody_can_write_to() -> None:
    data = encode_frame({"type": "x"}, {"vectors": np.ones((4, 8), np.float32)})
    array = decode_frame(data).arrays["vectors"]
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    assert not array.flags.writeable


@pytest.mark.parametrize("shift", range(8))
def test_a_frame_may_lie_anywhere(shift: int) -> None:
    data = encode_frame({}, {"scores": np.arange(3, dtype=np.float64), "flags": np.ones(3, np.uint8)})
    frame = decode_frame(memoryview(bytes(shift) + data)[shift:])
    assert frame.arrays["scores"].tolist() == [0, 1, 2]
    assert frame.arrays["scores"].flags.aligned


def test_big_endian_arrays_are_turned_round_and_others_made_contiguous() -> None:
    turned = np.arange(6, dtype=">f4").reshape(2, 3)
    sliced = np.arange(12, dtype=np.int64)[::3]
    frame = decode_frame(encode_frame({}, {"vectors": turned.T, "timestamps": sliced}))
    assert frame.arrays["vectors"].tolist() == turned.T.tolist()
    assert frame.arrays["timestamps"].tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ({}, {"a": np.zeros(1, np.float16)}),
        ({}, {"a": np.zeros((1, 1, 1), np.float32)}),
        ({}, {"a": np.array(1.0, np.float32)}),
        ({}, {"a": np.array(["x"])}),
        ({"a": 1}, {"a": np.zeros(1, np.float32)}),
        ({}, {"arrays": np.zeros(1, np.float32)}),
        ({}, {"": np.zeros(1, np.float32)}),
        ({}, {f"a{i}": np.zeros(1, np.float32) for i in range(ARRAYS_MAX + 1)}),
    ],
)
def test_what_no_frame_can_hold_is_refused(header: dict[str, Any], columns: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode_frame(header, columns)
    assert caught.value.code == "malformed_message"


def test_a_frame_that_promises_much_takes_no_memory() -> None:
    (data,) = [(FOLDER / f"{name}.frame").read_bytes() for name in ("shape_huge",)]
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput):
            decode_frame(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_deep_nesting_is_refused() -> None:
    text = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b',"arrays":[]}'
    data = len(text).to_bytes(4, "little") + text
    with pytest.raises(InvalidInput) as caught:
        decode_frame(data + bytes(-len(data) % 8))
    assert caught.value.code == "malformed_message"


@pytest.mark.parametrize(
    "text", [b'{"a":1,"a":2,"arrays":[]}', b'{"a":"\\ud800","arrays":[]}', b'{"a":1e999,"arrays":[]}']
)
def test_what_readers_understand_differently_is_refused(text: bytes) -> None:
    data = len(text).to_bytes(4, "little") + text
    with pytest.raises(InvalidInput) as caught:
        decode_frame(data + bytes(-len(data) % 8))
    assert caught.value.code == "malformed_message"


def test_frames_and_the_wire_need_no_package_for_json() -> None:
    script = (
        "import sys\n"
        "sys.modules['msgspec'] = None\n"
        "import engram.wire, engram.wire.frames, engram.wire.forms, engram.wire.forms.failures\n"
        "print('google' in sys.modules, 'grpc' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]
