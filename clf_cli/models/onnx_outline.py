"""An ONNX file without the numbers of its weights: all that ONNX's checker looks at, in a hundredth of the bytes."""

import math
import mmap
from collections.abc import Iterator
from pathlib import Path

from clf_cli.models.onnx_outside import Field, fields, varint, varint_bytes

_GRAPH, _INITIALIZER = 7, 5  # fields of the model and of its graph in onnx.proto
_DIMS, _TYPE, _RAW = 1, 2, 9  # of a tensor
_USUAL = {_DIMS, _TYPE, _RAW, 8, 12}  # and its name and description
_BYTES = 2  # protobuf's wire type
_WIDTHS = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8}  # bytes of a number, by TensorProto.DataType
_LARGE = 1024  # bytes of a tensor; smaller ones stay as they are


def outline(path: Path) -> bytes:
    """The file with one number of each large initialiser whose bytes are as many as its type and shape say. What is
    not plainly so, and all else, stands in it byte by byte.

    Raises ValueError for what is no whole protobuf.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return b"".join(_outlined(content, 0, len(content), _GRAPH))


def _outlined(content: mmap.mmap, start: int, end: int, inside: int) -> Iterator[bytes]:
    copied = start  # all before it is given
    for number, _, first, last in fields(content, start, end):
        if number == inside and content[start] == number << 3 | _BYTES:
            if inside == _GRAPH:
                inner = b"".join(_outlined(content, first, last, _INITIALIZER))
            else:
                inner = _one_number(content, first, last) if last - first > _LARGE else b""
            if inner:
                yield content[copied:start] + content[start : start + 1] + varint_bytes(len(inner)) + inner
                copied = last
        start = last
    yield content[copied:end]


def _one_number(content: mmap.mmap, start: int, end: int) -> bytes:
    """The tensor at these bytes as a scalar of its first number; empty where its bytes are not what it says."""
    own = list(fields(content, start, end))
    types = [value for number, value, _, _ in own if number == _TYPE]
    raw = [(first, last) for number, _, first, last in own if number == _RAW]
    width = _WIDTHS.get(types[0], 0) if len(types) == 1 else 0
    sides = list(_sides(content, own))
    unusual = any(number not in _USUAL for number, _, _, _ in own)
    if unusual or not width or len(raw) != 1 or any(side >= 1 << 31 for side in sides):
        return b""
    ((first, last),) = raw
    if last - first < _LARGE // 2 or last - first != math.prod(sides) * width:
        return b""
    kept = b"".join(content[begin:stop] for number, begin, stop in _spans(own, start) if number not in (_DIMS, _RAW))
    return kept + bytes([_RAW << 3 | _BYTES, width]) + content[first : first + width]


def _spans(own: list[Field], start: int) -> Iterator[tuple[int, int, int]]:
    """Number, first and last byte of each field, its tag included."""
    for number, _, _, last in own:
        yield number, start, last
        start = last


def _sides(content: mmap.mmap, own: list[Field]) -> Iterator[int]:
    """They stand in fields of their own, or all of them in one."""
    for number, _, start, end in own:
        place = start
        while number == _DIMS and place < end:
            side, place = varint(content, place, end)
            yield side
