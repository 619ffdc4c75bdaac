import pytest
import torch
import torch.nn.functional as F

from clf_cli.settings.sections import OptimSection
from clf_cli.training.losses import training_loss

LOGITS = torch.randn(16, 5, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(16) % 5
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 0.25, 4.0])


def soft(targets: torch.Tensor) -> torch.Tensor:
    return F.one_hot(targets, 5).float()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_loss_with_gamma_zero_is_the_cross_entropy(smoothing: float, weights: torch.Tensor | None) -> None:
    optim = OptimSection(loss="focal", focal_gamma=0.0, label_smoothing=smoothing)
    expected = F.cross_entropy(LOGITS, TARGETS, weight=weights, label_smoothing=smoothing)
    assert training_loss(LOGITS, TARGETS, optim, weights).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("loss", ["cross-entropy", "focal"])
def test_hard_targets_are_the_soft_targets_of_certainty(loss: str) -> None:
    optim = OptimSection.model_validate({"loss": loss})
    hard = training_loss(LOGITS, TARGETS, optim, None)
    assert training_loss(LOGITS, soft(TARGETS), optim, None).item() == pytest.approx(hard.item(), rel=1e-5)


def test_focal_loss_counts_easy_images_less() -> None:
    optim = OptimSection(loss="focal", focal_gamma=2.0, label_smoothing=0.0)
    easy = soft(TARGETS) * 8
    ratio = training_loss(LOGITS, TARGETS, optim, None) / F.cross_entropy(LOGITS, TARGETS)
    easy_ratio = training_loss(easy, TARGETS, optim, None) / F.cross_entropy(easy, TARGETS)
    assert easy_ratio < ratio / 100


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_gradient_of_a_certain_answer_is_finite(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0, -200.0]], requires_grad=True)
    optim = OptimSection(loss="focal", focal_gamma=gamma, label_smoothing=0.0)
    training_loss(logits, torch.tensor([0]), optim, None).backward()  # type: ignore[no-untyped-call]  # torch's own
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
