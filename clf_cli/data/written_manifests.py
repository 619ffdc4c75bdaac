"""Manifests that clf writes: JSON lines beside the data, whose first line says which folder their paths start from."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clf_cli.data.samples import Sample, printable
from clf_cli.errors import DataError, UsageError
from clf_cli.files import write_text

LONGEST = 1 << 16  # bytes of a first line; a longer one is a row


@dataclass(frozen=True)
class Header:
    """The first line of a manifest: `{"root": "../jerseys", "made": {"by": "clf split", "seed": 0}}`."""

    root: Path  # resolved; every path of the manifest is relative to it
    made: Mapping[str, Any]  # the command and its settings; empty when a person wrote the line


def read_header(manifest: Path) -> Header | None:
    """None when the first line is a row like any other, or cannot be read: reading the rows then says why.

    Raises DataError when the folder that it names is not there.
    """
    try:
        with manifest.open("rb") as file:
            first = json.loads(file.readline(LONGEST).removeprefix(b"\xef\xbb\xbf").decode())
    except (OSError, ValueError, RecursionError):
        return None
    if not is_header(first):
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
    made = first.get("made")
    return Header(root, made if isinstance(made, dict) else {})


def is_header(row: object) -> bool:
    """Whether a line names the folder of all rows, and no image."""
    return isinstance(row, dict) and isinstance(row.get("root"), str) and not {"image", "path"} & row.keys()


def folder_of_manifest(manifest: Path) -> Path:
    """The resolved folder that its paths are relative to: the one of its first line, else its own."""
    header = read_header(manifest) if manifest.suffix.lower() == ".jsonl" else None
    return header.root if header else manifest.resolve().parent


def check_manifest_out(out: Path, root: Path) -> None:
    """Raises UsageError (exit 2) where `out` lies in the data folder `root`, or is a file that clf did not write."""
    if out.suffix.lower() != ".jsonl":
        raise UsageError(f"--out {out}: a manifest of JSON lines ends in .jsonl.", f"Say --out {out}.jsonl.")
    if out.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{out} lies in the data folder {root}, and nothing is ever written into one.",
            "Name a file elsewhere with --out: its first line will say where the data lie.",
        )
    if out.is_dir() or (out.exists() and not made_by_clf(out)):
        raise UsageError(f"{out} exists, and clf did not write it.", "Name another file with --out.")


def made_by_clf(manifest: Path) -> bool:
    header = read_header(manifest)
    return header is not None and str(header.made.get("by", "")).startswith("clf ")


def write_manifest(out: Path, root: Path, samples: Iterable[Sample], made: Mapping[str, Any]) -> None:
    """One line for each row, with every key that it has; `root` is the folder that their paths are relative to.

    Raises RunError (exit 6) when it cannot be written.
    """
    header = {"root": _from(out, root), "made": made}
    lines = (json.dumps(line, ensure_ascii=False) for line in (header, *map(_line, samples)))
    write_text(out, "".join(f"{line}\n" for line in lines))


def _line(sample: Sample) -> dict[str, Any]:
    own = {"image": sample.path, "label": sample.label, "split": sample.split, "group": sample.group}
    return {**{key: value for key, value in own.items() if value is not None}, **sample.metadata}


def _from(out: Path, root: Path) -> str:
    """`root` as the folder of `out` sees it: in the words of the command line where they lead there, else resolved."""
    folder = out.parent.resolve()
    ways = ((Path(os.path.abspath(root)), Path(os.path.abspath(out.parent))), (root.resolve(), folder))  # noqa: PTH100 - `resolve` would follow links, and lose those words
    for target, start in ways:
        try:
            near = Path(os.path.relpath(target, start))
        except ValueError:  # another drive
            continue
        if (folder / near).resolve() == root.resolve():
            return near.as_posix()
    return root.resolve().as_posix()
