import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from clf_cli.settings.sections import EmaSection
from clf_cli.training.ema import Ema, ramped_decay

IMAGES = torch.randn(32, 6, generator=torch.Generator().manual_seed(0))
TARGETS = (IMAGES.sum(1) > 0).long()


class Tiny(L.LightningModule):
    """Remembers the live weights after every step and the weights that each validation saw."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        self.live: list[dict[str, torch.Tensor]] = []
        self.validated: list[dict[str, torch.Tensor]] = []

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def on_train_batch_end(self, *_: object) -> None:
        self.live.append(copied(self.network))

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        self.validated.append(copied(self.network))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def fit(ema: Ema, accumulate: int = 1, epochs: int = 2) -> tuple[Tiny, L.Trainer]:
    module = Tiny()
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[ema],
        accumulate_grad_batches=accumulate,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
    )
    data = TensorDataset(IMAGES, TARGETS)
    trainer.fit(module, DataLoader(data, 8), DataLoader(data, 32))
    return module, trainer


def saved(ema: Ema, trainer: L.Trainer, module: Tiny) -> dict[str, dict[str, torch.Tensor]]:
    """What would be written to the disk now."""
    checkpoint: dict[str, dict[str, torch.Tensor]] = {}
    ema.on_save_checkpoint(trainer, module, checkpoint)
    return {key: {name: tensor.clone() for name, tensor in state.items()} for key, state in checkpoint.items()}


def averaged_by_hand(steps: list[dict[str, torch.Tensor]], start: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    average = dict(start)
    for update, live in enumerate(steps):
        decay = min(0.9999, (1 + update) / (10 + update))
        average = {
            name: decay * average[name] + (1 - decay) * live[name] if live[name].is_floating_point() else live[name]
            for name in live
        }
    return average


def test_the_decay_ramps_up_to_its_limit() -> None:
    decays = [ramped_decay(updates, 0.9) for updates in range(200)]
    assert decays[0] == pytest.approx(0.1)
    assert decays == sorted(decays)
    assert decays[-1] == 0.9


def test_validation_sees_the_average_and_training_goes_on_with_the_live_weights() -> None:
    ema = Ema(EmaSection())
    module, _ = fit(ema)
    expected = averaged_by_hand(module.live, copied(Tiny().network))
    for name, tensor in module.validated[-1].items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-6)
    assert all(torch.equal(tensor, module.live[-1][name]) for name, tensor in copied(module.network).items())


def test_integer_buffers_are_counted_not_averaged() -> None:
    module, _ = fit(Ema(EmaSection()))
    assert int(module.validated[-1]["1.num_batches_tracked"]) == 8


def test_the_average_follows_the_weights_during_its_warmup() -> None:
    module, _ = fit(Ema(EmaSection(warmup_steps=4)), epochs=1)
    assert all(torch.equal(tensor, module.live[3][name]) for name, tensor in module.validated[0].items())


def test_accumulated_batches_update_once_per_optimiser_step() -> None:
    ema = Ema(EmaSection())
    fit(ema, accumulate=2)
    assert ema.state_dict()["updates"] == 4


def test_checkpoints_name_both_weight_sets_also_inside_validation() -> None:
    ema = Ema(EmaSection())
    module, trainer = fit(ema)
    outside = saved(ema, trainer, module)
    ema.on_validation_epoch_start(trainer, module)
    inside = saved(ema, trainer, module)
    ema.on_exception(trainer, module, KeyboardInterrupt())
    for key in ("state_dict", "current_model_state"):
        assert all(torch.equal(inside[key][name], tensor) for name, tensor in outside[key].items())
    assert torch.equal(outside["current_model_state"]["network.0.weight"], module.network[0].weight)
    assert not torch.equal(outside["state_dict"]["network.0.weight"], module.network[0].weight)


def test_saving_and_loading_is_the_identity() -> None:
    ema = Ema(EmaSection())
    module, trainer = fit(ema)
    checkpoint = saved(ema, trainer, module)
    other, fresh = Tiny(), Ema(EmaSection())
    fresh.setup(trainer, other, "fit")
    fresh.on_load_checkpoint(trainer, other, checkpoint)
    fresh.load_state_dict(ema.state_dict())
    again = saved(fresh, trainer, other)
    assert fresh.state_dict() == ema.state_dict()
    for key, state in checkpoint.items():
        assert all(torch.equal(again[key][name], tensor) for name, tensor in state.items())
