"""Checkpoints as networks, and as classifiers."""

from pathlib import Path

from torch import nn

from clf_cli.errors import ModelError, UsageError, first_line
from clf_cli.models.build import build_network
from clf_cli.models.checkpoint import Checkpoint, read_checkpoint
from clf_cli.models.classifier import Classifier
from clf_cli.models.compute import Compute, apply
from clf_cli.models.exact import network_logits
from clf_cli.values.report import Weights
from clf_cli.values.run_dir import run_of


def load_network(
    checkpoint: Checkpoint, ema: bool | None = None, fused_attention: bool = True
) -> tuple[nn.Module, Weights]:
    """The checkpoint's network in eval mode on the CPU, and which weights it holds.

    Raises ModelError (exit 4) when this timm does not build what the weights were trained in.
    """
    state, weights = checkpoint.weights(ema)
    size = (checkpoint.preprocess.height, checkpoint.preprocess.width)
    try:
        network = build_network(
            checkpoint.arch,
            len(checkpoint.labels),
            drop_rate=checkpoint.settings.get("model", {}).get("drop_rate", 0.0),
            fused_attention=fused_attention,
            image_size=size,
        )
        network.load_state_dict(state)
    except (RuntimeError, UsageError, ValueError, TypeError) as error:
        raise ModelError(
            f"{checkpoint.path} does not fit the {checkpoint.arch} of this timm: {first_line(error)}",
            "Install the timm that trained it; the run's run.json names its version.",
        ) from error
    return network.eval(), weights


def network_classifier(path: Path, ema: bool | None = None, compute: Compute | None = None) -> Classifier:
    """As `checkpoint_classifier`, of a file."""
    return checkpoint_classifier(read_checkpoint(path), ema, compute)


def checkpoint_classifier(
    checkpoint: Checkpoint, ema: bool | None = None, compute: Compute | None = None
) -> Classifier:
    """The weights that were read, whatever the file holds by now. Without `compute` on the CPU, in the memory layout
    that they were trained in."""
    network, weights = load_network(checkpoint, ema)
    if compute is not None:
        apply(compute)
    trained = checkpoint.settings.get("compute", {}).get("channels_last", True)
    return Classifier(
        logits=network_logits(network, compute.device if compute else "cpu", channels_last=trained),
        labels=checkpoint.labels,
        preprocess=checkpoint.preprocess,
        arch=checkpoint.arch,
        weights=weights,
        score=checkpoint.score_of(weights),
        run_id=checkpoint.run_id,
        data_fingerprint=checkpoint.data_fingerprint,
        path=checkpoint.path,
        run=run_of(checkpoint.path),
    )
