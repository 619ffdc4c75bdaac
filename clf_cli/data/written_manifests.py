"""Manifests that clf writes: JSON lines beside the data, whose first line says which folder their paths start from."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clf_cli.data.samples import Sample, is_unicode, printable
from clf_cli.errors import DataError, UsageError
from clf_cli.files import write_text

LONGEST = 1 << 16  # bytes of a first line; a longer one is a row


@dataclass(frozen=True)
class Header:
    """The first line of a manifest: `{"root": "../jerseys", "made": {"by": "clf split", "seed": 0}}`."""

    root: Path  # resolved; every path of the manifest is relative to it
    named: Path  # the same folder in the words of the line
    made: Mapping[str, Any]  # the command and its settings; empty when a person wrote the line


def read_header(manifest: Path) -> Header | None:
    """None when the first line is a row like any other, or cannot be read: reading the rows then says why.

    Raises DataError when the folder that it names is not there.
    """
    first = _first_line(manifest)
    if first is None:
        return None
    try:
        root = (manifest.resolve().parent / first["root"]).resolve()
        found = root.is_dir()
    except (OSError, ValueError, RuntimeError):  # a null character, a loop of links
        found = False
    if not found:
        raise DataError(
            f"The data of {manifest} are not there: no folder {printable(first['root'])}.",
            'Correct "root" on its first line.',
        )
    return Header(root, manifest.parent / first["root"], _made(first))


def is_header(row: object) -> bool:
    """Whether a line names the folder of all rows, and no image."""
    return isinstance(row, dict) and isinstance(row.get("root"), str) and not {"image", "path"} & row.keys()


def folder_of(data: Path) -> Path:
    """The resolved folder that the paths of `data`, a folder or a manifest, are relative to."""
    return _folder(data)[0]


def in_data_folder(file: Path, data: Path) -> bool:
    """Whether `file` lies where nothing is written: in the folder of `data`, unless that holds the manifest `data` too.

    Such a folder holds other things than data: the project, say.
    """
    folder = folder_of(data)
    return file.resolve().is_relative_to(folder) and not (data.is_file() and data.resolve().is_relative_to(folder))


def check_manifest_out(out: Path, data: Path, by: str) -> None:
    """Raises UsageError (exit 2) where `out` may not be written: it is `data`, in its folder, or not made by `by`."""
    if out.suffix.lower() != ".jsonl":
        raise UsageError(f"--out {out}: a manifest of JSON lines ends in .jsonl.", f"Say --out {out}.jsonl.")
    if out.resolve() == data.expanduser().resolve():
        raise UsageError(f"{out} is the data itself, and clf never changes data.", "Name another file with --out.")
    if in_data_folder(out, data):
        raise UsageError(
            f"{out} lies in the data folder {folder_of(data)}, and nothing is ever written into one.",
            "Name a file elsewhere with --out: its first line will say where the data lie.",
        )
    if out.exists() and not (out.is_file() and made_by(out) == by):
        raise UsageError(f"{out} exists, and {by} did not write it.", "Name another file with --out.")


def made_by(manifest: Path) -> str | None:
    """The command that wrote it, such as `clf split`; None where no first line says so."""
    command = _made(_first_line(manifest) or {}).get("by")
    return command if isinstance(command, str) else None


def _first_line(manifest: Path) -> dict[str, Any] | None:
    """None when it names no folder, or cannot be read."""
    try:
        with manifest.open("rb") as file:
            first = json.loads(file.readline(LONGEST).removeprefix(b"\xef\xbb\xbf").decode())
    except (OSError, ValueError, RecursionError):
        return None
    return first if is_header(first) else None


def _made(first: Mapping[str, Any]) -> Mapping[str, Any]:
    made = first.get("made")
    return made if isinstance(made, dict) else {}


def write_manifest(out: Path, data: Path, samples: Iterable[Sample], made: Mapping[str, Any]) -> None:
    """One line for each row, with every key that it has; their paths are relative to the folder of `data`.

    Raises RunError (exit 6) when it cannot be written.
    """
    lines = (_json(line) for line in ({"root": _from(out, data), "made": made}, *map(_line, samples)))
    write_text(out, "".join(f"{line}\n" for line in lines))


def _folder(data: Path) -> tuple[Path, Path]:
    """The folder that the paths of a folder or manifest start from: resolved, and in the words that name it."""
    data = data.expanduser()
    if not os.path.isfile(data):  # noqa: PTH113 - Path.is_file raises where the path is too long or may not be entered
        return data.resolve(), data
    header = read_header(data) if data.suffix.lower() == ".jsonl" else None
    return (header.root, header.named) if header else (data.resolve().parent, data.parent)


def _json(line: Mapping[str, Any]) -> str:
    text = json.dumps(line, ensure_ascii=False)
    return text if is_unicode(text) else json.dumps(line)


def _line(sample: Sample) -> dict[str, Any]:
    own = {"image": sample.path, "label": sample.label, "split": sample.split, "group": sample.group}
    return {**{key: value for key, value in own.items() if value is not None}, **sample.metadata}


def _from(out: Path, data: Path) -> str:
    """The folder of `data` as that of `out` sees it: in the words that name it where they lead there, else resolved."""
    root, named = _folder(data)
    folder = out.parent.resolve()
    words = (Path(os.path.abspath(named)), Path(os.path.abspath(out.parent)))  # noqa: PTH100 - `resolve` loses the words
    for target, start in (words, (root, folder)):
        try:
            near = Path(os.path.relpath(target, start))
        except ValueError:  # another drive
            continue
        if (folder / near).resolve() == root:
            return near.as_posix()
    return root.as_posix()
