"""Everything that is found about a data set: what the checks said, and what its files, pixels and counts say."""

from collections import Counter

from clf_cli.data.dataset import Dataset
from clf_cli.data.naming import naming_findings
from clf_cli.data.quality import quality_findings
from clf_cli.data.samples import Finding
from clf_cli.data.unnamed import unnamed_findings
from clf_cli.engine.near_findings import near_findings
from clf_cli.settings.data_sections import InspectSection
from clf_cli.values.labels import shown
from clf_cli.values.progress import Progress, silent

FEW = 5  # train images of a class; fewer are told
IMBALANCED = 10  # largest class over smallest


def all_findings(
    dataset: Dataset, section: InspectSection, threads: int = 1, progress: Progress = silent
) -> tuple[Finding, ...]:
    """What `dataset` carries, then what only an inspection looks for; each group in a fixed order."""
    rows = (*dataset.samples, *dataset.left_out)
    return (
        *dataset.findings,
        *unnamed_findings(dataset.root, rows, dataset.files),
        *naming_findings(rows, dataset.files),
        *quality_findings((sample.path for sample in dataset.samples), dataset.files, section),
        *near_findings(dataset, section, threads, progress),
        *balance_findings(dataset),
    )


def balance_findings(dataset: Dataset) -> tuple[Finding, ...]:
    """Classes that a split lacks, classes with few images, and how uneven train is."""
    findings = []
    counts = Counter((sample.split, sample.label) for sample in dataset.samples)
    for split in ("val", "test"):
        if not dataset.split(split):
            continue
        findings += [
            Finding.of("CLF505", "", f'class "{shown(label)}" has no {split} image')
            for label in dataset.labels
            if not counts[split, label]
        ]
    findings += [*few_images(dataset), *imbalance(dataset)]
    return tuple(findings)


def few_images(dataset: Dataset, least: int | None = None) -> list[Finding]:
    """Classes with few train images; with fewer than `least`, which is an error, also those that lost all of theirs."""
    findings = []
    counts = _train_counts(dataset)
    if least is not None:
        counts |= {row.label: 0 for row in dataset.left_out if row.split == "train" and row.label not in counts}
    for label, count in counts.items():
        reason = f'class "{shown(label)}" has {count} train image{"" if count == 1 else "s"}'
        if least is not None and count < least:
            findings.append(Finding.of("CLF506", "", f"{reason}, fewer than {least}", severity="error"))
        elif count < FEW:
            findings.append(Finding.of("CLF506", "", reason))
    return findings


def imbalance(dataset: Dataset, most: float | None = None) -> list[Finding]:
    """Whether train's largest class is many times its smallest one; more than `most` times is an error."""
    train = _train_counts(dataset)
    largest, smallest = max(train.values(), default=0), min(train.values(), default=0)
    crossed = most is not None and largest > most * smallest
    if not crossed and largest <= IMBALANCED * smallest:
        return []
    names = {count: shown(label) for label, count in reversed(train.items())}
    reason = (
        f'"{names[largest]}" has {largest} train images, "{names[smallest]}" {smallest}: '
        f"{largest / smallest:.1f} times as many"
    )
    if crossed:
        return [Finding.of("CLF507", "", f"{reason}, more than {most:g}", severity="error")]
    return [Finding.of("CLF507", "", reason)]


def _train_counts(dataset: Dataset) -> dict[str, int]:
    """Images of each class that has any, in label order."""
    counts = Counter(sample.label for sample in dataset.split("train"))
    return {label: counts[label] for label in dataset.labels if counts[label]}
