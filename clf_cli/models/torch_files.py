"""Files of torch and safetensors: read without ever running what is in them, written whole or not at all."""

import contextlib
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import safetensors.torch
import torch

from clf_cli.errors import ModelError, first_line
from clf_cli.files import unwritable, write_atomic
from clf_cli.models.torch_archive import check_archive, check_legacy, check_tensors

AHEAD = 2**25  # bytes
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
_KINDS = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"GIF8": "a GIF image",
    b"RIFF": "a WebP image or a sound",
    b"\x1f\x8b": "a gzip archive",
    b"\xfd7zXZ": "an xz archive",
    b"BZh": "a bzip2 archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x08": "an ONNX file",
}


def load_torch(path: Path, what: str, mapped: bool = True) -> Any:
    """The plain data and CPU tensors in a file of torch.save, memory-mapped where its format allows and `mapped` is
    left.

    Always `weights_only=True`: a pickle that names any other class or function is refused and nothing of it runs.
    `what` names the file's purpose in errors. Raises ModelError (exit 4), mostly without a hint, for a file that is
    missing, empty, cut short, of another kind, an archive that inflates, or that asks to run code.
    """
    start = read_start(path, what)
    is_zip = start.startswith(ZIP)
    if not start.startswith((ZIP, PICKLE)):
        raise ModelError(f"{path} is not a {what}: it is {kind_of(start)}.")
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's, of storages and of sparse tensors
            (check_archive if is_zip else check_legacy)(path)
            data = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip and mapped)
        check_tensors(data)
    except pickle.UnpicklingError as error:
        raise _refusal(path, what, error) from error
    except zipfile.BadZipFile as error:
        raise ModelError(f"{path} is cut short: {path.stat().st_size} bytes, without its end.") from error
    except Exception as error:  # on broken bytes unpicklers raise nearly anything; each is a reason
        raise ModelError(f"{path} is not a whole {what} ({path.stat().st_size} bytes): {first_line(error)}") from error
    return data


def save_torch(data: dict[str, Any], path: Path, before: Callable[[], object] | None = None) -> None:
    """Through a temporary file in the same folder; `before` is called once that is whole.

    Raises UnwritableError (exit 6) when it cannot; the old file stays.
    """
    try:
        write_atomic(path, lambda file: torch.save(data, cast(IO[bytes], _Ahead(file))), before)
    except RuntimeError as error:  # torch's zip writer turns a full disk into one, in words about positions
        cause = error.__context__
        raise unwritable(path, cause if isinstance(cause, OSError) else error) from error


class _Ahead:
    """A file that the system begins to bring to the disk while the rest of it is made: fsync then waits less."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = self._begun = 0

    def write(self, content: bytes) -> int:
        written = self._file.write(content)
        self._size += written
        if self._size - self._begun >= AHEAD and hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):  # advice; fsync tells what goes wrong
                os.posix_fadvise(self._file.fileno(), self._begun, self._size - self._begun, os.POSIX_FADV_DONTNEED)
            self._begun = self._size
        return written

    def flush(self) -> None:
        self._file.flush()


def load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Raises ModelError (exit 4) when the file is cut short or not safetensors."""
    try:
        return safetensors.torch.load_file(path, device="cpu")
    except Exception as error:  # unknown dtypes and shapes beyond its bytes come as several kinds
        size = path.stat().st_size
        raise ModelError(f"{path} is not a whole safetensors file ({size} bytes): {first_line(error)}") from error


def read_start(path: Path, what: str) -> bytes:
    """The first 16 bytes. Raises ModelError (exit 4) when there is no such file or nothing in it."""
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a {what}.")
    if path.exists() and not path.is_file():  # opening a pipe would wait forever
        raise ModelError(f"{path} is no regular file, so it is no {what}.")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError as error:
        raise ModelError(f"There is no {what} {path}.") from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror}.") from error
    if not start:
        raise ModelError(f"{path} is empty (0 bytes), not a {what}.")
    return start


def is_safetensors(start: bytes) -> bool:
    """A header length (8 bytes, little endian), then a JSON object."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**32


def kind_of(start: bytes) -> str:
    """What a file is, by its first bytes, in words."""
    if is_safetensors(start):
        return "a safetensors file"
    return next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), "neither torch's nor safetensors'")


def is_whole(path: Path) -> bool:
    """Whether a file of torch.save has its end: its index is there and names its pickle."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _refusal(path: Path, what: str, error: pickle.UnpicklingError) -> ModelError:
    names = _unsafe_names(path, error)
    if not names:
        return ModelError(f"{path} is not a whole {what} ({path.stat().st_size} bytes).")
    return ModelError(
        f"{path} was refused and nothing in it was run: it asks for {', '.join(names)}, "
        f"which a {what} of plain data and tensors does not need.",
        "If you trust its author, load it with torch yourself and save only its state_dict, as safetensors.",
    )


def _unsafe_names(path: Path, error: pickle.UnpicklingError) -> list[str]:
    if zipfile.is_zipfile(path):
        try:
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        except Exception:  # noqa: BLE001 - it reads the same broken bytes
            return []
    return re.findall(r"GLOBAL ([\w.]+)", str(error))
