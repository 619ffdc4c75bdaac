"""The training and validation steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from clf_cli.errors import RunError
from clf_cli.models.exact import exact_fp32, laid_out
from clf_cli.settings.sections import AugmentSection, OptimSection
from clf_cli.training.losses import is_finite, training_loss
from clf_cli.training.optimizer import build_optimizer
from clf_cli.training.schedule import StepPlan, lr_factor
from clf_cli.values.preprocess import Preprocess

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
LossWatch = tuple[int, Tensor, Tensor]  # step, loss, indices of the batch's images


@dataclass(frozen=True)
class StepSettings:
    """What the steps read besides the network."""

    optim: OptimSection
    augment: AugmentSection
    preprocess: Preprocess
    plan: StepPlan
    classes: int
    channels_last: bool
    fused_optimizer: bool
    class_weights: tuple[float, ...] | None  # (C,)


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
        self._train_paths = train_paths
        self.train_loss = MeanMetric()
        self.train_top1 = MeanMetric()
        self._mix = _mix(settings)
        self._watched: list[LossWatch] = []
        for name, values in (("mean", settings.preprocess.mean), ("std", settings.preprocess.std)):
            self.register_buffer(f"_{name}", torch.tensor(values).view(1, 3, 1, 1) * 255.0, persistent=False)
        weights = None if settings.class_weights is None else torch.tensor(settings.class_weights)
        self.register_buffer("_class_weights", weights, persistent=False)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        pixels, targets, indices = batch
        images = self._laid_out((pixels.float() - self._mean) / self._std)
        labels = targets
        if self._mix is not None:
            images, labels = self._mix(images, targets)
        logits = self.network(images).float()
        loss = training_loss(logits, labels, self._settings.optim, self._class_weights)
        self._watch(loss.detach(), indices)
        hard = labels.argmax(dim=1) if labels.ndim > 1 else labels
        self.train_loss.update(loss.detach(), len(targets))
        self.train_top1.update((logits.detach().argmax(dim=1) == hard).float())
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        """Logits (B, C) in float32, whatever precision trains."""
        with exact_fp32():
            logits: Tensor = self.network(self._laid_out(batch[0]))
        return logits

    def on_train_epoch_end(self) -> None:
        self._check_losses()

    def on_validation_start(self) -> None:
        self._check_losses()

    def configure_optimizers(self) -> Any:
        plan = self._settings.plan
        optimizer = build_optimizer(self.network, self._settings.optim, fused=self._settings.fused_optimizer)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: lr_factor(step, plan))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the norm. Lightning 2.6.6 refuses fused optimisers under bf16, where no gradient is scaled."""
        if gradient_clip_val is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_val)

    def _laid_out(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=torch.channels_last) if self._settings.channels_last else images

    def _watch(self, loss: Tensor, indices: Tensor) -> None:
        """A read of the loss makes a GPU wait, so losses are read in groups there and at once on a CPU."""
        self._watched.append((self.trainer.global_step + 1, loss, indices))
        if loss.device.type == "cpu" or len(self._watched) >= 50:
            self._check_losses()

    def _check_losses(self) -> None:
        watched, self._watched = self._watched, []
        if not watched or is_finite(torch.stack([loss for _, loss, _ in watched]).sum()):
            return
        step, loss, indices = next(entry for entry in watched if not is_finite(entry[1]))
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        shown = ", ".join(self._train_paths[index] for index in indices.tolist()[:8])
        raise RunError(
            f"The loss became {loss.item()} at step {step} (epoch {self.current_epoch + 1}, learning rate {rate:.3g}). "
            f"Images of that batch: {shown}{', ...' if len(indices) > 8 else ''}.",
            "Lower --lr, set --clip-grad, or train in --precision fp32; the checkpoints before this epoch are intact.",
        )


def _mix(settings: StepSettings) -> Mix | None:
    """Mixup, CutMix, or either at random; torch's generator, which is seeded at every step, draws."""
    from torchvision.transforms import v2  # costs seconds: only where it is used

    chosen: list[Mix] = []
    if settings.augment.mixup > 0:
        chosen.append(v2.MixUp(alpha=settings.augment.mixup, num_classes=settings.classes))
    if settings.augment.cutmix > 0:
        chosen.append(v2.CutMix(alpha=settings.augment.cutmix, num_classes=settings.classes))
    if not chosen:
        return None
    either: Mix = v2.RandomChoice(chosen)
    return chosen[0] if len(chosen) == 1 else either
