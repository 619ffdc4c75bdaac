"""Tensors that an ONNX file keeps in other files: found before ONNX Runtime follows their paths.

The protobuf's messages are walked over the mapped file, values skipped, so a gigabyte of weights costs nothing.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clf_cli.errors import ModelError

# The messages of onnx.proto in which a tensor can stand: the number of a field, and what lies in it.
_MESSAGES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_PLACE, _LOCATION = 13, 14  # of a tensor: external_data, its entries of key (1) and value (2); data_location
_OUTSIDE = 1  # data_location EXTERNAL
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types
Field = tuple[int, int, int, int]  # number, its varint's value (else 0), start and end of its bytes


@dataclass(frozen=True)
class OutsideTensor:
    """`location` as the file says it; `end` is the least size of that file in bytes."""

    location: str
    end: int


def check_outside(path: Path) -> None:
    """Raises ModelError (exit 4) where the file keeps weights anywhere but in a whole `<name>.data` beside it, or is no
    protobuf to its end."""
    try:
        tensors = list(outside_tensors(path))
    except ValueError as error:
        raise not_onnx(path) from error
    ours = path.with_name(f"{path.name}.data")
    for tensor in tensors:
        if tensor.location != ours.name:
            raise ModelError(
                f"{path} keeps weights outside itself, in {tensor.location!r}: clf reads no such file.",
                "Ship one file: `onnx.save(onnx.load(OLD), NEW)` in Python puts the weights inside.",
            )
        if not ours.is_file() or ours.resolve().parent != path.resolve().parent:
            raise ModelError(
                f"{path} keeps its weights in {ours.name}, which does not lie beside it.",
                f"Copy {ours.name} too, or ship one file.",
            )
        size = ours.stat().st_size
        if size < tensor.end:
            raise ModelError(
                f"{ours} is cut short: {size:,} bytes, {path.name} needs {tensor.end:,}.", "Copy both files again."
            )


def not_onnx(path: Path) -> ModelError:
    """For a file that is none; the size often says why."""
    size = path.stat().st_size
    if path.suffix.lower() in (".ckpt", ".pt", ".pth", ".safetensors"):
        return ModelError(f"{path} is a checkpoint, not an ONNX file.", f"`clf export {path}` makes one of it.")
    return ModelError(
        f"{path} is not an ONNX file, or it is cut short ({size:,} bytes).",
        "Copy it again, or export it again with `clf export CHECKPOINT -o FILE`.",
    )


def outside_tensors(path: Path) -> Iterator[OutsideTensor]:
    """Every tensor of the file that lies in another one. Raises ValueError for what is not a whole protobuf."""
    for message in messages(path):
        if message.kind == "Tensor" and any(
            number == _LOCATION and value == _OUTSIDE for number, value, _, _ in message.fields
        ):
            yield _outside(message.content, message.fields)


@dataclass(frozen=True)
class Message:
    """One message of the file: `graphs` around it, and its fields as places in `content`."""

    kind: str
    graphs: int
    fields: list[Field]
    content: mmap.mmap

    def texts(self, number: int) -> Iterator[str]:
        """The values of a field of text. Raises ValueError for what is no UTF-8."""
        for one, _, start, end in self.fields:
            if one == number:
                yield self.content[start:end].decode()


def messages(path: Path) -> Iterator[Message]:
    """Every message in which a tensor can stand, and every tensor. Raises ValueError for what is no whole protobuf."""
    if path.stat().st_size == 0:
        raise ValueError("it is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        waiting = [("Model", 0, 0, len(content))]  # a stack of our own: messages may nest deeper than Python calls
        while waiting:
            kind, graphs, start, end = waiting.pop()
            found = list(fields(content, start, end))
            inner = graphs + (kind == "Graph")
            waiting += [
                (_MESSAGES[kind][number], inner, first, last)
                for number, _, first, last in found
                if number in _MESSAGES[kind]
            ]
            yield Message(kind, graphs, found, content)


def _outside(content: mmap.mmap, own: list[Field]) -> OutsideTensor:
    place = {}
    for number, _, start, end in own:
        if number == _PLACE:
            entry = {one: content[first:last].decode() for one, _, first, last in fields(content, start, end)}
            place[entry.get(1, "")] = entry.get(2, "")
    return OutsideTensor(place.get("location", ""), int(place.get("offset", 0)) + int(place.get("length", 0)))


def fields(content: mmap.mmap, start: int, end: int) -> Iterator[Field]:
    """The fields of the message at these bytes. Raises ValueError where they are no message."""
    while start < end:
        tag, start = (content[start], start + 1) if content[start] < 0x80 else varint(content, start, end)
        number, wire, value = tag >> 3, tag & 7, 0
        if wire == _BYTES:
            length, start = varint(content, start, end)
            last = start + length
        elif wire == _VARINT:
            value, last = varint(content, start, end)
        elif wire in (_FIXED32, _FIXED64):
            last = start + (4 if wire == _FIXED32 else 8)
        else:
            raise ValueError(f"wire type {wire}")
        if last > end or number == 0:
            raise ValueError("a field goes beyond its message")
        yield number, value, start, last
        start = last


def varint(content: mmap.mmap, start: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for position in range(start, min(end, start + 10)):
        byte = content[position]
        value |= (byte & 0x7F) << 7 * (position - start)
        if byte < 0x80:
            return value, position + 1
    raise ValueError("a number without an end")


def varint_bytes(value: int) -> bytes:
    """What `varint` reads."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
