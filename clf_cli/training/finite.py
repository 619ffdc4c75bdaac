"""Loss, gradients and weights that are not finite: found, named, and kept out of every checkpoint."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from clf_cli.errors import ModelError, RunError

OnNan = Literal["stop", "skip"]
IN_A_ROW = 10  # skipped steps that end a run
SHARE = 0.01  # of a run's steps that may be skipped, where that is more than IN_A_ROW
GROUP = 50  # steps whose numbers are read together where a read makes the device wait
SHOWN = 32  # images that a message names: a batch, unless it is larger than is usual
HINT = (
    "Lower --lr, set --clip-grad, or train in --precision fp32, in a new run (another --name); checkpoints that were "
    "saved before are intact."
)
LARGEST_NORM = 1e18  # of a gradient whose squares, and their sums over steps, stay finite in float32
SAVED = ("state_dict", "current_model_state", "optimizer_states")  # what of a checkpoint holds the run's numbers


@dataclass(frozen=True)
class Step:
    """An optimiser step, counted from 1, with its epoch and learning rate."""

    number: int
    epoch: int
    rate: float


@dataclass(frozen=True)
class Watched:
    """A number of a step, not read yet, with the indices (B,) of the images that it comes from."""

    what: str
    value: Tensor
    step: Step
    images: tuple[Tensor, ...]


class StepGuard:
    """Judges every optimiser step by its losses, the norm of its gradients and the weights after it.

    With `at_once` each number is read before the step is taken: free on a CPU, a wait on a GPU. Otherwise they are read
    in groups, and by `check`, which every validation and every save calls first. `skip` needs `at_once`.
    """

    def __init__(self, network: nn.Module, paths: Sequence[str], on_nan: OnNan, steps: int) -> None:
        self._network = network
        self._paths = paths
        self._skips = on_nan == "skip"
        self._most = max(IN_A_ROW, int(steps * SHARE))
        self._batches: list[Watched] = []  # losses of the step under way
        self._waiting: list[Watched] = []
        self._buffers: list[Tensor] = []
        self._kept: list[Tensor] = []
        self._last: Watched | None = None
        self._began = False
        self.at_once = True
        self.skipped = 0
        self.in_a_row = 0
        self.refused: str | None = None  # why the last step was not taken

    @property
    def taken(self) -> bool:
        """Whether the last step changed the weights."""
        return self.refused is None

    def begin(self, device: torch.device, scaled: bool) -> None:
        """Before each batch. Batch statistics change in the forward pass, so a step that is skipped needs them back."""
        self.at_once = self._skips or scaled or device.type == "cpu"
        if not self._skips or self._batches:
            return
        if not self._kept or self._kept[0].device != device:
            self._buffers = list(self._network.buffers())
            self._kept = [buffer.clone() for buffer in self._buffers]
        elif self._kept:
            torch._foreach_copy_(self._kept, self._buffers)

    def saw(self, loss: Tensor, images: Tensor, step: Step) -> None:
        """After each batch. Raises RunError (exit 6) for a loss that stops the run."""
        self._batches.append(Watched("loss", loss, step, (images,)))
        if self.at_once and not self._skips:
            self._refuse_first(self._batches[-1:])

    def admits(self, norm: Tensor, overflow_is_scale: bool = False) -> bool:
        """Whether the step may be taken, whose gradients have this norm. Raises RunError (exit 6) to end the run.

        Under fp16 a gradient that overflows at a high loss scale is the scale's fault: the step is left out, not
        counted, and the scaler lowers its scale.
        """
        batches, self._batches = self._batches, []
        images = tuple(tensor for batch in batches for tensor in batch.images)
        gradient = Watched("gradient", norm, batches[0].step, images)
        self._last, self.refused = gradient, None
        if not self.at_once:
            self._waiting += [*batches, gradient]
            if len(self._waiting) >= 2 * GROUP:
                self.check()
            return True
        bad = next((one for one in (*batches, gradient, *self._statistics(gradient)) if not is_finite(one.value)), None)
        if bad is None:
            self.in_a_row = 0
        elif bad is gradient and overflow_is_scale:
            self.refused = "the gradient overflowed at the loss scale of fp16"
        else:
            self._refuse(bad)
        return bad is None

    def check(self) -> None:
        """Reads what was not read yet, and the weights. Raises RunError (exit 6)."""
        waiting, self._waiting = self._waiting, []
        if waiting and not is_finite(torch.stack([one.value.float() for one in waiting])):
            self._refuse_first(waiting)
        self.check_weights()

    def check_after(self, groups: Sequence[Mapping[str, Any]]) -> None:
        """Reads the weights after a step that could have spoilt them. Raises RunError (exit 6).

        The first step of a process could, for an optimiser's state comes from a file.
        """
        if not self.at_once or self._last is None:
            return
        if not self._began or not stays_finite(groups, float(self._last.value)):
            self.check_weights()
        self._began = True

    def check_weights(self) -> None:
        """Raises RunError (exit 6) for weights that are not finite: no step can be skipped that was taken."""
        broken = first_not_finite(self._network.named_parameters())
        if broken is None or self._last is None:
            return
        last = self._last
        raise RunError(
            f"Weights of {broken} became NaN or infinite at step {last.step.number} (epoch {last.step.epoch}, learning "
            f"rate {last.step.rate:.3g}). {self._named(last)}",
            HINT,
        )

    def _statistics(self, gradient: Watched) -> Iterator[Watched]:
        """Batch statistics, where a step that spoils them can be undone: averages of what a finite loss may hide."""
        floats = [buffer for buffer in self._buffers if buffer.is_floating_point()]
        if self._skips and floats:
            norms = torch.stack(torch._foreach_norm(floats))
            yield Watched("batch statistics", norms.sum(), gradient.step, gradient.images)

    def _refuse_first(self, watched: Sequence[Watched]) -> None:
        bad = next((one for one in watched if not is_finite(one.value)), None)
        if bad is not None:
            raise RunError(self._sentence(bad), HINT)

    def _refuse(self, bad: Watched) -> None:
        if not self._skips:
            raise RunError(self._sentence(bad), HINT)
        if self._kept:
            torch._foreach_copy_(self._buffers, self._kept)
        self.skipped += 1
        self.in_a_row += 1
        self.refused = self._sentence(bad)
        if self.in_a_row >= IN_A_ROW or self.skipped > self._most:
            row = f"{self.in_a_row} in a row" if self.in_a_row >= IN_A_ROW else f"more than {self._most} of the run"
            raise RunError(f"{self.skipped} steps were skipped, {row}. The last: {self.refused}", HINT)

    def _sentence(self, bad: Watched) -> str:
        step = bad.step
        return (
            f"The {bad.what} became {bad.value.item()} at step {step.number} (epoch {step.epoch}, learning rate "
            f"{step.rate:.3g}). {self._named(bad)}"
        )

    def _named(self, watched: Watched) -> str:
        indices = [index for tensor in watched.images for index in tensor.tolist()]
        shown = ", ".join(self._paths[index] for index in indices[:SHOWN])
        more = f" and {len(indices) - SHOWN} more" if len(indices) > SHOWN else ""
        return f"Images of that batch: {shown}{more}."


def stays_finite(groups: Sequence[Mapping[str, Any]], norm: float) -> bool:
    """Whether a step of AdamW or SGD by a finite gradient of this norm leaves finite weights finite, by arithmetic.

    AdamW moves a weight by at most (1 - beta1) / sqrt(1 - beta2) rates, 3.2 by default (Kingma & Ba, 2015, section
    2.1), SGD by at most 19 rates times the largest gradient so far; decay shrinks it while rate times decay is below 1.
    """
    small = all(group["lr"] <= 1 and group["lr"] * group["weight_decay"] <= 1 for group in groups)
    return small and norm < LARGEST_NORM


def is_finite(values: Tensor) -> bool:
    """Whether all of them are. Reads the answer, which waits for the device."""
    return bool(torch.isfinite(values).all().item())


def first_not_finite(named: Iterable[tuple[str, Tensor]]) -> str | None:
    """The name of the first floating tensor that holds NaN or infinity.

    The norms are read together. Only where they are not finite, which a large weight's square can do too, each tensor
    is looked at. 1.7 ms for the 11 million weights of a resnet18 on one thread, whose step takes 470 ms at 64 px.
    """
    floats = [(name, tensor.detach()) for name, tensor in named if tensor.is_floating_point() and tensor.numel()]
    alike: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for _, tensor in floats:
        alike.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    if all(is_finite(torch.stack(torch._foreach_norm(group))) for group in alike.values()):
        return None
    return next((name for name, tensor in floats if not is_finite(tensor)), None)


def require_finite(checkpoint: Mapping[str, Any]) -> None:
    """Raises RunError (exit 6) for weights, an average or an optimiser's state that are not finite, before they are
    written."""
    broken = first_not_finite(named for key in SAVED for named in _tensors(checkpoint.get(key), key))
    if broken is not None:
        raise RunError(f"No checkpoint was written: {broken} holds NaN or infinity.", HINT)


def require_finite_start(network: nn.Module, source: str) -> None:
    """Raises ModelError (exit 4) for weights that are not finite before the first step."""
    broken = first_not_finite(network.state_dict().items())
    if broken is not None:
        raise ModelError(
            f"{source} holds NaN or infinity in {broken}.", "Start from other weights, or from an earlier checkpoint."
        )


def _tensors(value: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _tensors(item, f"{path}.{index}")
