"""A running mean that never makes the device wait."""

import torch
from torch import Tensor

from clf_cli.training.lightning_door import Metric


class RunningMean(Metric):
    """The weighted mean of what it was given. torchmetrics' own (1.9) reads the device at every update, for NaN."""

    full_state_update = False
    mean_value: Tensor  # the sum until it is computed, as torchmetrics' own calls it
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("mean_value", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("weight", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, values: Tensor, weight: float = 1.0) -> None:
        """Values of any shape, of one weight each. What is not finite is left out, and its weight with it."""
        finite = torch.isfinite(values)
        self.mean_value += (torch.where(finite, values, 0.0) * weight).sum()
        self.weight += (finite * weight).sum()

    def compute(self) -> Tensor:
        return self.mean_value / self.weight
