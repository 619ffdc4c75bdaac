"""Means of weights: linear, symmetric, the identity on equal ones, and what has none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from clf_cli.data.dataset import Dataset, load_run_dataset
from clf_cli.engine.average import average, estimate_statistics, mean_weights, read_inputs, strangers
from clf_cli.errors import DataError, ModelError, UsageError
from clf_cli.models.build import build_network
from clf_cli.models.checkpoint import Checkpoint, clf_payload, read_checkpoint
from clf_cli.models.compute import Compute
from clf_cli.models.torch_files import save_torch
from clf_cli.settings.load import read_settings
from clf_cli.values.labels import Labels
from clf_cli.values.progress import silent
from clf_cli.values.run_dir import RunDir

CPU = Compute("cpu", 1, 0, "fp32", 0, channels_last=True, deterministic=False)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(scope="module")
def dataset(tiny_run: RunDir) -> Dataset:
    return load_run_dataset(tiny_run, read_settings(tiny_run.settings).data, read_checkpoint(tiny_run.best).labels)


@pytest.fixture(scope="module")
def top(tiny_run: RunDir) -> tuple[Checkpoint, ...]:
    return read_inputs([tiny_run.root])


def states(count: int) -> list[dict[str, torch.Tensor]]:
    rng = torch.Generator().manual_seed(0)
    return [
        {"w": torch.randn(50, generator=rng), "half": torch.randn(3, generator=rng).half(), "n": torch.tensor(number)}
        for number in range(count)
    ]


def test_the_mean_is_that_of_float64_in_any_order_with_the_firsts_counters() -> None:
    three = states(3)
    mean, turned = mean_weights(three), mean_weights(three[::-1])
    exact = torch.stack([state["w"].double() for state in three]).mean(0)
    assert torch.equal(mean["w"], exact.float())
    assert torch.allclose(mean["w"], turned["w"], rtol=1e-6)
    assert mean["half"].dtype == torch.float16
    assert (mean["n"].item(), turned["n"].item()) == (0, 2)


def test_it_is_linear() -> None:
    one, two, _ = states(3)
    scaled = {"w": 3 * one["w"]}
    assert torch.allclose(mean_weights([scaled, {"w": 3 * two["w"]}])["w"], 3 * mean_weights([one, two])["w"])
    assert torch.equal(mean_weights([one, one, one])["w"], one["w"])


def test_large_values_do_not_lose_small_ones() -> None:
    parts = [{"w": torch.tensor([2.0**24])}, {"w": torch.tensor([1.0])}, {"w": torch.tensor([-(2.0**24)])}]
    assert mean_weights(parts)["w"].item() == pytest.approx(1 / 3)


def test_a_run_stands_for_its_top_checkpoints(top: tuple[Checkpoint, ...]) -> None:
    assert [item.epoch for item in top] == [1, 2]


def test_equal_checkpoints_are_their_own_mean_but_for_the_statistics(
    top: tuple[Checkpoint, ...], dataset: Dataset
) -> None:
    made = average([top[1], top[1]], dataset, CPU, silent)
    for name, tensor in made.checkpoint.state_dict.items():
        assert name.endswith(STATISTICS) or torch.equal(tensor, top[1].state_dict[name]), name
    assert made.norm_layers > 0
    assert made.train_images == 60
    assert made.checkpoint.run_id == top[1].run_id


def test_the_order_of_the_arguments_changes_nothing(top: tuple[Checkpoint, ...], dataset: Dataset) -> None:
    one = average(top, dataset, CPU, silent).checkpoint.state_dict
    other = average(top[::-1], dataset, CPU, silent).checkpoint.state_dict
    assert all(torch.allclose(one[name], other[name], rtol=1e-5, atol=1e-6) for name in one)


def test_the_statistics_are_those_of_the_train_images(top: tuple[Checkpoint, ...], dataset: Dataset) -> None:
    """The first norm sees the first convolution of what the loader gives: its mean by hand."""
    settings = top[1].settings | {"augment": {"preset": "none"}, "optim": {"batch_size": 60}}
    plain = replace(top[1], settings=settings)
    network = build_network(plain.arch, 3, image_size=32)
    network.load_state_dict(plain.state_dict)
    seen: list[torch.Tensor] = []
    norm = next(module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))
    norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    assert estimate_statistics(network, plain, dataset, CPU, silent) == 60
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, seen[0].mean((0, 2, 3)), atol=1e-5)
    assert norm.momentum is not None  # as it was
    assert not network.training


def test_a_network_without_batch_norm_needs_no_train_images(top: tuple[Checkpoint, ...], dataset: Dataset) -> None:
    network = build_network("test_vit", 3, image_size=32)
    facts = replace(top[0], arch="test_vit", state_dict=dict(network.state_dict()))
    without = replace(dataset, samples=dataset.split("val"))
    made = average([facts, facts], without, CPU, silent)
    assert (made.norm_layers, made.train_images) == (0, 0)
    with pytest.raises(DataError, match="train"):
        average(top, without, CPU, silent)


def test_inputs_of_other_data_are_said(top: tuple[Checkpoint, ...]) -> None:
    assert strangers(top) == ()
    found = strangers([top[0], replace(top[1], data_fingerprint="sha256:other")])
    assert [finding["path"] for finding in found] == [top[1].path.as_posix()]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arch": "test_vit"}, "one is a test_vit, the other a test_resnet"),
        ({"labels": Labels(("red", "green", "blue"))}, "the same ones in another order"),
        ({"labels": Labels(("blue", "green", "pink"))}, "the first lacks 'red' and has 'pink'"),
        ({"scored_weights": "live"}, "one holds live weights, the other ema ones"),
        ({"preprocess": {"resize_mode": "crop"}}, "their preprocessing differs (resize_mode crop and squash)"),
        (
            {"preprocess": {"height": 48, "width": 48}},
            "their preprocessing differs (height 48 and 32; width 48 and 32)",
        ),
    ],
)
def test_what_has_no_mean(top: tuple[Checkpoint, ...], tmp_path: Path, change: dict[str, Any], words: str) -> None:
    first = top[0]
    if "preprocess" in change:
        change = {"preprocess": replace(first.preprocess, **change["preprocess"])}
    other = replace(first, **change)
    network = {f"network.{name}": tensor for name, tensor in other.state_dict.items()}
    save_torch({"state_dict": network, "clf": clf_payload(other)}, tmp_path / "other.ckpt")
    with pytest.raises(ModelError) as refused:
        read_inputs([first.path, tmp_path / "other.ckpt"])
    assert words in refused.value.message
    assert "other.ckpt" in refused.value.message


def test_no_weights_count_twice(tiny_run: RunDir) -> None:
    with pytest.raises(UsageError, match="hold the same weights"):
        read_inputs([tiny_run.root, tiny_run.best])  # the best one is among the top ones


def test_one_checkpoint_has_no_mean(tiny_run: RunDir) -> None:
    with pytest.raises(UsageError, match=r"best\.ckpt is one"):
        read_inputs([tiny_run.best])
