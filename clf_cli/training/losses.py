"""Training losses over hard or soft targets."""

import torch.nn.functional as F
from torch import Tensor

from clf_cli.settings.sections import OptimSection

CERTAIN = 1e-12  # below every 1 - p of float32 but 0, where the slope of a root is infinite: the gradient would be NaN


def training_loss(logits: Tensor, targets: Tensor, optim: OptimSection, class_weights: Tensor | None) -> Tensor:
    """Mean loss of a batch, a scalar.

    `targets` are class indices (B,) or, under mixup and CutMix, probabilities (B, C). `class_weights` (C,) weigh the
    classes as torch's cross-entropy does.
    """
    if optim.loss == "focal":
        return focal_loss(logits, targets, optim, class_weights)
    return F.cross_entropy(logits, targets, weight=class_weights, label_smoothing=optim.label_smoothing)


def focal_loss(logits: Tensor, targets: Tensor, optim: OptimSection, class_weights: Tensor | None) -> Tensor:
    """Cross-entropy whose terms are scaled by (1 - p)^gamma; gamma 0 is the cross-entropy.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017, equation 4, on (smoothed) target distributions.
    """
    classes = logits.shape[1]
    soft = targets if targets.is_floating_point() else F.one_hot(targets, classes).to(logits.dtype)
    soft = soft * (1.0 - optim.label_smoothing) + optim.label_smoothing / classes
    log_probabilities = F.log_softmax(logits.float(), dim=1)
    terms = -soft * (1.0 - log_probabilities.exp()).clamp_min(CERTAIN) ** optim.focal_gamma * log_probabilities
    if class_weights is None:
        return terms.sum(dim=1).mean()
    weighted = (terms * class_weights).sum(dim=1)
    if targets.is_floating_point():
        return weighted.mean()
    return weighted.sum() / class_weights[targets].sum()
