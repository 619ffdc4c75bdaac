"""What near duplicates mean for a data set: leaks, disputed labels, images that count more than once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from clf_cli.data.checks import named_beside, per_split, place
from clf_cli.data.dataset import Dataset
from clf_cli.data.near_duplicates import find_near_duplicates
from clf_cli.data.samples import Finding, Sample
from clf_cli.settings.data_sections import InspectSection
from clf_cli.values.labels import shown
from clf_cli.values.progress import Progress, silent


def near_findings(
    dataset: Dataset, section: InspectSection, threads: int = 1, progress: Progress = silent
) -> tuple[Finding, ...]:
    """One finding per cluster of near duplicates and matter: two labels, two splits, or else repetition.

    Rows of the same bytes have findings of their own, so a cluster counts only where different files meet.
    """
    if not section.near_duplicates:
        return ()
    rows: dict[str, list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        rows[sample.path].append(sample)
    near = find_near_duplicates(dataset.root, dataset.files, list(rows), threads, progress)
    findings = []
    equal = set(near.same_pixels)
    for cluster in near.same_pixels:
        members = [sample for path in cluster for sample in rows[path]]
        if _labels_differ(members, dataset):
            findings.append(_finding("CLF302", members, f"the same pixels under {_labels(members)}"))
    for cluster in near.clusters:
        members = [sample for path in cluster for sample in rows[path]]
        what = "the same pixels" if cluster in equal else "nearly the same image"
        if _labels_differ(members, dataset) and cluster not in equal:
            findings.append(_finding("CLF303", members, f"{what} under {_labels(members)}"))
        if _splits_differ(members, dataset):
            splits = " and ".join(split for split, _ in per_split(members))
            findings.append(_finding("CLF402", members, f"{what} in {splits}"))
        elif len({sample.label for sample in members}) == 1:
            findings.append(_finding("CLF412", members, f"{what}, {len(cluster)} files"))
    return tuple(findings)


def _finding(code: str, members: Sequence[Sample], what: str) -> Finding:
    first, *others = (place(sample) for sample in members)
    return Finding.of(code, first, f"{what}: {named_beside(members)}", others=tuple(others))


def _labels(members: Iterable[Sample]) -> str:
    return " and ".join(f'"{shown(label)}"' for label in sorted({sample.label for sample in members}))


def _labels_differ(members: Iterable[Sample], dataset: Dataset) -> bool:
    """Whether two files of different bytes have different labels."""
    return _differ((dataset.files[sample.path].content_hash, sample.label) for sample in members)


def _splits_differ(members: Iterable[Sample], dataset: Dataset) -> bool:
    """Whether two files of different bytes are in different splits."""
    return _differ((dataset.files[sample.path].content_hash, sample.split or "") for sample in members)


def _differ(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether two of the (content, value) have both parts different."""
    contents: dict[str, set[str]] = defaultdict(set)
    for content, value in pairs:
        contents[value].add(content)
    return len(contents) > 1 and len(set.union(*contents.values())) > 1
