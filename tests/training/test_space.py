"""The room that a run takes: what is estimated is what the finished run has."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from clf_cli.errors import RunError
from clf_cli.models.build import build_network
from clf_cli.training.space import free_mb, require_space, sizes_mb, space_needed
from clf_cli.training.start import Start
from clf_cli.values.run_dir import RunDir
from tests.starts import tiny_start


@pytest.fixture
def start(tiny_dataset: Path, tmp_path: Path) -> Start:
    return tiny_start(tiny_dataset, tmp_path / "runs")


@pytest.fixture
def network() -> nn.Module:
    return build_network("test_resnet", 3, 0.0, image_size=(32, 32))


def with_train(start: Start, **changes: object) -> Start:
    train = start.settings.train.model_copy(update=changes)
    return replace(start, settings=start.settings.model_copy(update={"train": train}))


def test_the_estimate_is_what_a_run_has(start: Start, network: nn.Module, tiny_run: RunDir) -> None:
    need = space_needed(start, *sizes_mb(network))
    files = [file.stat() for file in tiny_run.checkpoints.rglob("*.ckpt")]
    kept = sum({file.st_ino: file.st_size for file in files}.values()) / 1e6
    exported = sum(file.stat().st_size for file in tiny_run.export.rglob("*") if file.is_file()) / 1e6
    assert need.checkpoints_mb == pytest.approx(kept, rel=0.15)
    assert need.export_mb == pytest.approx(exported, rel=0.25)
    assert need.least_mb < need.most_mb


def test_step_checkpoints_are_counted(start: Start, network: nn.Module) -> None:
    assert space_needed(start, *sizes_mb(network)).steps_mb == 0
    every = space_needed(with_train(start, checkpoint_every_steps=4), *sizes_mb(network))
    whole = (sizes_mb(network)[0] * 2) + sizes_mb(network)[1] * 2
    assert every.steps_mb == pytest.approx(whole * 4)  # of 16 steps


def test_a_network_that_cannot_be_kept_is_refused_and_one_that_may_be_too_large_is_warned_of(start: Start) -> None:
    free = free_mb(start.run.root)
    assert free is not None
    huge = nn.Linear(1, 1, device="meta")
    huge.weight = nn.Parameter(torch.empty(int(free * 1e6), device="meta"))  # four times the disk
    with pytest.raises(RunError, match=r"needs at least .* MB for checkpoints and export") as told:
        require_space(start, huge)
    assert "--out" in str(told.value.hint)
    assert not start.run.root.exists()
    huge.weight = nn.Parameter(torch.empty(int(free * 1e6 / 4 / 200), device="meta"))
    steps = with_train(start, checkpoint_every_steps=1)
    assert require_space(start, huge) == ()
    many = replace(
        steps,
        settings=steps.settings.model_copy(update={"optim": start.settings.optim.model_copy(update={"epochs": 99})}),
    )
    (warning,) = require_space(many, huge)
    assert "may write" in warning
    assert "--dry-run" in warning


def test_what_a_resumed_run_has_is_not_counted_again(start: Start) -> None:
    free = free_mb(start.run.root)
    assert free is not None
    large = nn.Linear(1, 1, device="meta")
    large.weight = nn.Parameter(torch.empty(int(free * 1e6 / 4 / 12), device="meta"))
    with pytest.raises(RunError):
        require_space(start, large)
    start.run.checkpoints.mkdir(parents=True)
    start.run.last.touch()
    os.truncate(start.run.last, int(free * 1e6 * 0.5))  # sparse: it has a size and takes nothing
    assert isinstance(require_space(start, large), tuple)
