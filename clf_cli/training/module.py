"""The training and validation steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clf_cli.models.exact import exact_fp32, laid_out
from clf_cli.settings.sections import AugmentSection, OptimSection
from clf_cli.training.compiled import CompiledNetwork
from clf_cli.training.finite import OnNan, Step, StepGuard, require_finite_start
from clf_cli.training.graphs import GraphedNetwork
from clf_cli.training.lightning_door import L
from clf_cli.training.losses import training_loss
from clf_cli.training.mean import RunningMean
from clf_cli.training.optimizer import build_optimizer, parameter_groups, replan
from clf_cli.training.schedule import Schedule
from clf_cli.values.preprocess import Preprocess

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
COMPILED = "compiled"  # of a checkpoint: whether the steps before it were


@dataclass(frozen=True)
class StepSettings:
    """What the steps read besides the network."""

    optim: OptimSection
    augment: AugmentSection
    preprocess: Preprocess
    schedule: Schedule
    classes: int
    channels_last: bool
    fused_optimizer: bool
    class_weights: tuple[float, ...] | None  # (C,)
    on_nan: OnNan = "stop"
    graphs: bool = False  # of CUDA: see GraphedNetwork for what they need
    compiled: int | None = None  # images of the batches that are compiled for, in the place of graphs


class ClassifierModule(L.LightningModule):
    """A network with its loss. Batches are (uint8 (B, 3, H, W), targets (B,), indices (B,)) in training and the
    evaluation transform's float32 in validation."""

    _mean: Tensor  # (1, 3, 1, 1), on the scale of uint8
    _std: Tensor
    _class_weights: Tensor | None  # (C,)

    def __init__(self, network: nn.Module, settings: StepSettings, train_paths: tuple[str, ...]) -> None:
        super().__init__()
        self.network = laid_out(network, torch.channels_last) if settings.channels_last else network
        self._settings = settings
        self.guard = StepGuard(self.network, train_paths, settings.on_nan, settings.schedule.total)
        self.train_loss = RunningMean()
        self.train_top1 = RunningMean()
        self._mix = _mix(settings)
        self._faster = _faster(self.network, settings)
        self._was_compiled = False  # before the checkpoint from which the run goes on
        for name, values in (("mean", settings.preprocess.mean), ("std", settings.preprocess.std)):
            self.register_buffer(f"_{name}", torch.tensor(values).view(1, 3, 1, 1) * 255.0, persistent=False)
        weights = None if settings.class_weights is None else torch.tensor(settings.class_weights)
        self.register_buffer("_class_weights", weights, persistent=False)

    def on_train_start(self) -> None:
        require_finite_start(self.network, "What the run continues from" if self.trainer.ckpt_path else "The network")
        replan(
            self.trainer.optimizers[0],
            self.trainer.lr_scheduler_configs[0].scheduler,
            parameter_groups(self.network, self._settings.optim),
            self._settings.schedule,
        )

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        pixels, targets, indices = batch
        self.guard.begin(pixels.device, self._scaler is not None)
        loss, logits, labels = self.loss_of(pixels, targets)
        self.guard.saw(loss.detach(), indices, self._step())
        hard = labels.argmax(dim=1) if labels.ndim > 1 else labels
        self.train_loss.update(loss.detach(), len(targets))
        self.train_top1.update((logits.detach().argmax(dim=1) == hard).float())
        return loss

    def loss_of(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, a scalar, of uint8 (B, 3, H, W); logits (B, C); the targets as mixup made them, (B,) or (B, C)."""
        images, labels = self._mixed(pixels, targets)
        logits = (self.network if self._faster is None else self._faster)(images).float()
        return training_loss(logits, labels, self._settings.optim, self._class_weights), logits, labels

    @property
    def fallback(self) -> str | None:
        """Why training steps call the network plainly although they should not; None while they need not."""
        if self._faster is None or self._faster.failed is None:
            return None
        told = (
            f"{self._faster.failing}: {self._faster.failed.rstrip('.')}. Training goes on without, at the usual speed"
        )
        return f"{told}, and not bit for bit: its earlier steps were compiled." if self._was_compiled else f"{told}."

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        """Logits (B, C) in float32, whatever precision trains."""
        with exact_fp32():
            logits: Tensor = self.network(self._laid_out(batch[0]))
        return logits

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Compiles before the first step, and again where from now on other parameters learn (after FreezeBody)."""
        if isinstance(self._faster, CompiledNetwork) and self._faster.is_stale():
            size, p = self._settings.compiled, self._settings.preprocess
            assert size is not None
            pixels = torch.zeros((size, 3, p.height, p.width), dtype=torch.uint8, device=self.device)
            with torch.random.fork_rng(devices=[]), self.trainer.precision_plugin.forward_context():
                self._faster.prepare(self._mixed(pixels, torch.zeros(size, dtype=torch.int64, device=self.device))[0])

    def on_train_epoch_end(self) -> None:
        self.guard.check()

    def on_validation_start(self) -> None:
        self.guard.check()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.guard.check()
        if isinstance(self._faster, CompiledNetwork):
            checkpoint[COMPILED] = self._faster.failed is None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A run that could not be compiled goes on as it was, whatever can be compiled now."""
        self._was_compiled = checkpoint.get(COMPILED, False)
        if isinstance(self._faster, CompiledNetwork) and checkpoint.get(COMPILED) is False:
            self._faster.fall_back("it could not be when the run began")

    def configure_optimizers(self) -> Any:
        schedule = self._settings.schedule
        optimizer = build_optimizer(self.network, self._settings.optim, fused=self._settings.fused_optimizer)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule.factor(step))  # noqa: PLW0108  # it would save a method's state
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the norm, and drops the gradients of a step that is not taken: Lightning calls this before every step.

        Lightning 2.6.6 itself refuses to clip for fused optimisers under bf16, where no gradient is scaled.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
        scaler = self._scaler
        if not self.guard.admits(norm, overflow_is_scale=scaler is not None and scaler.get_scale() >= 1):
            for parameter in parameters:
                parameter.grad = None
        elif gradient_clip_val is not None and not (self.guard.at_once and gradient_clip_val >= norm + 1e-6):
            # at once: the norm was read, and a gradient within the limit would be multiplied by 1, a pass over it all
            torch.nn.utils.clip_grads_with_norm_(parameters, gradient_clip_val, norm)

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        super().optimizer_step(*arguments, **named)
        self.guard.check_after(self.trainer.optimizers[0].param_groups)

    @property
    def _scaler(self) -> torch.amp.GradScaler | None:
        """What scales the loss under fp16."""
        scaler: torch.amp.GradScaler | None = getattr(self.trainer.precision_plugin, "scaler", None)
        return scaler

    def _step(self) -> Step:
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        return Step(self.trainer.global_step + 1, self.current_epoch + 1, rate)

    def _mixed(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What the network sees, float32 (B, 3, H, W), and the targets that belong to it."""
        images = self._normalised(pixels)
        return (images, targets) if self._mix is None else self._mix(images, targets)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """float32, in the run's layout: a copy that is changed in place, because new memory costs more than sums. Rows
        of all channels are a third of the time of (1, 3, 1, 1)."""
        if not self._settings.channels_last:
            return (
                pixels.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
                .sub_(self._mean)
                .div_(self._std)
            )
        images = pixels.to(torch.float32, memory_format=torch.channels_last, copy=True)
        rows = images.permute(0, 2, 3, 1).view(-1, 3 * images.shape[3])
        rows.sub_(self._mean.view(3).repeat(images.shape[3])).div_(self._std.view(3).repeat(images.shape[3]))
        return images

    def _laid_out(self, images: Tensor) -> Tensor:
        layout = torch.channels_last if self._settings.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)  # the loaders' batches are channels-last


def _faster(network: nn.Module, settings: StepSettings) -> GraphedNetwork | CompiledNetwork | None:
    """What calls the network in training steps; no module, so that it adds no name to the weights."""
    if settings.compiled is not None:
        return CompiledNetwork(network)
    return GraphedNetwork(network) if settings.graphs else None


def _mix(settings: StepSettings) -> Mix | None:
    """Mixup, CutMix, or either at random; torch's generator, which is seeded at every step, draws."""
    if settings.augment.mixup <= 0 and settings.augment.cutmix <= 0:
        return None
    from torchvision.transforms import v2  # costs seconds: only where it is used

    chosen: list[Mix] = []
    if settings.augment.mixup > 0:
        chosen.append(v2.MixUp(alpha=settings.augment.mixup, num_classes=settings.classes))
    if settings.augment.cutmix > 0:
        chosen.append(v2.CutMix(alpha=settings.augment.cutmix, num_classes=settings.classes))
    either: Mix = v2.RandomChoice(chosen)
    return chosen[0] if len(chosen) == 1 else either
