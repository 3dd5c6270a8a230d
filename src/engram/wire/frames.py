"""Binary frames: one JSON object, and behind it columns of numbers that are read where they lie.

The layout is part of the contract with clients, ``docs/websocket.md``. A frame is what WebSocket sends as one binary
message, and HTTP as a body of type ``application/vnd.engram.frame``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.wire.forms.strict_json import parse_object, refuse

ARRAYS_MAX: Final = 16
_DIMENSIONS_MAX: Final = 2
# NumPy refuses larger sizes, even of an array without elements.
_SIZE_MAX: Final = 2**31 - 1
_NAME_CHARACTERS_MAX: Final = 64
ALIGNMENT: Final = 8
"""Every array starts at a multiple of this, so that a reader needs no copy to look at its numbers."""
_LENGTH_BYTES: Final = 4
_ARRAYS: Final = "arrays"
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "f4": np.dtype("<f4"),
    "f8": np.dtype("<f8"),
    "i8": np.dtype("<i8"),
    "u1": np.dtype("u1"),
}
_TYPE_NAMES: Final = {dtype: name for name, dtype in _DTYPES.items()}


class Frame(NamedTuple):
    """The content of one frame.

    Parameters
    ----------
    header
        The JSON object, without its field ``arrays``.
    arrays
        float32, float64, int64 or uint8, of one or two dimensions, by name; read-only views of the frame where its
        place in memory allows it.
    """

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def decode_frame(frame: bytes | bytearray | memoryview) -> Frame:
    """Return the content of `frame`.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if the bytes are no frame.
    """
    text, start = split_frame(frame)
    header = parse_object(text, "the header of the frame")
    described = header.pop(_ARRAYS, None)
    arrays = read_arrays(frame, start, described)
    both = next((name for name in arrays if name in header), None)
    if both is not None:
        refuse(f"the array {both!r} is also a field of the header", _ARRAYS, "a name of its own", both)
    return Frame(header, arrays)


def encode_frame(
    header: Mapping[str, object],
    arrays: Mapping[str, NDArray[Any]],
    encode: Callable[[Mapping[str, object]], bytes] | None = None,
) -> bytes:
    """Return the frame with this content.

    Parameters
    ----------
    header
        The fields of the message, without those in `arrays`.
    arrays
        float32, float64, int64 or uint8, of one or two dimensions, by name.
    encode
        Makes JSON of the header; None for that of the standard library.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if `arrays` cannot be sent as such.
    """
    return b"".join(_parts(header, arrays, encode))


def encode_packed_frame(
    header: Mapping[str, object],
    described: Sequence[tuple[str, str, Sequence[int]]],
    packed: bytes,
    encode: Callable[[Mapping[str, object]], bytes],
) -> bytes:
    """Return the frame whose arrays lie in `packed` already, as they do in a frame: little-endian, each at its place.

    Parameters
    ----------
    header
        The fields of the message, without the arrays.
    described
        Name, type and shape of each array, as the field ``arrays`` has them.
    packed
        The arrays, each at a multiple of 8 bytes.
    encode
        Makes JSON of the header.
    """
    text = encode({**header, _ARRAYS: described})
    end = _LENGTH_BYTES + len(text)
    return b"".join((len(text).to_bytes(_LENGTH_BYTES, "little"), text, bytes(-end % ALIGNMENT), packed))


def encode_frame_in_place(
    header: Mapping[str, object],
    arrays: Mapping[str, NDArray[Any]],
    encode: Callable[[Mapping[str, object]], bytes] | None = None,
) -> bytearray:
    """Return the same as `encode_frame`, as bytes that can be changed. Raises as `encode_frame`."""
    return bytearray().join(_parts(header, arrays, encode))


def _parts(
    header: Mapping[str, object],
    arrays: Mapping[str, NDArray[Any]],
    encode: Callable[[Mapping[str, object]], bytes] | None,
) -> list[bytes | memoryview]:
    described = [_describe(name, array, header) for name, array in arrays.items()]
    if len(described) > ARRAYS_MAX:
        refuse(f"{len(described)} arrays are too many", _ARRAYS, ARRAYS_MAX, len(described))
    text = (encode or _dump)({**header, _ARRAYS: described})
    parts: list[bytes | memoryview] = [len(text).to_bytes(_LENGTH_BYTES, "little"), text]
    end = _LENGTH_BYTES + len(text)
    for body in (b"", *map(_little_endian, arrays.values())):
        padding = bytes(-end % ALIGNMENT)
        parts += (padding, body)
        end += len(padding) + len(body)
    return parts


def type_name(dtype: np.dtype[Any]) -> str | None:
    """Return what a frame calls a type of numbers; None if it has none of it."""
    return _TYPE_NAMES.get(dtype) or _TYPE_NAMES.get(dtype.newbyteorder("<"))


def split_frame(frame: bytes | bytearray | memoryview) -> tuple[memoryview, int]:
    """Return the bytes of the header of `frame`, and where its first array starts.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if the frame is too short for what it says.
    """
    view = memoryview(frame)
    length = len(view)
    if length < _LENGTH_BYTES:
        refuse(f"a frame of {length} bytes has no header", "frame", f"at least {_LENGTH_BYTES} bytes", length)
    header_end = _LENGTH_BYTES + int.from_bytes(view[:_LENGTH_BYTES], "little")
    start = header_end + -header_end % ALIGNMENT
    if start > length:
        refuse(f"the header ends at byte {start} of a frame of {length} bytes", "header", f"{length} bytes", start)
    _check_padding(view, header_end, start)
    return view[_LENGTH_BYTES:header_end], start


def read_arrays(frame: bytes | bytearray | memoryview, start: int, described: object) -> dict[str, NDArray[Any]]:
    """Return the arrays of a frame by name, as views of `frame` where its place in memory allows it.

    Parameters
    ----------
    frame
        The frame.
    start
        Where the first array starts, as `split_frame` returns it.
    described
        The field ``arrays`` of the header.

    Raises
    ------
    InvalidInput
        With code ``malformed_message``, if the frame does not hold exactly these arrays.
    """
    # What is read is not changed.
    view = memoryview(frame).toreadonly()
    if not isinstance(described, list | tuple):
        refuse("the header of a frame names its arrays", _ARRAYS, '[["vectors", "f4", [1, 8]]]', type(described))
    if len(described) > ARRAYS_MAX:
        refuse(f"{len(described)} arrays are too many", _ARRAYS, ARRAYS_MAX, len(described))
    arrays: dict[str, NDArray[Any]] = {}
    end = start
    for item in described:
        name, dtype, shape = _read_description(item)
        if name in arrays or name == _ARRAYS:
            refuse(f"the array {name!r} occurs twice", _ARRAYS, "a name of its own", name)
        first = end + -end % ALIGNMENT
        stop = first + (shape[0] if len(shape) == 1 else math.prod(shape)) * dtype.itemsize
        if stop > len(view):
            refuse(
                f"the array {name!r} ends at byte {stop} of a frame of {len(view)} bytes",
                name,
                f"{len(view)} bytes",
                stop,
            )
        if first != end:
            _check_padding(view, end, first)
        arrays[name] = _array(view[first:stop], dtype, shape)
        end = stop
    if end != len(view):
        refuse(f"{len(view) - end} bytes follow the last array", "frame", f"{end} bytes", len(view))
    return arrays


def _array(part: memoryview, dtype: np.dtype[Any], shape: list[int]) -> NDArray[Any]:
    array = np.frombuffer(part, dtype) if len(part) else np.empty(shape, dtype)
    if len(shape) > 1:
        array = array.reshape(shape)
    flags = array.flags
    # Nearly all arrays are used as they lie there, where nobody can change them.
    if flags.aligned and dtype.isnative and not flags.writeable:
        return array
    array = array.astype(dtype.newbyteorder("="))
    array.flags.writeable = False
    return array


def _read_description(item: object) -> tuple[str, np.dtype[Any], list[int]]:
    if not (isinstance(item, list | tuple) and len(item) == 3):
        refuse("an array is described by its name, type and shape", _ARRAYS, '["vectors", "f4", [1, 8]]', "")
    name, code, shape = item
    if not (isinstance(name, str) and 1 <= len(name) <= _NAME_CHARACTERS_MAX):
        refuse("an array has a short name", _ARRAYS, f"1..{_NAME_CHARACTERS_MAX} characters", type(name))
    dtype = _DTYPES.get(code) if isinstance(code, str) else None
    if dtype is None:
        refuse(f"the array {name!r} has no type that is known", name, ", ".join(_DTYPES), str(code)[:40])
    if not (isinstance(shape, list | tuple) and 1 <= len(shape) <= _DIMENSIONS_MAX and all(map(_is_size, shape))):
        refuse(f"the array {name!r} has no shape", name, "one or two whole numbers", str(shape)[:40])
    return name, dtype, list(shape)


def _is_size(number: object) -> bool:
    return type(number) is int and 0 <= number <= _SIZE_MAX


def _check_padding(view: memoryview, start: int, stop: int) -> None:
    if start != stop and any(view[start:stop]):
        refuse(f"the bytes between {start} and {stop} only fill up; they are 0", "frame", 0, "another value")


def _describe(name: str, array: NDArray[Any], header: Mapping[str, object]) -> tuple[str, str, list[int]]:
    code = type_name(array.dtype)
    if code is None or not 1 <= array.ndim <= _DIMENSIONS_MAX:
        refuse(
            f"the array {name!r} of {array.dtype} and {array.ndim} dimensions cannot be sent",
            name,
            f"{', '.join(_DTYPES)} of one or two dimensions",
            array.dtype,
        )
    if name in header or name == _ARRAYS or not 1 <= len(name) <= _NAME_CHARACTERS_MAX:
        refuse(f"{name!r} cannot be the name of an array here", _ARRAYS, "a short name of its own", name[:64])
    return name, code, list(array.shape)


def _little_endian(array: NDArray[Any]) -> bytes | memoryview:
    """Return the bytes of an array, which are copied only if they do not lie one after the other."""
    if array.dtype not in _TYPE_NAMES:
        array = array.astype(array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(array).reshape(-1).data.cast("B") if array.size else b""


def _dump(header: Mapping[str, object]) -> bytes:
    return json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
