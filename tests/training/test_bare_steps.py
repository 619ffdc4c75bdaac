"""The limit is a training step: it learns, in turns, in the precision that is asked for."""

import torch
from torch import nn

from clf_cli.settings.sections import OptimSection
from clf_cli.training.bare_steps import TURNS, BareSteps, Way, in_turns


class Net(nn.Module):
    """Tells what reached it."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
        self.seen = seen

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.conv(images)
        self.seen.append(f"{found.dtype} {images.is_contiguous(memory_format=torch.channels_last)}")
        logits: torch.Tensor = self.head(found.mean(dim=(2, 3)))
        return logits


def steps(seen: list[str], precision: str = "fp32", channels_last: bool = True) -> BareSteps:
    way = Way("cpu", precision, torch.get_num_threads(), channels_last)
    return BareSteps(Net(seen), (4, 8, 8), 3, OptimSection(), way)


def test_ways_take_turns_and_each_is_timed() -> None:
    seen: list[str] = []
    first, second = steps(seen), steps(seen, "bf16", channels_last=False)
    in_turns([first, second], 1e-9)
    turn = ["torch.float32 True", "torch.bfloat16 False"]
    assert seen == turn * (1 + TURNS)  # to warm up, and in each turn
    assert len(first.seconds) == len(first.cpu) == len(second.seconds) == TURNS
    assert first.median > 0


def test_each_is_timed_for_as_long_as_asked() -> None:
    one = steps([])
    in_turns([one], 0.05)
    assert sum(one.seconds) >= 0.05


def test_a_step_changes_every_weight() -> None:
    network = Net([])
    before = [parameter.clone() for parameter in network.parameters()]
    one = BareSteps(network, (4, 8, 8), 3, OptimSection(), Way("cpu", "fp32", torch.get_num_threads(), True))
    one.warm_up()
    assert all(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
