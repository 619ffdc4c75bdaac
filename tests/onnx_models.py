"""ONNX files and checkpoints for tests: a two-node graph made in milliseconds, and a real network, untrained."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from clf_cli.data.dataset import load_dataset, write_splits
from clf_cli.engine.metrics import metrics
from clf_cli.engine.predict_split import predict_split
from clf_cli.models.build import build_network
from clf_cli.models.checkpoint import CheckpointFacts, clf_payload
from clf_cli.models.classifier import Classifier
from clf_cli.models.compute import Compute
from clf_cli.models.network import network_classifier
from clf_cli.settings.resolved import to_toml
from clf_cli.settings.root import Settings
from clf_cli.settings.sections import DataSection
from clf_cli.values.contract import Contract, Score
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.run_dir import RunDir, run_of
from tests.running import mark

LABELS = Labels(("", "0", "00", "7", "grün"))
COMPUTE = Compute("cpu", 1, 0, "fp32", 0, True, False)
CONTRACT = Contract(
    labels=LABELS,
    preprocess=Preprocess(8, 12),
    arch="by-hand",
    weights="live",
    score=None,
    run_id="0123456789ab",
    data_fingerprint="sha256:00",
    clf="0.1.0",
)


@dataclass(frozen=True)
class Linear:
    """Logits = channel means x `weights` (3, C) + `bias` (C,): every channel, class and image counts."""

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(2, 3)) @ self.weights + self.bias

    def classifier(self, contract: Contract = CONTRACT, path: Path = Path("best.ckpt")) -> Classifier:
        """The reference, as if opened from a checkpoint."""
        return Classifier(
            logits=self,
            labels=contract.labels,
            preprocess=contract.preprocess,
            arch=contract.arch,
            weights=contract.weights,
            score=contract.score,
            run_id=contract.run_id,
            data_fingerprint=contract.data_fingerprint,
            path=path,
            run=run_of(path),
        )


def linear(classes: int = len(LABELS), seed: int = 0) -> Linear:
    rng = np.random.default_rng(seed)
    return Linear(rng.normal(0, 3, (3, classes)).astype(np.float32), rng.normal(0, 0.3, classes).astype(np.float32))


def write_onnx_file(
    path: Path,
    model: Linear | None = None,
    contract: Contract | None = CONTRACT,
    metadata: dict[str, str] | None = None,
    batch: str | int = "batch_size",
) -> Path:
    """`model` as ONNX with the contract in its metadata (`metadata` instead, if given).

    It takes what the contract says, pixels too, and answers with probabilities where that says so.
    """
    model, said = model or linear(), contract or CONTRACT
    size = said.preprocess
    pixels, answers = size.normalized_in_graph, said.output == "probabilities"
    kind = TensorProto.UINT8 if pixels else TensorProto.FLOAT
    mean, std = (np.array(values, np.float32) * 255 for values in (size.mean, size.std))
    graph = helper.make_graph(
        [
            *(_normalising() if pixels else []),
            helper.make_node("ReduceMean", ["planes" if pixels else "input", "axes"], ["means"], keepdims=0),
            helper.make_node("Gemm", ["means", "weights", "bias"], ["scores" if answers else "logits"]),
            *([helper.make_node("Softmax", ["scores"], ["probabilities"], axis=-1)] if answers else []),
        ],
        "by_hand",
        [helper.make_tensor_value_info("input", kind, [batch, *size.input_shape])],
        [helper.make_tensor_value_info(said.output, TensorProto.FLOAT, [batch, model.weights.shape[1]])],
        [
            numpy_helper.from_array(np.array([2, 3]), "axes"),
            numpy_helper.from_array(model.weights, "weights"),
            numpy_helper.from_array(model.bias, "bias"),
            *([numpy_helper.from_array(mean, "mean"), numpy_helper.from_array(std, "std")] if pixels else []),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, producer_name="clf")
    props = metadata if metadata is not None else contract.metadata() if contract else {}
    if props:
        helper.set_model_props(proto, props)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, path)
    return path


def _normalising() -> list[onnx.NodeProto]:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W)."""
    return [
        helper.make_node("Cast", ["input"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
    ]


def random_state(arch: str, classes: int, seed: int) -> dict[str, torch.Tensor]:
    """Random weights with batch-norm statistics and scales that let every branch count: timm starts with dead ones."""
    torch.manual_seed(seed)
    network = build_network(arch, classes, image_size=(32, 32))
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif name.endswith("running_mean") or (value.ndim == 1 and name.endswith("bias")):
            value.normal_(0, 0.2)
        elif value.ndim == 1 and value.is_floating_point():
            value.uniform_(0.7, 1.3)
    return {f"network.{name}": value for name, value in network.state_dict().items()}


FACTS = CheckpointFacts(
    arch="test_efficientnet",
    labels=LABELS,
    preprocess=Preprocess(32, 32),
    settings={},
    score=Score("val/acc_top1", "val", 0.75, "ema"),
    scored_weights="ema",
    epoch=3,
    run_id="0123456789ab",
    data_fingerprint="sha256:00",
)


def without_ema(facts: CheckpointFacts) -> CheckpointFacts:
    return replace(facts, scored_weights="live", score=Score("val/acc_top1", "val", 0.75, "live"))


def write_checkpoint(path: Path, facts: CheckpointFacts = FACTS) -> Path:
    """A checkpoint as training writes best.ckpt; the averaged and the live weights are two random networks."""
    classes = len(facts.labels)
    data = {"state_dict": random_state(facts.arch, classes, 0), "global_step": 7, "clf": clf_payload(facts)}
    if facts.scored_weights == "ema":
        data["current_model_state"] = random_state(facts.arch, classes, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(data, path)
    return path


def write_run(root: Path, data: Path) -> RunDir:
    """A run on `data` as training leaves it, with an untrained best checkpoint whose score is true."""
    run, section = RunDir(root), DataSection(root=data)
    dataset = load_dataset(section, seed=0)
    facts = replace(FACTS, labels=dataset.labels, data_fingerprint=dataset.fingerprint)
    write_checkpoint(run.best, facts)
    accuracy = metrics(predict_split(network_classifier(run.best), dataset, "val")).acc_top1
    write_checkpoint(run.best, replace(facts, score=Score("val/acc_top1", "val", accuracy, "ema")))
    mark(run)
    run.settings.write_text(to_toml(Settings(data=section), {}))
    write_splits(run.splits, dataset)
    return run
