"""An epoch that was done in two parts has the time of both."""

import csv
from pathlib import Path

import lightning.pytorch as L
import pytest
import torch

from clf_cli.training.callbacks.timing import TimingCallback
from clf_cli.values.run_dir import RunDir

BATCH = (torch.zeros(8, 3, 2, 2), torch.zeros(8), torch.zeros(8))


class Clock:
    """Seconds that the test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def batches(timing: TimingCallback, clock: Clock, trainer: L.Trainer, module: L.LightningModule, count: int) -> None:
    """Each waits a second and trains for three."""
    for index in range(count):
        clock.now += 1
        timing.on_train_batch_start(trainer, module, BATCH, index)
        clock.now += 3
        timing.on_train_batch_end(trainer, module, None, BATCH, index)


def rows(run: RunDir) -> list[dict[str, str]]:
    with run.timing.open(newline="") as file:
        return list(csv.DictReader(file))


def test_seconds_and_images_of_both_parts_and_not_the_pause_between(tmp_path: Path) -> None:
    run, module = RunDir(tmp_path), L.LightningModule()
    trainer = L.Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    clock = Clock()
    first = TimingCallback(run, clock)
    first.on_train_start(trainer, module)
    first.on_train_epoch_start(trainer, module)
    batches(first, clock, trainer, module, 3)
    state = first.state_dict()
    batches(first, clock, trainer, module, 1)  # lost: the process is killed here
    clock.now += 1000
    second = TimingCallback(run, clock)
    second.load_state_dict(state)
    clock.now += 5  # preparing
    second.on_train_start(trainer, module)
    batches(second, clock, trainer, module, 2)
    clock.now += 7  # validation
    second.on_train_epoch_end(trainer, module)
    (row,) = rows(run)
    assert float(row["seconds"]) == 5 * 4 + 7
    assert float(row["images_per_second"]) == pytest.approx(5 * 8 / (5 * 4))
    assert float(row["data_wait"]) == pytest.approx(1 / 4)
    assert second.seconds == 27


def test_rows_of_epochs_that_are_done_again_are_replaced(tmp_path: Path) -> None:
    run, module = RunDir(tmp_path), L.LightningModule()
    trainer = L.Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    clock = Clock()
    timing = TimingCallback(run, clock)
    timing.on_train_start(trainer, module)
    states = []
    for seconds in (2, 4):
        clock.now += seconds
        timing.on_train_epoch_end(trainer, module)
        states.append(timing.state_dict())
    assert [row["seconds"] for row in rows(run)] == ["2.000", "4.000"]
    again = TimingCallback(run, clock)
    again.load_state_dict(states[0])
    again.on_train_start(trainer, module)
    assert [row["seconds"] for row in rows(run)] == ["2.000"]
    clock.now += 9
    again.on_train_epoch_end(trainer, module)
    assert [row["seconds"] for row in rows(run)] == ["2.000", "9.000"]
