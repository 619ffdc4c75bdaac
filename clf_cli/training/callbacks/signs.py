"""Signs that a run learns nothing, each told once, with its likely causes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clf_cli.training.lightning_door import L
from clf_cli.training.module import ClassifierModule
from clf_cli.training.scores import EpochScores, Row, Scoreboard

STEPS = 10  # steps after a resumption whose mean loss is compared
EPOCHS = 3  # epochs in a row that make a sign
CONSTANT = 0.02  # relative spread of losses that counts as none
CHANCE = 0.05  # accuracy above the largest class's share that is still no better than chance


class WarningSigns(L.Callback):
    """Warns of a loss that jumped over a resumption or stands still, and of answers of one class only.

    It stands behind the scoreboard. `largest` is the largest class's share of the training images.
    """

    def __init__(self, scores: Scoreboard, warn: Callable[[str], None], largest: float, *, resumed: bool) -> None:
        self._scores = scores
        self._warn = warn
        self._largest = largest
        self._steps_left = STEPS if resumed else 0
        self._losses: list[Tensor] = []
        self._recorded: float | None = None  # of the last epoch before a resumption
        self._one_class = 0  # epochs in a row
        self._told: list[str] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._scores.rows:
            self._recorded = self._scores.rows[-1]["train/loss"]

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self._steps_left or self._recorded is None:
            return
        assert isinstance(pl_module, ClassifierModule)
        self._steps_left -= 1
        self._losses.append(outputs["loss"].detach() * trainer.accumulate_grad_batches)  # Lightning divides by it
        if not self._steps_left:
            losses, self._losses = self._losses, []
            if text := jumped(float(torch.stack(losses).mean()), self._recorded):
                self._warn(text)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        scored = self._scores.latest
        if scored is None:
            return
        self._one_class = self._one_class + 1 if answers_one_class(scored) else 0
        self._tell("loss", stands_still(self._scores.rows, self._largest))
        if self._one_class >= EPOCHS and scored.predictions is not None:
            answer = scored.predictions.labels.names[int(scored.predictions.predicted[0])]
            self._tell(
                "class",
                f"Every val image was answered {answer!r} in the last {EPOCHS} epochs. A learning rate that is too "
                "high or too low, frozen layers, or classes of very different size (--balance) do that.",
            )

    def state_dict(self) -> dict[str, Any]:
        return {"one_class": self._one_class, "told": self._told}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._one_class, self._told = state_dict["one_class"], list(state_dict["told"])

    def _tell(self, sign: str, text: str | None) -> None:
        if text is not None and sign not in self._told:
            self._told.append(sign)
            self._warn(text)


def jumped(now: float, recorded: float) -> str | None:
    """What to say of a mean loss over the first steps after a resumption, against that of the epoch before."""
    if not now > max(2 * recorded, recorded + 0.5):
        return None
    return (
        f"The loss of the first {STEPS} batches after the resumption is {now:.3g}, and it was {recorded:.3g} in the "
        "epoch before: the run seems to diverge. Other images under the same names, another device or precision, or a "
        "damaged checkpoint do that; --resume RUN/checkpoints/prev.ckpt continues from the one before."
    )


def stands_still(rows: Sequence[Row], largest: float) -> str | None:
    """What to say of epochs whose train loss does not move while the accuracy is no better than chance."""
    last = rows[-EPOCHS:]
    losses = np.array([row["train/loss"] for row in last])
    flat = len(last) == EPOCHS and np.ptp(losses) <= CONSTANT * abs(losses.mean())
    if not flat or any(row["train/acc_top1"] > largest + CHANCE for row in last):
        return None
    return (
        f"The train loss has stood at {losses[-1]:.4g} for {EPOCHS} epochs, and the accuracy is no better than chance: "
        "nothing is learnt. --lr that is too low or too high, --freeze-epochs, or labels that do not belong to their "
        "images (clf inspect-dataset) do that."
    )


def answers_one_class(scored: EpochScores) -> bool:
    """Whether all val images got one answer, where they are of several classes."""
    predictions = scored.predictions
    if predictions is None or len(np.unique(predictions.targets)) < 2:
        return False
    return len(np.unique(predictions.predicted)) == 1
