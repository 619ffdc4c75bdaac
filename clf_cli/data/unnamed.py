"""Images that lie among those of a manifest, and that it does not name."""

import os
from collections.abc import Container, Iterable
from pathlib import Path

from clf_cli.data.checks import place
from clf_cli.data.images import SUFFIXES
from clf_cli.data.samples import Finding, Sample
from clf_cli.data.walk import entries, is_litter

LISTED = 20  # of a folder's images; all are counted


def unnamed_findings(root: Path, samples: Iterable[Sample], named: Container[str]) -> tuple[Finding, ...]:
    """One finding for each folder that a manifest names images of; `named` holds the paths of all rows.

    Folders that no manifest names an image of are not looked at.
    """
    folders = {sample.path.rpartition("/")[0] for sample in samples if place(sample) != sample.path}
    findings = []
    for folder in sorted(folders):
        prefix = f"{folder}/" if folder else ""
        found = [prefix + name for name in _images(root / folder) if prefix + name not in named]
        if found:
            reason = f"images that no manifest names: {len(found)}"
            others = tuple(found[:LISTED])
            findings.append(Finding.of("CLF207", folder, reason, others=others, count=len(found)))
    return tuple(findings)


def _images(folder: Path) -> list[str]:
    """Names of the images directly in `folder`; none where it cannot be listed."""
    try:
        return [
            entry.name
            for entry in entries(folder)
            if not is_litter(entry.name) and os.path.splitext(entry.name)[1].lower() in SUFFIXES  # noqa: PTH122 - a Path is slow
        ]
    except OSError:
        return []
