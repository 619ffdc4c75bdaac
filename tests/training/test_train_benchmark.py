"""What an epoch takes by arithmetic from a short one, and which changes are worth it."""

import math
from dataclasses import replace

import pytest

from clf_cli.training.train_benchmark import Change, Measured, TrainBenchmarkResult, Trained, summed_up

TRAINED = Trained("net", 32, 32, 8, "cpu", "fp32", True, 1, 0, 4, "basic", images=800, val_images=200, cache="ram")
MEASURED = Measured(
    batch_seconds=0.08,
    data_first=400.0,
    data=4000.0,
    parts={
        "data wait": 0.2,
        "forward and backward": 1.0,
        "optimiser": 0.2,
        "moving average": 0.1,
        "guards": 0.1,
        "training loop": 0.4,
        "validation": 0.5,
        "checkpoints": 0.3,
        "other callbacks": 0.2,
    },
    waits=2.0,
    batches=10,
    val_images=50,
    core_share=0.97,
)


def summed(kept: float = 1e6, changes: tuple[Change, ...] = (), **fields: object) -> TrainBenchmarkResult:
    return summed_up(replace(TRAINED, **fields), MEASURED, changes, batches=100, kept=kept)  # type: ignore[arg-type]


def test_steps_and_validation_grow_with_the_images_and_what_an_epoch_leaves_does_not() -> None:
    result = summed()
    assert result.parts["forward and backward"] == pytest.approx(10.0)
    assert result.parts["validation"] == pytest.approx(2.0)
    assert result.parts["checkpoints"] == 0.3
    assert result.epoch_seconds == pytest.approx(20.0 + 2.0 + 0.3 + 0.2)


def test_rates() -> None:
    rates = summed().rates
    assert rates.limit == pytest.approx(100)
    assert rates.steps == pytest.approx(80 / 2.0)
    assert rates.steps_first == pytest.approx(80 / 3.8)
    assert rates.epoch == pytest.approx(800 / 22.5)
    assert (rates.data, rates.data_first) == (4000, 400)


def test_images_that_are_not_kept_are_waited_for_in_every_epoch() -> None:
    result = summed(kept=0)
    assert result.parts["data wait"] == pytest.approx(20.0)
    assert result.rates.steps == result.rates.steps_first
    assert result.rates.data == result.rates.data_first == 400
    assert not result.keeps
    assert [change.flag for change in result.changes] == ["--workers 3", "--cache ram"]
    assert all(change.pays and math.isnan(change.gain) for change in result.changes)


def test_no_worker_is_recommended_where_none_would_help() -> None:
    assert [change.flag for change in summed(cores=1).changes] == []
    assert [change.flag for change in summed(cache="gpu").changes] == []
    assert [change.flag for change in summed().changes] == ["--workers 3"]  # a tenth of the time is waiting


@pytest.mark.parametrize(("gain", "pays"), [(1.14, False), (1.15, True), (2.0, True), (float("nan"), True)])
def test_what_pays(gain: float, pays: bool) -> None:
    change = Change("--precision bf16", gain, "instead of fp32")
    assert summed(cores=1, changes=(change,)).changes == (change,)
    assert change.pays is pays


@pytest.mark.parametrize(("share", "fields", "said"), [(0.97, {}, 0), (0.5, {}, 1), (0.5, {"threads": 2}, 0)])
def test_a_busy_machine_is_said(share: float, fields: dict[str, int], said: int) -> None:
    measured = replace(MEASURED, core_share=share)
    result = summed_up(replace(TRAINED, **fields), measured, (), 100, 0.0)  # type: ignore[arg-type]
    assert len(result.findings) == said
    assert all("for 50% of the time" in finding["reason"] for finding in result.findings)


def test_the_report() -> None:
    plain = summed().to_result()
    assert sum(part["seconds"] for part in plain["parts"]) == pytest.approx(plain["epoch_seconds"])
    assert plain["changes"][0]["pays"] is True
