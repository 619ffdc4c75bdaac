"""Rows of a data set without its images, for tests of what is done with rows."""

from pathlib import Path

from clf_cli.data.draft import Draft
from clf_cli.data.samples import SPLITS, Listing, Sample
from clf_cli.data.scan import FileFacts, Scan
from clf_cli.engine.split import SplitResult, parts_of
from clf_cli.engine.split_draw import SplitPolicy
from clf_cli.settings.data_sections import SplitSection


def rows(count: int, classes: int = 4) -> list[Sample]:
    return [Sample(f"{i:04d}.png", str(i % classes)) for i in range(count)]


def draft_of(samples: list[Sample], contents: dict[str, str] | None = None) -> Draft:
    """`contents` names the content of a path where it is not its own."""
    known = {row.path: (contents or {}).get(row.path, f"content of {row.path}") for row in samples}
    files = {path: FileFacts(8, 8, "RGB", "PNG", 9, content, False) for path, content in known.items()}
    splits = tuple(split for split in SPLITS if any(row.split == split for row in samples))
    return Draft(Listing(Path("/data"), tuple(samples), splits), Scan(files))


def policy(seed: int = 0, val: float = 0.2, test: float = 0.0, **section) -> SplitPolicy:
    return SplitPolicy(SplitSection(**section), seed, val, test, near_duplicates=False)


def parts(result: SplitResult) -> dict[str, str]:
    found = parts_of(result.assignments, result.policy.section.folds)
    return {row.path: part for row, part in zip(result.samples, found, strict=True)}
