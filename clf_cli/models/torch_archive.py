"""What a zip file of torch.save says that it holds, checked against its bytes before torch reads it.

torch 2.15 checks neither: a storage that is shorter than its pickle says is filled up with the bytes behind it, a
compressed one is taken as it lies there, and a compressed pickle is inflated whatever its size.
"""

import io
import mmap
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar

import torch
from torch import Tensor

MOST_ENTRIES = 1 << 18
MOST_PICKLE = 1 << 26  # bytes; a network of a thousand layers with its optimiser has a hundredth
_PICKLE = "data.pkl"
_LOCAL_HEADER = 30  # bytes before an entry's name
_LEGACY = 5  # pickles: magic number, protocol, system, the data, the keys of the storages in their order
_LONGEST = 500  # letters of a name


def check_archive(path: Path) -> None:
    """Raises ValueError, in words, where the archive is compressed, its entries overlap or repeat, or a storage has
    fewer bytes than the pickle says; zipfile.BadZipFile and pickle's errors for what is none."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check_entries(entries, path.stat().st_size)
        pickled = next(entry for entry in entries if entry.filename.endswith(f"/{_PICKLE}"))
        folder = pickled.filename.removesuffix(_PICKLE)
        sizes = {entry.filename.removeprefix(folder): entry.file_size for entry in entries}
        storages = _Outline.of(io.BytesIO(archive.read(pickled)))
    for key, size in storages.items():
        if size > sizes.get(f"data/{key}", 0):
            raise ValueError(f"storage {key!r} should have {size:,} bytes, it has {sizes.get(f'data/{key}', 0):,}")


def check_legacy(path: Path) -> None:
    """The same of a file in torch's format before 1.6: five pickles, then the storages one after another."""
    size = path.stat().st_size
    storages: dict[str, int] = {}
    # Mapped, it gives as many bytes as there are; an open file first takes memory for as many as are asked for.
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        suppress(EOFError),  # torch says what is missing
    ):
        for _ in range(_LEGACY):
            storages |= _Outline.of(content)
    if sum(storages.values()) > size:
        raise ValueError(f"its storages should have {sum(storages.values()):,} bytes")


def check_tensors(data: Any) -> None:
    """Raises ValueError for a tensor that is sparse or quantised, or has more numbers than its storage."""
    waiting = [data]
    seen: set[int] = set()  # a pickle may hold itself
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            dense = value.layout is torch.strided and not value.is_quantized and value.device.type == "cpu"
            if not dense or value.numel() * value.element_size() > value.untyped_storage().nbytes():
                raise ValueError(f"a tensor of shape {list(value.shape)} is not stored number by number")
        elif isinstance(value, dict | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value, *value.values()] if isinstance(value, dict) else value


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    names = {entry.filename for entry in entries}
    roots = {name.partition("/")[0] for name in names}
    pickles = [entry for entry in entries if entry.filename.endswith(f"/{_PICKLE}")]
    if len(pickles) != 1 or len(roots) != 1 or len(names) != len(entries) or len(entries) > MOST_ENTRIES:
        raise ValueError("it is a zip file, but not one of torch.save")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise ValueError(
            "its entries are compressed, and torch writes none such; unpack it and save it again with torch"
        )
    if pickles[0].file_size > MOST_PICKLE:
        raise ValueError(f"its pickle has {pickles[0].file_size:,} bytes")
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end or entry.file_size != entry.compress_size:
            raise ValueError("its entries lie on top of each other")
        end = entry.header_offset + _LOCAL_HEADER + len(entry.filename) + entry.file_size
    if end > size:
        raise ValueError("an entry goes beyond its end")


class _Inert:
    """Stands for every class and function that a pickle names: it can be called and filled, and does nothing."""

    name = ""

    def __new__(cls, *_: Any, **__: Any) -> "_Inert":
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def __setstate__(self, state: Any) -> None: ...
    def append(self, _: Any) -> None: ...
    def extend(self, _: Any) -> None: ...
    def add(self, _: Any) -> None: ...


class _Outline(pickle._Unpickler):
    """Runs nothing and makes no tensor. In C it would take memory for any number of a memo."""

    # bytearray(n) takes n bytes before it reads them, and torch knows no such opcode.
    dispatch: ClassVar = {key: read for key, read in pickle._Unpickler.dispatch.items() if key != pickle.BYTEARRAY8[0]}

    def __init__(self, file: IO[bytes] | mmap.mmap) -> None:
        super().__init__(file)
        self.storages: dict[str, int] = {}

    @classmethod
    def of(cls, file: IO[bytes] | mmap.mmap) -> dict[str, int]:
        """Keys of the storages that the pickle at the place of `file` names, with the bytes that each should have."""
        outline = cls(file)
        try:
            outline.load()
        except KeyError as error:
            raise ValueError(f"its pickle has a step that torch does not write ({error})") from error
        return outline.storages

    def find_class(self, module_name: str, global_name: str) -> Any:
        if len(module_name) + len(global_name) > _LONGEST:  # torch's search of its own message takes the square of it
            raise ValueError(f"its pickle names a class of {len(module_name) + len(global_name):,} letters")
        return type(global_name, (_Inert,), {"name": f"{module_name}.{global_name}"})

    def persistent_load(self, pid: Any) -> Any:
        kind, storage, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(key, str) or len(key) > _LONGEST or type(count) is not int or count < 0:
            raise ValueError("its pickle names a storage in no way of torch's")
        self.storages[key] = max(self.storages.get(key, 0), count * _item_size(storage))
        return _Inert()


def _item_size(storage: Any) -> int:
    module, _, name = getattr(storage, "name", "").rpartition(".")
    if name == "UntypedStorage":
        return 1
    dtype = getattr(getattr(torch, name, None), "dtype", None) if module == "torch" else None
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"its pickle names the storage type {name!r}")
    return dtype.itemsize
