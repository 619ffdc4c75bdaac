"""What a run's reports say, read back from their files: the numbers that a page about the run shows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from clf_cli.errors import ModelError
from clf_cli.reading import read_json
from clf_cli.values.contract import Contract
from clf_cli.values.report import DataRef, FindingJson, ModelRef
from clf_cli.values.typed import typed

T = TypeVar("T")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class ClassScores:
    """Of one class in one split; undefined is NaN."""

    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Scores:
    """reports/metrics.json, or metrics-test.json. `intervals` are those that the report has, low and high."""

    model: ModelRef
    data: DataRef
    values: Mapping[str, float]  # by metric name without the split: acc_top1, loss, ...; undefined is NaN
    intervals: Mapping[str, tuple[float, float]]
    per_class: Mapping[str, ClassScores]  # by class name, in label order
    findings: tuple[FindingJson, ...]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "Scores":
        result = report["result"]
        values = {name: number(value) for name, value in result.items() if value is None or isinstance(value, float)}
        bounds = result.get("intervals") or {}
        if report["data"]["split"] not in SPLITS:
            raise ValueError(f"its split is {report['data']['split']!r}")
        return cls(
            model=ModelRef(**report["model"]),
            data=DataRef(**report["data"]),
            values=values,
            intervals={name: (number(pair[0]), number(pair[1])) for name, pair in bounds.items() if pair is not None},
            per_class={
                row["class"]: ClassScores(
                    row["support"], number(row["precision"]), number(row["recall"]), number(row["f1"])
                )
                for row in result["per_class"]
            },
            findings=tuple(report["findings"]),
        )


@dataclass(frozen=True)
class SplitFacts:
    """Images of a split; `missing` are the classes without any."""

    images: int
    skipped: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class DataFacts:
    """reports/dataset.json. Spreads are (smallest, median, largest)."""

    root: str
    fingerprint: str
    images: int
    splits: Mapping[str, SplitFacts]
    counts: Mapping[str, Mapping[str, int]]  # images by class, in label order, and split
    imbalance_ratio: float
    width: tuple[float, float, float]
    height: tuple[float, float, float]
    total_bytes: int
    formats: Mapping[str, int]
    rotated: int
    duplicates: int
    findings: tuple[FindingJson, ...]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "DataFacts":
        result, data = report["result"], report["data"]
        return cls(
            root=data["path"],
            fingerprint=data["fingerprint"],
            images=data["images"],
            splits={
                name: SplitFacts(split["images"], split["skipped"], tuple(split["missing"]))
                for name, split in result["splits"].items()
            },
            counts={row["class"]: dict(row["counts"]) for row in result["classes"]},
            imbalance_ratio=number(result["imbalance_ratio"]),
            width=_spread(result["width"]),
            height=_spread(result["height"]),
            total_bytes=result["bytes"],
            formats=dict(result["formats"]),
            rotated=result["exif_rotated"],
            duplicates=result["duplicates"],
            findings=tuple(report["findings"]),
        )


@dataclass(frozen=True)
class ModelFacts:
    """reports/model_info.json."""

    parameters: int
    megabytes: float
    multiply_adds: int
    preprocess: Mapping[str, Any]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "ModelFacts":
        result = report["result"]
        return cls(result["parameters"], result["megabytes"], result["multiply_adds"], dict(result["preprocess"]))


@dataclass(frozen=True)
class TrainFacts:
    """reports/train.json, as far as no other report says it."""

    stopped_early: bool
    export_error: str | None

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> "TrainFacts":
        return cls(result["stopped_early"], result["export_error"])


@dataclass(frozen=True)
class BatchCheck:
    """How far the ONNX file's logits were from the reference's at one batch size, or on one kind of input."""

    what: str
    images: int
    agreement: float
    relative_difference: float
    tolerance: float | None  # None: of fp16 and int8 no difference is too large, only other answers are

    @classmethod
    def of(cls, what: str, parity: Mapping[str, Any], tolerance: float | None) -> "BatchCheck":
        agreement, difference = number(parity["agreement"]), number(parity["relative_difference"])
        return cls(what, parity["images"], agreement, difference, tolerance)

    @property
    def passed(self) -> bool:
        return self.relative_difference <= (math.inf if self.tolerance is None else self.tolerance)


@dataclass(frozen=True)
class ExportFacts:
    """export/validation.json."""

    passed: bool
    reasons: tuple[str, ...]
    compared_with: tuple[str, ...]
    opset: int
    nodes: int
    bytes: int
    input_shape: tuple[str, ...]
    output_shape: tuple[str, ...]
    checks: tuple[BatchCheck, ...]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "ExportFacts":
        result = report["result"]
        graph, golden, gate = result["graph"], result["golden"] or {}, result["gates"]["tolerance"]
        checks = [BatchCheck.of(f"batch of {batch['size']}", batch, gate) for batch in result["batches"]]
        if golden:
            own = golden.get("tolerance", gate)  # older files have one gate
            checks.append(BatchCheck.of("golden tensors", golden["from_tensors"], own))
            checks.append(BatchCheck.of("golden images, preprocessed anew", golden["from_images"], own))
        if result["images"]:
            checks.append(BatchCheck.of("images of the data", result["images"]["parity"], gate))
        return cls(
            passed=result["passed"],
            reasons=tuple(result["reasons"]),
            compared_with=tuple(result["compared_with"]),
            opset=graph["opset"],
            nodes=graph["nodes"],
            bytes=graph["bytes"],
            input_shape=tuple(map(str, graph["input_shape"])),
            output_shape=tuple(map(str, graph["output_shape"])),
            checks=tuple(checks),
        )


@dataclass(frozen=True)
class ReliabilityBin:
    """Images of about one confidence: how sure the network was of them, and how many were right; shares."""

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class CalibrationFacts:
    """reports/calibration.json. Scores are of images that the temperature was not fitted on; NaN where too few."""

    split: str
    digest: str | None  # of the checkpoint's file
    temperature: float
    target_precision: float
    ece_before: float
    ece_after: float
    coverage: float
    precision: float
    before: tuple[ReliabilityBin, ...]
    after: tuple[ReliabilityBin, ...]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "CalibrationFacts":
        result = report["result"]
        crossed, bins = result["cross_fitted"], result["reliability"]
        return cls(
            split=report["data"]["split"],
            digest=result["model_digest"],
            temperature=number(result["temperature"]),
            target_precision=number(result["target_precision"]),
            ece_before=number(result["before"]["ece"]),
            ece_after=number(crossed["ece"]),
            coverage=number(crossed["coverage"]),
            precision=number(crossed["precision"]),
            before=_bins(bins["before"]),
            after=_bins(bins["after"]),
        )


def contract_of(mapping: Mapping[str, Any]) -> Contract:
    """The contract in a labels_mapping.json."""
    return Contract.from_json(mapping["contract"])


def read_stored(path: Path, parse: Callable[[Mapping[str, Any]], T]) -> T | None:
    """What a file of the run says; None when the run did not write it. Raises ModelError (exit 4) when it is broken."""
    try:
        return typed(parse(read_json(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else error
        raise ModelError(f"{path} cannot be read: {reason}.", "Move it away to go on without it.") from error


def number(value: Any) -> float:
    """A number of a report, where null is undefined."""
    return math.nan if value is None else float(value)


def _spread(value: Mapping[str, Any]) -> tuple[float, float, float]:
    return number(value["min"]), number(value["median"]), number(value["max"])


def _bins(value: Mapping[str, Any]) -> tuple[ReliabilityBin, ...]:
    """Those with images."""
    rows = zip(value["images"], value["confidence"], value["accuracy"], strict=True)
    return tuple(ReliabilityBin(images, number(sure), number(right)) for images, sure, right in rows if images)
