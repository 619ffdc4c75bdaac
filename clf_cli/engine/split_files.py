"""The manifests of a split: which earlier one it continues, and writing it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clf_cli.data.layout import read_layout
from clf_cli.data.samples import refused
from clf_cli.data.written_manifests import check_manifest_out, read_header, write_manifest
from clf_cli.engine.split import SplitResult
from clf_cli.engine.split_draw import FOLD, SplitPolicy
from clf_cli.errors import DataError, UsageError

MADE_BY = "clf split"


def split_files(out: Path, folds: int | None) -> tuple[Path, ...]:
    """`out`, or for folds `OUT-1.jsonl` to `OUT-K.jsonl` beside it."""
    if folds is None:
        return (out,)
    return tuple(out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(1, folds + 1))


def continued(out: Path, data: Path, policy: SplitPolicy, afresh: bool = False) -> tuple[Path, ...]:
    """Those of the files to write that an earlier `clf split` wrote in the same way: their images stay in their parts.

    Raises UsageError (exit 2) where a file must not be written, or, unless `afresh`, was made in another way.
    """
    files = split_files(out, policy.section.folds)
    for file in files:
        check_manifest_out(file, data, MADE_BY)
    found = tuple(file for file in files if file.exists() and not afresh)
    for file in found:
        header = read_header(file)
        made = header.made if header else {}
        changed = [f"{name} {made.get(name)}, not {value}" for name, value in policy.to_json().items()
                   if made.get(name) != value]  # fmt: skip
        if changed:
            raise UsageError(
                f"{file} was made in another way: {'; '.join(changed)}.",
                f"Remove it to split anew, name another file with --out, or say --previous {out} to keep its images "
                "where they are.",
            )
    return found


def earlier_parts(files: Sequence[Path], root: Path, folds: int | None) -> dict[str, str]:
    """The part of each path of the data in `root` that the manifests name: a split, or the fold that it validates in.

    What validates in none of all folds is in train. Raises DataError where a manifest cannot be read, has no splits, or
    is of other data.
    """
    hint = "Name a manifest of clf split with --previous; of folds, the name that its --out had."
    parts: dict[str, str] = {}
    named: set[str] = set()
    for number, file in enumerate(files, start=1):
        if not file.is_file():
            raise DataError(f"No earlier split {file}.", hint)
        listing = read_layout(file)
        if refused(listing.findings) or not listing.splits:
            reason = str(listing.findings[0]) if listing.findings else "its rows have no split"
            raise DataError(f"{file} is no earlier split: {reason}.", hint)
        fold = _fold_of(file, number)
        for row in listing.samples:
            full = listing.root / row.path
            if full.is_relative_to(root):
                path = full.relative_to(root).as_posix()
                named.add(path)
                if part := _part(row.split, fold, folds):
                    parts.setdefault(path, part)
    if files and not named:
        raise DataError(f"{files[0]} splits other data: it names no image in {root}.", hint)
    return dict.fromkeys(named, "train") | parts if len(files) == folds else parts


def write_split(result: SplitResult, out: Path, data: Path) -> SplitResult:
    """Writes a manifest for each assignment; `data` is the folder of the data as the command line named it.

    Raises RunError (exit 6) when one cannot be written.
    """
    files = split_files(out, result.policy.section.folds)
    for number, (file, assignment) in enumerate(zip(files, result.assignments, strict=True), start=1):
        rows = (replace(row, split=split) for row, split in zip(result.samples, assignment.splits, strict=True))
        made: Mapping[str, object] = {"by": MADE_BY, **result.policy.to_json()}
        write_manifest(file, data, rows, made if len(files) == 1 else {**made, "fold": number})
    return replace(result, files=tuple(file.as_posix() for file in files))


def _fold_of(file: Path, number: int) -> int:
    """What the manifest says of itself, else its place among the files."""
    header = read_header(file)
    fold = header.made.get("fold") if header else None
    return fold if isinstance(fold, int) else number


def _part(split: str | None, fold: int, folds: int | None) -> str | None:
    if folds is None or split == "test":
        return split
    return f"{FOLD}{fold}" if split == "val" else None
