"""Everything that is found about a data set: what the checks said, and what its files, pixels and counts say."""

from collections import Counter

from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import Finding
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
    return (
        *dataset.findings,
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
    train = {label: counts["train", label] for label in dataset.labels if counts["train", label]}
    for label, count in train.items():
        if count < FEW:
            reason = f'class "{shown(label)}" has {count} train image{"" if count == 1 else "s"}'
            findings.append(Finding.of("CLF506", "", reason, count=count))
    if train and max(train.values()) > IMBALANCED * min(train.values()):
        largest, smallest = max(train, key=lambda name: train[name]), min(train, key=lambda name: train[name])
        reason = (
            f'"{shown(largest)}" has {train[largest]} train images, "{shown(smallest)}" {train[smallest]}: '
            f"{train[largest] / train[smallest]:.1f} times as many"
        )
        findings.append(Finding.of("CLF507", "", reason))
    return tuple(findings)
