import pytest

from clf_cli.settings.sections import OptimSection
from clf_cli.training.schedule import StepPlan, lr_factor, plan_steps


def test_automatic_warmup_is_one_epoch_and_at_most_a_tenth_of_the_steps() -> None:
    assert plan_steps(OptimSection(epochs=30), batches=80) == StepPlan(per_epoch=80, total=2400, warmup=80)
    assert plan_steps(OptimSection(epochs=1), batches=80) == StepPlan(per_epoch=80, total=80, warmup=8)


def test_a_warmup_set_by_hand_is_taken_as_it_is() -> None:
    assert plan_steps(OptimSection(epochs=2, warmup_epochs=1.5), batches=10).warmup == 15
    assert plan_steps(OptimSection(epochs=1, warmup_epochs=9), batches=10).warmup == 10


def test_accumulated_batches_are_one_step_and_the_last_part_is_one_too() -> None:
    assert plan_steps(OptimSection(epochs=3, accumulate=4), batches=9).total == 9


def test_the_rate_rises_to_the_peak_then_falls_to_zero() -> None:
    plan = StepPlan(per_epoch=10, total=100, warmup=10)
    factors = [lr_factor(step, plan) for step in range(101)]
    assert factors[9] == factors[10] == 1.0
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[0] == pytest.approx(0.1)
    assert factors[100] == pytest.approx(0.0, abs=1e-12)


def test_without_warmup_the_first_step_has_the_peak_rate() -> None:
    assert lr_factor(0, StepPlan(per_epoch=1, total=1, warmup=0)) == 1.0
