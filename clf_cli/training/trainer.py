"""Lightning's trainer as a run uses it."""

import contextlib
from dataclasses import dataclass

import torch

from clf_cli.training.checkpoint_io import AtomicCheckpointIO
from clf_cli.training.lightning_door import L, PassThroughProfiler
from clf_cli.training.start import Start

_NOTHING = contextlib.nullcontext()
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True)
class Limits:
    """How little of a run a rehearsal does: batches of train and val per epoch, and epochs."""

    train_batches: int
    val_batches: int
    epochs: int


class NoProfiler(PassThroughProfiler):
    """Opens nothing around the hooks. Lightning's own makes a generator for each of two hundred a step."""

    def profile(self, action_name: str) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]  # theirs is wrapped
        return _NOTHING


def build_trainer(start: Start, callbacks: list[L.Callback], limits: Limits | None = None) -> L.Trainer:
    """Lightning's trainer: one device, no sanity check, our own checkpoints, samplers, trackers and bar."""
    section = start.settings.compute
    kind, _, index = start.compute.device.partition(":")
    optim = start.settings.optim
    return L.Trainer(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=[int(index)] if index else 1,
        precision=PRECISIONS[start.compute.precision],  # type: ignore[arg-type]  # a Literal of every spelling
        max_epochs=optim.epochs if limits is None else limits.epochs,
        limit_train_batches=None if limits is None else limits.train_batches,
        limit_val_batches=None if limits is None else limits.val_batches,
        accumulate_grad_batches=optim.accumulate,
        gradient_clip_val=optim.clip_grad or None,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(start.run)],
        logger=False,
        profiler=NoProfiler(),
        enable_checkpointing=start.settings.callbacks.checkpoints and limits is None,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        use_distributed_sampler=False,
        # torch imports its compiler to be told False, which it is unless somebody said otherwise
        deterministic=section.deterministic or (False if torch.are_deterministic_algorithms_enabled() else None),
        benchmark=kind == "cuda" and not section.deterministic,
        default_root_dir=start.run.root,
    )
