"""fp16's loss scale on a CPU, through Lightning's own precision plugin: overflow at a high scale is no failure."""

from typing import Any

import lightning.pytorch as L
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch.utils.data import DataLoader, TensorDataset

from clf_cli.models.build import build_network
from clf_cli.settings.sections import AugmentSection, EmaSection, OptimSection
from clf_cli.training.ema import Ema
from clf_cli.training.finite import OnNan
from clf_cli.training.module import ClassifierModule, StepSettings
from clf_cli.training.schedule import schedule_of
from clf_cli.training.session import quiet_libraries
from clf_cli.values.preprocess import Preprocess
from tests.running import TINY_ARCH

STEPS = 12


class Taken(L.Callback):
    """Whether each step was taken, whether it changed the weights, and the scale after it."""

    def __init__(self) -> None:
        self.steps: list[tuple[bool, bool, float]] = []
        self._before = torch.zeros(0)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._before = weight_of(pl_module).clone()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ClassifierModule)
        assert isinstance(trainer.precision_plugin, MixedPrecision)
        assert trainer.precision_plugin.scaler is not None
        changed = not torch.equal(self._before, weight_of(pl_module))
        self.steps.append((pl_module.guard.taken, changed, trainer.precision_plugin.scaler.get_scale()))


def weight_of(module: L.LightningModule) -> torch.Tensor:
    return module.get_parameter("network.fc.weight").detach()


def train(on_nan: OnNan, scale: float) -> tuple[ClassifierModule, Taken, Ema]:
    torch.manual_seed(0)  # how far the scale must fall depends on the weights
    optim = OptimSection(epochs=1, lr=1e-4, warmup_epochs=0)
    module = ClassifierModule(
        build_network(TINY_ARCH, 3, image_size=(32, 32)),
        StepSettings(
            optim=optim,
            augment=AugmentSection(),
            preprocess=Preprocess(32, 32, "squash", "bicubic", 1.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            schedule=schedule_of(optim, STEPS, {}),
            classes=3,
            channels_last=False,
            fused_optimizer=False,
            class_weights=None,
            on_nan=on_nan,
        ),
        tuple(f"{number}.png" for number in range(4 * STEPS)),
    )
    images = torch.randint(256, (4 * STEPS, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(images, torch.arange(4 * STEPS) % 3, torch.arange(4 * STEPS))
    taken, ema = Taken(), Ema(EmaSection())
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=1,
        plugins=[MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))],
        gradient_clip_val=1.0,
        callbacks=[ema, taken],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with quiet_libraries(None):
        trainer.fit(module, DataLoader(data, batch_size=4))
    return module, taken, ema


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_a_scale_that_is_too_high_falls_until_steps_are_taken(on_nan: OnNan) -> None:
    module, taken, ema = train(on_nan, 2.0**24)
    went = [step for step, _, _ in taken.steps]
    assert not went[0]
    assert went[-1]
    assert went == sorted(went)  # left out first, then taken
    assert [changed for _, changed, _ in taken.steps] == went
    assert [scale for _, _, scale in taken.steps] == [2.0 ** (24 - min(n + 1, went.count(False))) for n in range(STEPS)]
    assert module.guard.skipped == 0
    assert ema.state_dict()["updates"] == sum(went)
