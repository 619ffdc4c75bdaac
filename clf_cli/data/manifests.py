"""Reading JSON lines and CSV manifests; every bad line becomes a finding with its file and line."""

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clf_cli.data.manifest_rows import IMAGE_KEYS, LABEL_KEYS, OWN_KEYS, Row, RowError, read_rows
from clf_cli.data.samples import ALIASES, Finding, Sample, is_unicode, printable
from clf_cli.data.written_manifests import is_header
from clf_cli.values.contract_check import LONGEST_LABEL

LONGEST_PATH = 4096
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://")
_TYPES = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class Manifest:
    """A manifest file; `split` is the one that its place says, None when its rows may say one."""

    root: Path  # resolved
    path: Path
    split: str | None
    rooted: bool = False  # its first line names the root, and its paths start there, not at its own folder

    @cached_property
    def name(self) -> str:
        """Seen from the root; the whole path where that is shorter, as of a manifest far from its data."""
        return min(os.path.relpath(self.path, self.root), str(self.path.absolute()), key=len).replace(os.sep, "/")

    @cached_property
    def start(self) -> str:
        """The folder that its paths are relative to."""
        return str(self.root if self.rooted else self.path.parent)

    @cached_property
    def inside(self) -> str:
        """What the paths of all files in the root begin with."""
        return os.path.join(self.root, "")  # noqa: PTH118 - a Path has no slash at its end


def read_manifest(manifest: Manifest) -> tuple[list[Sample], list[Finding]]:
    """The rows that can be used, in the order of the file, and one finding per line that cannot."""
    samples: list[Sample] = []
    findings: list[Finding] = []
    name = manifest.name
    if not manifest.rooted and _leads_out(manifest):
        return [], [Finding.of("CLF111", name, "links out of the data folder")]
    try:
        for line, row in read_rows(manifest.path):
            where = f"{name}:{line}"
            if line == 1 and is_header(row):
                if manifest.rooted:
                    continue
                reason = "names the folder of its rows: name this manifest itself as data"
                return [], [Finding.of("CLF204", where, reason)]
            try:
                samples.append(_sample(manifest, row, where))
            except RowError as error:
                findings.append(Finding.of(error.code, where, str(error)))
    except OSError as error:
        return [], [Finding.of("CLF205", name, f"cannot be read: {error.strerror}")]
    return samples, findings


def _leads_out(manifest: Manifest) -> bool:
    """Whether a link leads to a file elsewhere; one to a device is no file."""
    try:
        target = manifest.path.resolve()
        return target.is_file() and not target.is_relative_to(manifest.root)
    except (OSError, RuntimeError):  # a circle; reading it says so
        return False


def _sample(manifest: Manifest, row: Row, where: str) -> Sample:
    if isinstance(row, RowError):
        raise row
    return Sample(
        path=_path(manifest, row),
        label=_label(row),
        split=_split(manifest, row.get("split")),
        group=_group(row.get("group")),
        metadata={key: value for key, value in row.items() if key not in OWN_KEYS},
        source=where,
    )


def _path(manifest: Manifest, row: Mapping[str, Any]) -> str:
    text = next((row[key] for key in IMAGE_KEYS if key in row), None)
    if text is None:
        raise RowError('no "image" or "path"', "CLF202")
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise RowError(f"the image's path is {_described(text)}")
    _check_text(text, "path", LONGEST_PATH)
    if _URL.match(text):
        raise RowError(
            f"{printable(text)} is an address: clf reads files in the data folder and loads nothing", "CLF111"
        )
    joined = os.path.normpath(os.path.join(manifest.start, text))  # noqa: PTH118 - Paths take five times as long
    if joined + os.sep == manifest.inside:
        raise RowError(f"{printable(text)} is the data folder itself")
    if not joined.startswith(manifest.inside):
        raise RowError(f"{printable(text)} leaves the data folder", "CLF111")
    return joined[len(manifest.inside) :].replace(os.sep, "/")


def _label(row: Mapping[str, Any]) -> str:
    given = [row[key] for key in LABEL_KEYS if key in row]
    if not given:
        raise RowError('no "label" or "suffix"', "CLF202")
    for value in given:
        if not isinstance(value, str):
            raise RowError(f"the label is {_described(value)}: labels are strings", "CLF203")
        _check_text(value, "label", LONGEST_LABEL)
    if len(set(given)) > 1:
        raise RowError('"label" and "suffix" differ')
    return sys.intern(given[0])  # a million rows have few labels


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
    _check_text(text, "group", LONGEST_LABEL)
    return text


def _check_text(text: str, what: str, longest: int) -> None:
    if len(text) > longest:
        raise RowError(f"the {what} has {len(text):,} characters: {longest:,} at most")
    if not is_unicode(text):
        raise RowError(f"the {what} is not valid Unicode")


def _described(value: object) -> str:
    if value is None:
        return "null"
    text = json.dumps(value)
    shortened = text if len(text) <= 40 else text[:37] + "..."
    return f"{_TYPES[type(value)]} ({shortened})" if type(value) in _TYPES else shortened
