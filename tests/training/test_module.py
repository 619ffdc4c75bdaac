"""The step's own arithmetic: normalised images, clipped gradients, generators that are seeded."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from clf_cli.settings.root import Settings
from clf_cli.training.callbacks.step_seed import StepSeed, step_key
from clf_cli.training.module import ClassifierModule, StepSettings
from clf_cli.training.schedule import schedule_of
from clf_cli.values.preprocess import Preprocess
from tests.running import TINY_ARCH

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def module(channels_last: bool) -> ClassifierModule:
    from clf_cli.models.build import build_network

    settings = Settings()
    step = StepSettings(
        optim=settings.optim,
        augment=settings.augment,
        preprocess=Preprocess(32, 32, "squash", "bilinear", 1.0, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)),
        schedule=schedule_of(settings.optim, 4, {}),
        classes=3,
        channels_last=channels_last,
        fused_optimizer=True,
        class_weights=None,
    )
    return ClassifierModule(build_network(TINY_ARCH, 3), step, ("a.png",))


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("given", LAYOUTS)
@pytest.mark.parametrize("shape", [(1, 32, 32), (4, 16, 40), (3, 7, 1)])
def test_pixels_are_normalised_as_written_and_left_as_they_are(
    channels_last: bool, given: torch.memory_format, shape: tuple[int, int, int]
) -> None:
    images, height, width = shape
    pixels = torch.randint(256, (images, 3, height, width), dtype=torch.uint8).contiguous(memory_format=given)
    steps = module(channels_last)
    for dtype in (torch.uint8, torch.float32):
        raw = pixels.to(dtype)
        before = raw.clone()
        answer = steps._normalised(raw)
        assert torch.equal(answer, (before.float() - steps._mean) / steps._std)
        assert torch.equal(raw, before)
        assert answer.is_contiguous(memory_format=LAYOUTS[channels_last])


@pytest.mark.parametrize("largest", [1e-3, 0.5, 1.0, 1.0 + 1e-6, 1.5, 100.0])
@pytest.mark.parametrize("size", [1e-4, 1.0, 30.0])
def test_gradients_are_clipped_as_torch_clips_them(largest: float, size: float) -> None:
    steps = module(channels_last=True)
    steps.__dict__["_trainer"] = SimpleNamespace(precision_plugin=SimpleNamespace(), global_step=0)
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(p.shape, generator=generator) for p in steps.network.parameters()]
    scale = size / torch.nn.utils.get_total_norm(gradients)
    for parameter, gradient in zip(steps.network.parameters(), gradients, strict=True):
        parameter.grad = gradient * scale
    optimizer = torch.optim.SGD(steps.network.parameters(), lr=0.1)
    steps.guard.begin(torch.device("cpu"), scaled=False)
    steps.guard.saw(torch.tensor(1.0), torch.tensor([0]), SimpleNamespace(number=1, epoch=1, rate=0.1))  # type: ignore[arg-type]
    steps.configure_gradient_clipping(optimizer, largest, "norm")
    clipped = [p.grad.clone() for p in steps.network.parameters() if p.grad is not None]
    for parameter, gradient in zip(steps.network.parameters(), gradients, strict=True):
        parameter.grad = gradient * scale
    torch.nn.utils.clip_grad_norm_(steps.network.parameters(), largest)
    assert all(
        torch.equal(a, p.grad) for a, p in zip(clipped, steps.network.parameters(), strict=True) if p.grad is not None
    )


def test_a_step_draws_what_torch_draws_with_its_key() -> None:
    seeded = StepSeed(7)
    trainer: Any = SimpleNamespace(current_epoch=2)
    run: Any = SimpleNamespace(device=torch.device("cpu"))
    seeded.on_train_batch_start(trainer, run, None, 5)
    drawn = torch.rand(8)
    torch.manual_seed(step_key(7, 2, 5))
    assert torch.equal(drawn, torch.rand(8))
