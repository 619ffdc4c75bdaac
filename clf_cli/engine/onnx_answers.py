"""The answers that somebody's own program wrote for images, as JSON lines: read, checked, matched with the data."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from clf_cli.data.samples import Sample, printable
from clf_cli.errors import DataError, UsageError
from clf_cli.reading import parse_json, read_bytes
from clf_cli.values.labels import Labels, shown
from clf_cli.values.predictions import IntArray

Told = Literal["logits", "probabilities", "labels"]
Values = npt.NDArray[np.float64]
_LISTED = 10
_MOST = 1 << 30  # bytes
_FORM = (
    'A line is {"path": ..., "logits": [...]}, or "probabilities": [...], or "label": ... with or without '
    '"probability", or what `clf predict` writes.'
)


class LineError(Exception):
    """A line that cannot be used; the text is the reason."""


@dataclass(frozen=True)
class GivenAnswers:
    """N answers, in the order of the file's lines; `told` is the most that all of them tell.

    `values` (N, C) are logits or probabilities in the model's order of labels, NaN where nothing is told; `labels` (N,)
    the class that was answered, -1 for none. `failed` lines tell that an image could not be read.
    """

    file: Path
    told: Told
    paths: tuple[str, ...]  # relative to the data's root, posix
    labels: IntArray
    values: Values
    failed: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def complete(self) -> bool:
        """Whether every value is told."""
        return bool(len(self) and np.isfinite(self.values).all())


@dataclass(frozen=True)
class _Answer:
    told: Told
    label: int
    values: Values  # (C,)


def read_answers(file: Path, labels: Labels, root: Path, samples: Sequence[Sample]) -> GivenAnswers:
    """Paths are relative to `root`, the data's folder, or name the files themselves.

    Raises UsageError (exit 2) for a file that cannot be opened, DataError (exit 3) that lists bad lines by number:
    not JSON, an image that is not among `samples` or twice, unknown labels, another number of values than classes.
    """
    try:
        lines = read_bytes(file, _MOST).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Name JSON lines with --answers FILE.") from error
    places = {sample.path: sample.path for sample in samples}
    places |= {(root / sample.path).as_posix(): sample.path for sample in samples}
    answers: dict[str, tuple[int, _Answer]] = {}
    wrong: list[str] = []
    failed = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = _row(line)
            path = _place(row, places, root)
            if path in answers:
                raise LineError(f"{printable(path)} again: line {answers[path][0]} answers for it too")
            if row.get("error") is not None:
                failed += 1
                continue
            answers[path] = (number, _answer(row, labels))
        except LineError as error:
            wrong.append(f"\n  {file.name}:{number}: {error}")
    _refuse(file, wrong, bool(answers))
    rows = [answer for _, answer in answers.values()]
    told: Told = next((one for one in ("labels", "probabilities") if any(row.told == one for row in rows)), "logits")
    if any(row.told == "logits" for row in rows) and told != "logits":
        raise DataError(f"{file}: some lines tell logits, others {told}.", "Let all of them tell the same.")
    return GivenAnswers(
        file=file,
        told=told,
        paths=tuple(answers),
        labels=np.array([row.label for row in rows], dtype=np.int64),
        values=np.stack([row.values for row in rows]),
        failed=failed,
    )


def _refuse(file: Path, wrong: list[str], any_left: bool) -> None:
    if wrong:
        count = "1 line" if len(wrong) == 1 else f"{len(wrong)} lines"
        more = f"\n  and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise DataError(f"{file}: {count} cannot be used:{''.join(wrong[:_LISTED])}{more}", _FORM)
    if not any_left:
        raise DataError(f"{file} holds no answers.", _FORM)


def _row(line: bytes) -> Mapping[str, Any]:
    try:
        row = parse_json(line)
    except UnicodeDecodeError:
        raise LineError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise LineError(f"not JSON: {error.msg} at column {error.colno}") from None
    except ValueError:
        raise LineError("not JSON that can be read") from None
    if not isinstance(row, dict):
        raise LineError("not a JSON object")
    return row


def _place(row: Mapping[str, Any], places: Mapping[str, str], root: Path) -> str:
    path = row.get("path")
    if not isinstance(path, str) or not path:
        raise LineError('no "path"')
    for name in (path, path.replace("\\", "/")):
        if name in places:
            return places[name]
    try:
        full = Path(path).resolve()
    except (OSError, ValueError):
        raise LineError(f"{printable(path)} is no path") from None
    if full.as_posix() in places:
        return places[full.as_posix()]
    if _is_there(root / path) or _is_there(full):
        raise LineError(f"{printable(path)} is no image of the data")
    raise LineError(f"{printable(path)}: there is no such image in {root}")


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, half of a surrogate pair
        return False


def _answer(row: Mapping[str, Any], labels: Labels) -> _Answer:
    label = -1 if row.get("label") is None else _index(row["label"], labels)
    for told in ("logits", "probabilities"):
        if row.get(told) is not None:
            values = _vector(told, row[told], labels)
            answered = label if label >= 0 or not np.isfinite(values).all() else int(values.argmax())
            return _Answer("logits" if told == "logits" else "probabilities", answered, values)
    values = np.full(len(labels), np.nan)
    top = row.get("top")
    if isinstance(top, list):
        for entry in top:
            if not isinstance(entry, dict) or "label" not in entry:
                raise LineError('"top" is not a list of {"label", "probability"}')
            values[_index(entry["label"], labels)] = _number(entry.get("probability"), "probability")
    if label >= 0 and row.get("probability") is not None:
        values[label] = _number(row["probability"], "probability")
    if label < 0 and "label" not in row:
        raise LineError('none of "logits", "probabilities" and "label"')
    return _Answer("probabilities" if np.isfinite(values).any() else "labels", label, values)


def _index(name: object, labels: Labels) -> int:
    if not isinstance(name, str) or name not in labels:
        told = shown(name) if isinstance(name, str) else repr(name)
        raise LineError(f"the model has no class {printable(told)}")
    return labels.indices[name]


def _vector(what: str, given: object, labels: Labels) -> Values:
    """By position, or by label where it is an object."""
    if isinstance(given, dict):
        values = np.full(len(labels), np.nan)
        for name, value in given.items():
            values[_index(name, labels)] = _number(value, what)
        if len(given) != len(labels):
            raise LineError(f"{len(given)} {what}, the model has {len(labels)} classes")
        return values
    if not isinstance(given, list):
        raise LineError(f'"{what}" is not a list of numbers')
    if len(given) != len(labels):
        raise LineError(f"{len(given)} {what}, the model has {len(labels)} classes")
    return np.array([_number(value, what) for value in given], dtype=np.float64)


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise LineError(f'"{what}" holds {json.dumps(value)}, no finite number')
    return float(value)
