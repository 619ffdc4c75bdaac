"""Reading JSON lines and CSV manifests; every bad line becomes a finding with its file and line."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from clf_cli.data.samples import ALIASES, Finding, Sample, printable
from clf_cli.data.written_manifests import is_header

_BOM = b"\xef\xbb\xbf"
_IMAGE_KEYS = ("image", "path")
_LABEL_KEYS = ("label", "suffix")
_OWN_KEYS = frozenset({*_IMAGE_KEYS, *_LABEL_KEYS, "split", "group"})
_TYPES = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


class RowError(Exception):
    """A manifest line that cannot be used; the text is the reason, `code` the kind of finding."""

    def __init__(self, reason: str, code: str = "CLF204") -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Manifest:
    """A manifest file; `split` is the one that its place says, None when its rows may say one."""

    root: Path  # resolved
    path: Path
    split: str | None
    rooted: bool = False  # its first line names the root, and its paths start there, not at its own folder

    @property
    def name(self) -> str:
        return os.path.relpath(self.path, self.root).replace(os.sep, "/")

    @property
    def folder(self) -> Path:
        return self.root if self.rooted else self.path.parent


def read_manifest(manifest: Manifest) -> tuple[list[Sample], list[Finding]]:
    """The rows that can be used, in the order of the file, and one finding per line that cannot."""
    samples: list[Sample] = []
    findings: list[Finding] = []
    try:
        data = manifest.path.read_bytes()
    except OSError as error:
        return [], [Finding.of("CLF205", manifest.name, f"cannot be read: {error.strerror}")]
    rows = _csv_rows(data) if manifest.path.suffix.lower() == ".csv" else _json_rows(data)
    name = manifest.name
    for line, row in rows:
        where = f"{name}:{line}"
        if line == 1 and is_header(row):
            if manifest.rooted:
                continue
            return [], [Finding.of("CLF204", where, "names the folder of its rows: name this manifest itself as data")]
        try:
            if isinstance(row, RowError):
                raise row
            samples.append(_sample(manifest, row, where))
        except RowError as error:
            findings.append(Finding.of(error.code, where, str(error)))
    return samples, findings


def _json_rows(data: bytes) -> Iterator[tuple[int, Mapping[str, Any] | RowError]]:
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), start=1):
        if line.strip():
            yield number, _json_row(line)


def _json_row(line: bytes) -> Mapping[str, Any] | RowError:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        return RowError("not UTF-8", "CLF201")
    except json.JSONDecodeError as error:
        return RowError(f"not JSON: {error.msg} at column {error.colno}", "CLF201")
    except (ValueError, RecursionError):  # numbers of thousands of digits, brackets thousands deep
        return RowError("not JSON that can be read", "CLF201")
    return row if isinstance(row, dict) else RowError("not a JSON object", "CLF201")


def _csv_rows(data: bytes) -> Iterator[tuple[int, Mapping[str, Any] | RowError]]:
    try:
        text = data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        yield data[: error.start].count(b"\n") + 1, RowError("not UTF-8", "CLF201")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [keys for keys in (_IMAGE_KEYS, _LABEL_KEYS) if not set(keys) & set(header)]
        if missing:
            names = " and ".join(" or ".join(keys) for keys in missing)
            yield 1, RowError(f"the header has no column {names}", "CLF202")
            return
        line = reader.line_num + 1
        for values in reader:
            if len(values) == len(header):
                yield line, dict(zip(header, values, strict=True))
            elif values:
                yield line, RowError(f"{len(values)} values for {len(header)} columns", "CLF201")
            line = reader.line_num + 1
    except csv.Error as error:
        yield line, RowError(f"not CSV: {error}", "CLF201")


def _sample(manifest: Manifest, row: Mapping[str, Any], where: str) -> Sample:
    return Sample(
        path=_path(manifest, row),
        label=_label(row),
        split=_split(manifest, row.get("split")),
        group=_group(row.get("group")),
        metadata={key: value for key, value in row.items() if key not in _OWN_KEYS},
        source=where,
    )


def _path(manifest: Manifest, row: Mapping[str, Any]) -> str:
    text = next((row[key] for key in _IMAGE_KEYS if key in row), None)
    if text is None:
        raise RowError('no "image" or "path"', "CLF202")
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise RowError(f"the image's path is {_described(text)}")
    _check_unicode(text, "path")
    joined = Path(os.path.normpath(manifest.folder / text))
    if not joined.is_relative_to(manifest.root):
        raise RowError(f"{printable(text)} leaves the data folder", "CLF111")
    name = PurePosixPath(joined.relative_to(manifest.root).as_posix())
    if not name.name:
        raise RowError(f"{printable(text)} is the data folder itself")
    return str(name)


def _label(row: Mapping[str, Any]) -> str:
    given = [row[key] for key in _LABEL_KEYS if key in row]
    if not given:
        raise RowError('no "label" or "suffix"', "CLF202")
    for value in given:
        if not isinstance(value, str):
            raise RowError(f"the label is {_described(value)}: labels are strings", "CLF203")
        _check_unicode(value, "label")
    if len(set(given)) > 1:
        raise RowError('"label" and "suffix" differ')
    return str(given[0])


def _split(manifest: Manifest, value: object) -> str | None:
    if value is None or value == "":
        return manifest.split
    split = ALIASES.get(value.lower()) if isinstance(value, str) else None
    if split is None:
        raise RowError(f"the split is {_described(value)}: it is train, val or test")
    if manifest.split not in (None, split):
        raise RowError(f'the split is "{split}" in a manifest of {manifest.split}')
    return split


def _group(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, (list, dict)):
        raise RowError(f"the group is {_described(value)}: it is a string")
    text = str(value)
    _check_unicode(text, "group")
    return text


def _check_unicode(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RowError(f"the {what} is not valid Unicode") from None


def _described(value: object) -> str:
    if value is None:
        return "null"
    text = json.dumps(value)
    shortened = text if len(text) <= 40 else text[:37] + "..."
    return f"{_TYPES[type(value)]} ({shortened})" if type(value) in _TYPES else shortened
