"""The mean of several checkpoints' weights, with batch-norm statistics estimated again (`clf average`)."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from clf_cli.data.dataset import Dataset
from clf_cli.data.knobs import resolve_augment
from clf_cli.data.loaders import ImageLoader, Loading, train_loader
from clf_cli.engine.metrics import MetricsResult
from clf_cli.errors import DataError, ModelError, UsageError
from clf_cli.models.checkpoint import CLF_KEY, NETWORK_PREFIX, Checkpoint, StateDict, clf_payload, read_checkpoint
from clf_cli.models.classifier import Classifier, model_file
from clf_cli.models.compute import Compute, apply
from clf_cli.models.exact import exact_fp32, network_logits
from clf_cli.models.network import load_network
from clf_cli.models.torch_files import save_torch
from clf_cli.settings.sections import AugmentSection
from clf_cli.values.contract import Score
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.progress import Advance, Progress
from clf_cli.values.report import FindingJson, finding
from clf_cli.values.run_dir import RunDir, name_in_run, run_of


@dataclass(frozen=True)
class Averaged:
    """A mean that is not on the disk yet. `checkpoint` holds its weights and no score; `train_images` is how many its
    batch-norm statistics were estimated on, 0 for a network without."""

    checkpoint: Checkpoint
    inputs: tuple[Checkpoint, ...]
    classifier: Classifier
    norm_layers: int
    train_images: int


@dataclass(frozen=True)
class AverageResult:
    """The report of kind `average`: what went in, with the scores that it had, and what the mean scores."""

    kind: ClassVar[str] = "average"

    path: str
    inputs: tuple[Checkpoint, ...]
    norm_layers: int
    train_images: int
    score: Score
    metrics: MetricsResult

    def to_result(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "inputs": [
                {
                    "path": item.path.as_posix(),
                    "run_id": item.run_id,
                    "epoch": item.epoch,
                    "score": None if item.score is None else asdict(item.score),
                }
                for item in self.inputs
            ],
            "batch_norm": {"layers": self.norm_layers, "images": self.train_images} if self.norm_layers else None,
            "score": asdict(self.score),
            "metrics": self.metrics.scalars,
        }


def read_inputs(paths: Sequence[Path]) -> tuple[Checkpoint, ...]:
    """The checkpoints that `paths` name; a run's folder stands for its top ones, in the order of their epochs.

    Raises ModelError (exit 4) for what is no checkpoint, or does not go with the first one; UsageError (exit 2) for a
    single one, or the same weights twice.
    """
    files = [file for path in paths for file in _files(path)]
    if len(files) < 2:
        raise UsageError(
            f"A mean needs two checkpoints, and {files[0]} is one.", "Name more of them, or a run that kept several."
        )
    checkpoints = tuple(read_checkpoint(file) for file in files)
    for other in checkpoints[1:]:
        if reason := _difference(checkpoints[0], other):
            raise ModelError(
                f"{other.path} and {checkpoints[0].path} have no mean: {reason}.",
                "Average checkpoints of one architecture, one list of classes and one preprocessing.",
            )
    for one, other in itertools.combinations(checkpoints, 2):
        if _same_weights(one.state_dict, other.state_dict):
            raise UsageError(
                f"{one.path} and {other.path} hold the same weights, which would count twice in the mean.",
                "Name each checkpoint once; a run's best.ckpt is one of its top three.",
            )
    return checkpoints


def average(inputs: Sequence[Checkpoint], dataset: Dataset, compute: Compute, progress: Progress) -> Averaged:
    """The mean of `inputs` as a network on the device, its statistics estimated on the train images of `dataset`.

    Raises DataError (exit 3) where it needs train images and there are none.
    """
    first = inputs[0]
    facts = replace(
        first,
        score=None,
        epoch=max(item.epoch for item in inputs),
        run_id=_common([item.run_id for item in inputs]),
        data_fingerprint=_common([item.data_fingerprint for item in inputs]),
        step=max(item.step for item in inputs),
        state_dict=mean_weights([item.state_dict for item in inputs]),
        live_state=None,
    )
    network, weights = load_network(facts)
    apply(compute)
    network.to(compute.device)
    layers = sum(isinstance(module, _BatchNorm) for module in network.modules())
    images = estimate_statistics(network, facts, dataset, compute, progress) if layers else 0
    state = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    classifier = Classifier(
        logits=network_logits(network, compute.device, first.settings.get("compute", {}).get("channels_last", True)),
        labels=first.labels,
        preprocess=first.preprocess,
        arch=first.arch,
        weights=weights,
        score=None,
        run_id=facts.run_id,
        data_fingerprint=facts.data_fingerprint,
        path=first.path,
        run=None,
    )
    return Averaged(replace(facts, state_dict=state), tuple(inputs), classifier, layers, images)


def mean_weights(states: Sequence[StateDict]) -> StateDict:
    """Tensor by tensor, summed in float64 and cast back; integers (counters) are those of the first."""
    mean: StateDict = {}
    for name, first in states[0].items():
        if first.is_floating_point():
            total = torch.zeros_like(first, dtype=torch.float64)
            for state in states:
                total += state[name]
            mean[name] = (total / len(states)).to(first.dtype)
        else:
            mean[name] = first.clone()
    return mean


def estimate_statistics(
    network: nn.Module, checkpoint: Checkpoint, dataset: Dataset, compute: Compute, progress: Progress
) -> int:
    """Sets every batch norm's mean and variance to those of one epoch of train images, and returns how many there were.

    They are augmented as in training (without mixup and cutmix), each drawn once whatever the balance was: what the
    weights learnt from, as torch's `update_bn` does for averaged weights.
    """
    settings = checkpoint.settings
    if len(dataset.need("train")) < 2:
        raise DataError(f"{dataset.root} has one train image: it has no variance.", "Name more data with --data.")
    try:
        pin = compute.device.startswith("cuda")
        loading = Loading(settings["optim"]["batch_size"], compute.workers, pin, cache="none")
        augment = resolve_augment(AugmentSection.model_validate(settings["augment"]), checkpoint.labels)
        seed = settings["compute"]["seed"]
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{checkpoint.path} does not say how it was trained, so its batch norm cannot be estimated again.",
            "Average the checkpoints of the run itself.",
        ) from error
    loader = train_loader(dataset, checkpoint.preprocess, augment, loading, seed)
    images = len(loader.draws)

    def batches() -> Iterator[Tensor]:
        with progress("Estimating batch-norm statistics", images) as advance:
            yield from _normalized(loader, checkpoint.preprocess, compute.device, advance)

    with exact_fp32():
        update_bn(batches(), network)
    network.eval()
    return images


def _normalized(loader: ImageLoader, preprocess: Preprocess, device: str, advance: Advance) -> Iterator[Tensor]:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1).to(device) * 255 for values in (preprocess.mean, preprocess.std))
    for pixels, _, _ in loader:
        yield (pixels.to(device).float() - mean) / std
        advance(len(pixels))


def checkpoint_of(averaged: Averaged, score: Score, scored_on: str) -> dict[str, Any]:
    """What is written: the layout of every checkpoint, and under `clf` also what was averaged, and the fingerprint of
    the data that it was scored on."""
    facts = replace(averaged.checkpoint, score=score)
    inputs = [{"path": name_in_run(item.path), "run_id": item.run_id, "epoch": item.epoch} for item in averaged.inputs]
    return {
        "state_dict": {f"{NETWORK_PREFIX}{name}": tensor for name, tensor in facts.state_dict.items()},
        "epoch": facts.epoch,
        "global_step": facts.step,
        CLF_KEY: clf_payload(facts) | {"averaged": inputs, "scored_on": scored_on},
    }


def write_average(averaged: Averaged, score: Score, scored_on: str, path: Path) -> None:
    """Raises RunError (exit 6) when the place cannot be written."""
    save_torch(checkpoint_of(averaged, score, scored_on), path)


def classifier_at(averaged: Averaged, path: Path) -> Classifier:
    """The mean under the name of the file that it will be."""
    return replace(averaged.classifier, path=path, run=run_of(path))


def strangers(inputs: Sequence[Checkpoint]) -> tuple[FindingJson, ...]:
    """A finding for each input that was trained on other images, or another split of them, than the first."""
    reason = "trained on other data or another split than the first: it may have learnt from images that score the mean"
    return tuple(
        finding("data", reason, item.path.as_posix())
        for item in inputs
        if item.data_fingerprint != inputs[0].data_fingerprint
    )


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        best = model_file(path)  # a run that has not finished is refused
        return sorted(RunDir(path).top.glob("*.ckpt")) or [best]
    if path.suffix.lower() == ".onnx":
        raise ModelError(f"{path} is an ONNX file, and means are taken of checkpoints.", "Name its run's folder.")
    return [path]


def _difference(first: Checkpoint, other: Checkpoint) -> str | None:
    """Why the two have no mean, in words."""
    if other.arch != first.arch:
        return f"one is a {other.arch}, the other a {first.arch}"
    if other.labels != first.labels:
        return f"their classes differ ({_classes(first, other)})"
    if other.preprocess != first.preprocess:
        mine, theirs = first.preprocess.to_json(), other.preprocess.to_json()
        told = [f"{name} {theirs[name]} and {mine[name]}" for name in mine if mine[name] != theirs[name]]
        return f"their preprocessing differs ({'; '.join(told)})"
    if other.scored_weights != first.scored_weights:
        return f"one holds {other.scored_weights} weights, the other {first.scored_weights} ones"
    shapes = {name: tensor.shape for name, tensor in first.state_dict.items()}
    if shapes != {name: tensor.shape for name, tensor in other.state_dict.items()}:
        return "their tensors have other names or shapes"
    return None


def _same_weights(one: StateDict, other: StateDict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def _classes(first: Checkpoint, other: Checkpoint) -> str:
    lacks, has = sorted(set(first.labels) - set(other.labels)), sorted(set(other.labels) - set(first.labels))
    if not lacks and not has:
        return "the same ones in another order"
    told = [f"{word} {_some(names)}" for word, names in (("lacks", lacks), ("has", has)) if names]
    return f"the first {' and '.join(told)}"


def _some(names: list[str], count: int = 5) -> str:
    return ", ".join(map(repr, names[:count])) + (f" and {len(names) - count} more" if len(names) > count else "")


def _common(values: Sequence[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None
