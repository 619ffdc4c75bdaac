"""A mark's own time is its part's, whatever lies inside it."""

import pytest

from clf_cli.training.laps import Laps, TimedCalls, part_of


class Clock:
    """Moves only when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("mark", "part"),
    [
        ("[_TrainingEpochLoop].train_dataloader_next", "data wait"),
        ("[Strategy]SingleDeviceStrategy.training_step", "forward and backward"),
        ("[Strategy]SingleDeviceStrategy.backward", "forward and backward"),
        ("[LightningModule]ClassifierModule.optimizer_step", "optimiser"),
        ("[LightningModule]ClassifierModule.configure_gradient_clipping", "guards"),
        ("[Callback]Ema.on_train_batch_end", "moving average"),
        ("[Strategy]SingleDeviceStrategy.validation_step", "validation"),
        ("[Callback]Checkpoints.on_train_epoch_end", "checkpoints"),
        ("[Callback]ConfusionCallback.on_train_epoch_end", "other callbacks"),
        ("run_training_batch", "training loop"),
        ("guard", "guards"),
    ],
)
def test_marks_and_parts(mark: str, part: str) -> None:
    assert part_of(mark) == part


def test_what_lies_inside_a_mark_is_taken_from_it() -> None:
    clock = Clock()
    laps = Laps(clock)
    clock.now += 50  # before the first epoch
    laps.begin()
    with laps.profile("run_training_epoch"):
        clock.now += 1
        with laps.profile("[LightningModule]ClassifierModule.optimizer_step"):
            clock.now += 2
            with laps.profile("[Strategy]S.backward"):
                clock.now += 4
            clock.now += 8
        clock.now += 16
    laps.begin()
    clock.now += 32
    laps.end()
    clock.now += 64
    first, second = laps.epochs
    assert first == {"training loop": 17, "optimiser": 10, "forward and backward": 4}
    assert second == {"training loop": 32}


def test_calls_of_an_object_are_a_part() -> None:
    clock = Clock()
    laps = Laps(clock)

    class Inner:
        taken = True

        def check(self, seconds: float) -> str:
            clock.now += seconds
            return "checked"

    timed = TimedCalls(Inner(), laps, "guard")
    laps.begin()
    with laps.profile("run_training_batch"):
        assert timed.check(3) == "checked"
    assert timed.taken is True
    assert laps.epochs[0]["guards"] == 3
