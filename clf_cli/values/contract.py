"""`clf.contract`: everything that a consumer of the ONNX file needs, in its metadata (docs/design.md, 2.6)."""

import json
from dataclasses import dataclass
from typing import Any

from clf_cli.values.contract_check import check_contract
from clf_cli.values.labels import Labels
from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.predictions import Output
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import Weights

CONTRACT_KEY = "clf.contract"
CONTRACT_VERSION = 1


class NewerContractError(ValueError):
    """A contract that a later clf wrote; its message names both versions."""


@dataclass(frozen=True)
class Score:
    """What the weights scored: `metric` (val/acc_top1) on `split`.

    Computed in fp32, but for a file of another precision: that tells its own. `rescored` says that the file itself
    scored it again.
    """

    metric: str
    split: str
    value: float | None
    weights: Weights
    rescored: bool = False
    precision: OnnxPrecision = "fp32"


@dataclass(frozen=True)
class Contract:
    """The version-1 contract; unknown keys of later versions are ignored on reading."""

    labels: Labels
    preprocess: Preprocess
    arch: str
    weights: Weights
    score: Score | None
    run_id: str | None
    data_fingerprint: str | None
    clf: str
    output: Output = "logits"
    temperature: float | None = None  # divides the logits; None where nobody calibrated
    thresholds: tuple[float | None, ...] | None = None  # (C,) least calibrated probability to answer with that class
    precision: OnnxPrecision = "fp32"
    input_name: str = "input"
    output_name: str | None = None  # None: the kind of output

    @property
    def answers(self) -> str:
        """The name of the graph's output."""
        return self.output_name or self.output

    def to_json(self) -> dict[str, Any]:
        p = self.preprocess
        return {
            "version": CONTRACT_VERSION,
            "labels": list(self.labels),
            "input": {
                "name": self.input_name,
                "layout": "NHWC" if p.normalized_in_graph else "NCHW",
                "dtype": "uint8" if p.normalized_in_graph else "float32",
                "color": "RGB",
                "height": p.height,
                "width": p.width,
            },
            "output": {"name": self.answers, "kind": self.output},
            "preprocess": {
                "exif": True,
                "background": list(p.background),
                "resize_mode": p.resize_mode,
                "interpolation": p.interpolation,
                "engine": "pillow",
                "crop_share": p.crop_share,
                "mean": list(p.mean),
                "std": list(p.std),
                "normalized_in_graph": p.normalized_in_graph,
            },
            "arch": self.arch,
            "precision": self.precision,
            "weights": self.weights,
            "score": None if self.score is None else _score_to_json(self.score),
            "temperature": self.temperature,
            "thresholds": None if self.thresholds is None else list(self.thresholds),
            "run_id": self.run_id,
            "data_fingerprint": self.data_fingerprint,
            "clf": self.clf,
        }

    @classmethod
    def from_json(cls, data: Any) -> "Contract":
        """Raises KeyError or ValueError, naming the key, when the contract is not one that this version can read."""
        version = data.get("version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > CONTRACT_VERSION:
            raise NewerContractError(f"contract version {version}, this clf reads version {CONTRACT_VERSION}")
        check_contract(data)
        size, how = data["input"], data["preprocess"]
        preprocess = Preprocess(
            height=size["height"],
            width=size["width"],
            resize_mode=how["resize_mode"],
            interpolation=how["interpolation"],
            crop_share=how["crop_share"],
            mean=tuple(how["mean"]),
            std=tuple(how["std"]),
            background=tuple(how["background"]),
            normalized_in_graph=how["normalized_in_graph"],
        )
        score = data["score"]
        return cls(
            labels=Labels(tuple(data["labels"])),
            preprocess=preprocess,
            arch=data["arch"],
            weights=data["weights"],
            score=None if score is None else _score_from_json(score, data["weights"]),
            run_id=data["run_id"],
            data_fingerprint=data["data_fingerprint"],
            clf=data["clf"],
            output=data["output"]["kind"],
            temperature=data["temperature"],
            thresholds=None if data["thresholds"] is None else tuple(data["thresholds"]),
            precision=data.get("precision", "fp32"),
            input_name=size["name"],
            output_name=data["output"]["name"] if data["output"]["name"] != data["output"]["kind"] else None,
        )

    def metadata(self) -> dict[str, str]:
        """The ONNX metadata_props: the contract, and the plain keys that other readers know."""
        p = self.preprocess
        return {
            CONTRACT_KEY: json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False),
            "names": json.dumps(dict(enumerate(self.labels)), ensure_ascii=False),
            "imgsz": json.dumps([p.height, p.width]),
            "task": "classify",
        }


@dataclass(frozen=True)
class GivenContract:
    """Stands in for the contract that a file of another tool lacks; `note` says what it was made from."""

    contract: Contract
    note: str


def labels_mapping(contract: Contract) -> dict[str, Any]:
    """labels_mapping.json: the keys that consumers of the first users' tool read, and the whole contract."""
    return {
        "num_classes": len(contract.labels),
        "class_to_idx": contract.labels.indices,
        "idx_to_class": {str(index): name for index, name in enumerate(contract.labels)},
        "normalization": {"mean": list(contract.preprocess.mean), "std": list(contract.preprocess.std)},
        "contract": contract.to_json(),
    }


def _score_to_json(score: Score) -> dict[str, Any]:
    return {
        "metric": score.metric,
        "split": score.split,
        "value": score.value,
        "precision": score.precision,
        "rescored": score.rescored,
    }


def _score_from_json(data: dict[str, Any], weights: Weights) -> Score:
    return Score(data["metric"], data["split"], data["value"], weights, data["rescored"], data.get("precision", "fp32"))
