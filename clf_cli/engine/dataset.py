"""What a data set holds: images per split and class, their sizes and formats, and what is wrong with them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from clf_cli.data.checks import by_content, split_rank
from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import Finding, Sample
from clf_cli.data.scan import FileFacts
from clf_cli.engine.crop_loss import CropLoss, crop_loss
from clf_cli.engine.dataset_findings import all_findings
from clf_cli.engine.dataset_gate import Gate, Verdict, judge, not_searched
from clf_cli.engine.metadata_counts import KeyCounts, metadata_counts
from clf_cli.engine.pixel_statistics import Normalized, PixelStatistics
from clf_cli.engine.size_counts import SizeCount, size_counts
from clf_cli.engine.suspects import Suspects
from clf_cli.settings.data_sections import InspectSection
from clf_cli.settings.sections import ModelSection
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import IntArray
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import DataRef, Findings, Report

USUAL_INPUT = Preprocess(224, 224)  # of most architectures, with ImageNet's mean and deviation


@dataclass(frozen=True)
class Spread:
    """Of a quantity over the images; NaN without images."""

    smallest: float
    median: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        if not values:
            return cls(float("nan"), float("nan"), float("nan"))
        return cls(float(min(values)), float(np.median(values)), float(max(values)))

    def to_json(self) -> dict[str, float]:
        return {"min": self.smallest, "median": self.median, "max": self.largest}


@dataclass(frozen=True)
class DatasetResult:
    """Counts of the images that are used; what is left out is in `skipped` and `findings`."""

    kind: ClassVar[str] = "dataset"

    labels: Labels
    splits: tuple[str, ...]
    counts: IntArray  # (C, S) images of each class in each split
    skipped: tuple[int, ...]  # (S,) rows left out
    width: Spread
    height: Spread
    aspect: Spread  # longer side over shorter side
    sizes: tuple[SizeCount, ...]
    total_bytes: int
    formats: dict[str, int]  # images by format, most first
    modes: dict[str, int]  # images by Pillow's mode, most first
    rotated: int  # images that EXIF turns
    duplicates: int  # rows beyond the first of each image
    pixels: PixelStatistics  # of all images
    split_pixels: tuple[PixelStatistics, ...]  # (S,)
    metadata: tuple[KeyCounts, ...]  # of all rows
    crop: CropLoss
    findings: tuple[Finding, ...]
    gate: Verdict | None = None  # of clf inspect-dataset alone
    suspects: Suspects | None = None  # where a model was named

    @property
    def normalized(self) -> Normalized:
        """The images as the network is fed them."""
        return Normalized.of(self.pixels, self.crop.preprocess)

    @cached_property
    def totals(self) -> IntArray:
        """(S,) images of each split."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)

    def share(self, index: int, split: int) -> float:
        """Of the split's images, those of class `index`; NaN for an empty split."""
        total = int(self.totals[split])
        return int(self.counts[index, split]) / total if total else float("nan")

    @property
    def imbalance_ratio(self) -> float:
        """Images of train's (or the first split's) largest class over those of its smallest one that has any."""
        counts = self.counts[:, 0] if self.splits else self.counts
        present = counts[counts > 0]
        return float(present.max() / present.min()) if present.size else float("nan")

    def missing(self, split: int) -> tuple[str, ...]:
        """Classes without an image in the split."""
        return tuple(name for name, count in zip(self.labels, self.counts[:, split], strict=True) if not count)

    def to_result(self) -> dict[str, Any]:
        columns = list(enumerate(self.splits))
        return {
            "splits": {
                split: {
                    "images": int(self.totals[s]),
                    "skipped": self.skipped[s],
                    "missing": list(self.missing(s)),
                    "pixels": self.split_pixels[s].to_json(),
                }
                for s, split in columns
            },
            "classes": [
                {
                    "class": name,
                    "index": index,
                    "counts": {split: int(self.counts[index, s]) for s, split in columns},
                    "shares": {split: self.share(index, s) for s, split in columns},
                    "crop": self.crop.classes[index].to_json(),
                }
                for index, name in enumerate(self.labels)
            ],
            "imbalance_ratio": self.imbalance_ratio,
            "width": self.width.to_json(),
            "height": self.height.to_json(),
            "aspect": self.aspect.to_json(),
            "sizes": [size.to_json(self.splits) for size in self.sizes],
            "pixels": {**self.pixels.to_json(), "normalized": self.normalized.to_json()},
            "metadata": [key.to_json() for key in self.metadata],
            "crop": self.crop.to_json(),
            "bytes": self.total_bytes,
            "formats": self.formats,
            "modes": self.modes,
            "exif_rotated": self.rotated,
            "duplicates": self.duplicates,
            "gate": None if self.gate is None else self.gate.to_json(),
            "suspects": None if self.suspects is None else self.suspects.to_json(),
        }


def input_of(section: ModelSection) -> Preprocess:
    """What `clf train` would make of the images with these settings, for an architecture of the usual input.

    Which input an architecture has tells timm, which takes torch; `--image-size` says it for others.
    """
    side = section.image_size or USUAL_INPUT.width
    return Preprocess(side, side, section.resize_mode, crop_share=section.crop_share)


def dataset_report(
    dataset: Dataset,
    section: InspectSection,
    threads: int = 1,
    progress: Progress = silent,
    preprocess: Preprocess = USUAL_INPUT,
    suspects: Suspects | None = None,
) -> Report:
    """The report on a data set as training sees it, with everything that was found; `preprocess` is the model's."""
    found = all_findings(dataset, section, threads, progress)
    if suspects is not None and suspects.finding is not None:
        found = (*found, suspects.finding)
    result = replace(inspect(dataset, found, preprocess), suspects=suspects)
    data = DataRef(
        dataset.root.as_posix(), "all", dataset.fingerprint, len(dataset.samples), len(dataset.skipped_in("all"))
    )
    return Report(result, data=data, findings=Findings(result.findings))


def gated(report: Report, dataset: Dataset, gate: Gate, section: InspectSection) -> tuple[Report, Verdict]:
    """The report on `dataset` with the findings as the gate sees them, and what it makes of each."""
    assert isinstance(report.result, DatasetResult)
    verdict = judge(
        dataset, report.result.findings, gate, not_searched(section, model=report.result.suspects is not None)
    )
    findings = tuple(item.finding for item in verdict.judged)
    result = replace(report.result, findings=findings, gate=verdict)
    return replace(report, result=result, findings=Findings(verdict.judged)), verdict


def inspect(dataset: Dataset, findings: tuple[Finding, ...], preprocess: Preprocess = USUAL_INPUT) -> DatasetResult:
    """Counts a data set; `findings` are those of `all_findings`, `preprocess` is what the model will do to its images.

    A file that several rows name counts once in sizes, aspects, formats, bytes and pixels, in its first row's split.
    """
    found = {sample.split or "" for sample in dataset.samples} | {split for split, _ in dataset.skipped}
    splits = tuple(sorted(found, key=split_rank))
    first: dict[str, Sample] = {}
    for sample in dataset.samples:
        first.setdefault(sample.path, sample)
    facts = [dataset.files[path] for path in first]
    of_split = [splits.index(sample.split or "") for sample in first.values()]
    left_out = Counter(split for split, _ in dataset.skipped)
    return DatasetResult(
        labels=dataset.labels,
        splits=splits,
        counts=_counts(dataset, splits),
        skipped=tuple(left_out[split] for split in splits),
        width=Spread.of([file.width for file in facts]),
        height=Spread.of([file.height for file in facts]),
        aspect=Spread.of([max(file.width, file.height) / min(file.width, file.height) for file in facts]),
        sizes=size_counts(
            ((file.width, file.height, split) for file, split in zip(facts, of_split, strict=True)), len(splits)
        ),
        total_bytes=sum(file.bytes for file in facts),
        formats=dict(Counter(file.format for file in facts).most_common()),
        modes=dict(Counter(file.mode for file in facts).most_common()),
        rotated=sum(file.exif_rotated for file in facts),
        duplicates=len(dataset.samples) - len(by_content(dataset.samples, dataset.files)),
        pixels=PixelStatistics.of(facts),
        split_pixels=_pixels_of(facts, of_split, len(splits)),
        metadata=metadata_counts(dataset.samples),
        crop=_crop_loss(dataset, preprocess),
        findings=findings,
    )


def _counts(dataset: Dataset, splits: Sequence[str]) -> IntArray:
    counts = np.zeros((len(dataset.labels), len(splits)), dtype=np.int64)
    columns = {split: column for column, split in enumerate(splits)}
    for sample in dataset.samples:
        if sample.label in dataset.labels:
            counts[dataset.labels.indices[sample.label], columns[sample.split or ""]] += 1
    return counts


def _pixels_of(facts: Sequence[FileFacts], of_split: Sequence[int], splits: int) -> tuple[PixelStatistics, ...]:
    parts: list[list[FileFacts]] = [[] for _ in range(splits)]
    for file, split in zip(facts, of_split, strict=True):
        parts[split].append(file)
    return tuple(PixelStatistics.of(part) for part in parts)


def _crop_loss(dataset: Dataset, preprocess: Preprocess) -> CropLoss:
    """Of every row: a file that several rows name counts as often as the network sees it."""
    facts = ((sample.label, dataset.files[sample.path]) for sample in dataset.samples)
    return crop_loss(dataset.labels, ((label, (file.width, file.height)) for label, file in facts), preprocess)
