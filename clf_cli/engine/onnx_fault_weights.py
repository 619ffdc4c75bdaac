"""Which weights an ONNX file holds: those of another checkpoint of the run, or at least the checkpoint's at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from clf_cli.errors import ModelError
from clf_cli.models.classifier import Classifier, Logits
from clf_cli.values.run_dir import RunDir, name_in_run

_CHECKPOINTS = 12  # that are tried at most
_CLOSE = 0.02  # of a tensor's largest value: 8-bit weights are nearer
_Values = npt.NDArray[np.floating]


@dataclass(frozen=True)
class OtherWeights:
    """Weights that a file might hold by mistake; `logits` as the reference's."""

    name: str
    logits: Logits


def other_weights(reference: Classifier, run: RunDir | None) -> Iterator[OtherWeights]:
    """The other half of the reference's checkpoint (live or averaged weights), then all other checkpoints of its run
    and of `run`, read one by one; those of other classes, architectures or sizes are left out."""
    from clf_cli.models.checkpoint import read_checkpoint  # torch: only a checkpoint's search needs it
    from clf_cli.models.exact import network_logits
    from clf_cli.models.network import load_network

    if not reference.path.is_file():
        return
    own = (reference.arch, reference.labels, reference.preprocess.height, reference.preprocess.width)
    for path in (reference.path, *_checkpoints(reference, run)):
        try:
            checkpoint = read_checkpoint(path)
            theirs = (checkpoint.arch, checkpoint.labels, checkpoint.preprocess.height, checkpoint.preprocess.width)
            if theirs != own:
                continue
            for average in (True, False) if checkpoint.scored_weights == "ema" else (False,):
                weights = "ema" if average else "live"
                if (path, weights) != (reference.path, reference.weights):
                    network, _ = load_network(checkpoint, average)
                    yield OtherWeights(f"{name_in_run(path)} ({weights})", network_logits(network))
        except ModelError:
            continue  # broken, or of another timm: it cannot have been exported either


def same_tensors(model: onnx.ModelProto, other: onnx.ModelProto) -> float:
    """The share of `other`'s weight matrices and kernels that `model` holds too, upright or transposed, 0 to 1."""
    ours, found, total = _weights(model), 0, 0
    for tensor in _weights(other):
        total += 1
        found += any(_close(tensor, one) for one in ours)
    return found / total if total else 1.0


def _checkpoints(reference: Classifier, run: RunDir | None) -> tuple[Path, ...]:
    paths: list[Path] = []
    for one in (reference.run, run):
        if one is not None:
            paths += [one.best, one.last, one.previous, *sorted(one.top.glob("*.ckpt"))]
            paths += sorted(one.checkpoints.glob("step-*.ckpt"))
    known = reference.path.resolve()
    unique = dict.fromkeys(path.resolve() for path in paths if path.is_file() and path.resolve() != known)
    return tuple(unique)[:_CHECKPOINTS]


def _weights(model: onnx.ModelProto) -> list[_Values]:
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    tensors = (tensor for tensor in model.graph.initializer if tensor.data_type in floats)
    return [numpy_helper.to_array(tensor) for tensor in tensors if len(tensor.dims) >= 2 and np.prod(tensor.dims) > 1]


def _close(one: _Values, other: _Values) -> bool:
    limit = _CLOSE * float(np.abs(one).max())
    for turned in (other, other.T) if other.ndim == 2 else (other,):
        if one.shape == turned.shape and float(np.abs(one.astype(np.float64) - turned).max()) <= limit:
            return True
    return False
