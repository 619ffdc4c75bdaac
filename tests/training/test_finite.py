"""The guard of a step: what it refuses, what it puts back, when it ends a run, on each way of reading."""

from typing import Any

import pytest
import torch
from torch import nn

from clf_cli.errors import ModelError, RunError
from clf_cli.training.finite import (
    GROUP,
    IN_A_ROW,
    OnNan,
    Step,
    StepGuard,
    first_not_finite,
    require_finite,
    require_finite_start,
    stays_finite,
)

NAN, INFINITY = float("nan"), float("inf")
PATHS = tuple(f"{number}.png" for number in range(20))
CPU = torch.device("cpu")


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def guard(on_nan: OnNan, net: nn.Module | None = None, steps: int = 100) -> StepGuard:
    return StepGuard(net or network(), PATHS, on_nan, steps)


def take(judge: StepGuard, number: int, loss: float = 1.0, norm: float = 1.0, overflow_is_scale: bool = False) -> bool:
    """One step of two batches, images 2n and 2n + 1 of the first and 9 of the second."""
    step = Step(number, 1, 0.1)
    judge.begin(CPU, scaled=overflow_is_scale)
    judge.saw(torch.tensor(1.0), torch.tensor([2 * number, 2 * number + 1]), step)
    judge.begin(CPU, scaled=overflow_is_scale)
    judge.saw(torch.tensor(loss), torch.tensor([9]), step)
    return judge.admits(torch.tensor(norm), overflow_is_scale)


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY])
def test_stop_names_the_batch_of_the_loss(value: float) -> None:
    with pytest.raises(RunError, match="loss became") as told:
        take(guard("stop"), 2, loss=value)
    assert "step 2" in told.value.message
    assert "9.png" in told.value.message
    assert "4.png" not in told.value.message


@pytest.mark.parametrize("value", [NAN, INFINITY])
def test_stop_names_all_batches_of_the_gradient(value: float) -> None:
    with pytest.raises(RunError, match="gradient became") as told:
        take(guard("stop"), 2, norm=value)
    assert "4.png, 5.png, 9.png" in told.value.message


@pytest.mark.parametrize(("loss", "norm"), [(NAN, 1.0), (1.0, INFINITY)])
def test_skip_refuses_the_step_counts_it_and_goes_on(loss: float, norm: float) -> None:
    judge = guard("skip")
    taken = []
    for number, numbers in enumerate([(1.0, 1.0), (loss, norm), (1.0, 1.0)]):
        assert take(judge, number, *numbers) == judge.taken
        taken.append(judge.taken)
        assert ("9.png" in str(judge.refused)) != judge.taken
    assert taken == [True, False, True]
    assert (judge.skipped, judge.in_a_row) == (1, 0)


def test_skip_puts_back_batch_statistics_and_refuses_those_that_a_finite_loss_hides() -> None:
    net = network()
    judge = guard("skip", net)
    norm = net[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    judge.begin(CPU, scaled=False)
    net(torch.full((4, 3), INFINITY))
    assert not torch.isfinite(norm.running_mean).all()
    judge.saw(torch.tensor(0.5), torch.tensor([3]), Step(1, 1, 0.1))
    assert not judge.admits(torch.tensor(0.5))
    assert "batch statistics" in str(judge.refused)
    assert all(torch.equal(buffer, before[name]) for name, buffer in net.named_buffers())
    judge.begin(CPU, scaled=False)
    net(torch.rand(4, 3))
    assert not torch.equal(norm.running_mean, before["1.running_mean"])


def test_too_many_skips_in_a_row_end_the_run() -> None:
    judge = guard("skip", steps=10_000)
    for number in range(IN_A_ROW - 1):
        assert not take(judge, number % 5, loss=NAN)
    with pytest.raises(RunError, match="in a row"):
        take(judge, 4, loss=NAN)


def test_one_percent_of_a_runs_steps_may_be_skipped_and_no_more() -> None:
    judge = guard("skip", steps=2000)
    for _ in range(20):
        assert not take(judge, 1, norm=NAN)
        assert take(judge, 2)
    with pytest.raises(RunError, match="more than 20"):
        take(judge, 3, norm=NAN)


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_overflow_under_a_high_loss_scale_is_left_out_and_neither_counted_nor_a_reason_to_stop(on_nan: OnNan) -> None:
    judge = guard(on_nan)
    assert not take(judge, 1, norm=INFINITY, overflow_is_scale=True)
    assert not judge.taken
    assert judge.skipped == 0
    with pytest.raises(RunError, match="loss"):
        take(guard("stop"), 1, loss=NAN, overflow_is_scale=True)


def test_what_is_not_read_at_once_is_read_in_groups_and_before_every_check() -> None:
    """As on a GPU: `meta` tensors cannot be read at all, so nothing may be."""
    judge = guard("stop")
    for number in range(3):
        judge.begin(torch.device("cuda"), scaled=False)
        judge.saw(torch.empty((), device="meta"), torch.empty(1, device="meta"), Step(number, 1, 0.1))
        assert judge.admits(torch.empty((), device="meta"))
    judge = guard("stop")
    for number in range(3):
        judge.begin(torch.device("cuda"), scaled=False)
        judge.saw(torch.tensor(NAN if number == 1 else 1.0), torch.tensor([number]), Step(number, 1, 0.1))
        assert judge.admits(torch.tensor(NAN if number else 1.0))
    with pytest.raises(RunError, match="loss became nan at step 1") as told:
        judge.check()
    assert "1.png" in told.value.message


def test_a_group_is_read_when_it_is_full() -> None:
    judge = guard("stop")

    def step(number: int) -> None:
        judge.begin(torch.device("cuda"), scaled=False)
        judge.saw(torch.tensor(1.0), torch.tensor([3]), Step(number, 1, 0.1))
        judge.admits(torch.tensor(INFINITY))

    for number in range(GROUP - 1):
        step(number)
    with pytest.raises(RunError, match="gradient became inf at step 0"):
        step(GROUP - 1)


def test_weights_that_are_not_finite_are_named() -> None:
    net = network()
    judge = guard("skip", net)
    assert take(judge, 3)
    judge.check_weights()
    with torch.no_grad():
        net.get_parameter("2.weight")[0, 0] = INFINITY
    with pytest.raises(RunError, match=r"Weights of 2\.weight became NaN or infinite at step 3"):
        judge.check_weights()
    with pytest.raises(ModelError, match=r"some\.ckpt holds NaN or infinity in 2\.weight"):
        require_finite_start(net, "some.ckpt")


def test_large_weights_are_finite_although_their_squares_are_not() -> None:
    large = torch.full((100,), 1e30)
    assert torch.isinf(torch.linalg.vector_norm(large))
    assert first_not_finite([("large", large), ("whole", torch.ones(2, dtype=torch.int64))]) is None
    assert first_not_finite([("half", torch.tensor([1.0], dtype=torch.bfloat16)), ("b", torch.tensor([NAN]))]) == "b"


@pytest.mark.parametrize("key", ["state_dict", "current_model_state", "optimizer_states"])
def test_no_checkpoint_is_written_with_nan_in_it(key: str) -> None:
    whole = {"a": torch.ones(3), "deep": [{"state": {0: {"exp_avg": torch.ones(2)}}}]}
    require_finite({key: whole, "callbacks": {"best": torch.tensor(INFINITY)}})
    broken = {**whole, "deep": [{"state": {0: {"exp_avg": torch.tensor([1.0, NAN])}}}]}
    with pytest.raises(RunError, match=rf"{key}\.deep\.0\.state\.0\.exp_avg"):
        require_finite({key: broken})


RATE, DECAY = 1e-3, 0.05


@pytest.mark.parametrize(
    ("rate", "decay", "norm", "finite"),
    [
        (RATE, DECAY, 1.0, True),
        (1.0, 1.0, 1e17, True),
        (1.1, 0.0, 1.0, False),
        (1.0, 1.5, 1.0, False),
        (RATE, DECAY, 1e18, False),
        (RATE, DECAY, NAN, False),
        (NAN, DECAY, 1.0, False),
    ],
)
def test_weights_are_read_after_a_step_that_arithmetic_does_not_bound(
    rate: float, decay: float, norm: float, finite: bool
) -> None:
    assert stays_finite([{"lr": RATE, "weight_decay": 0.0}, {"lr": rate, "weight_decay": decay}], norm) == finite


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_steps_at_the_bound_leave_finite_weights_finite(kind: Any) -> None:
    """Gradients of the largest norm, whose sign turns and whose size jumps, at the largest rate and decay."""
    weights = nn.Parameter(torch.linspace(-3, 3, 50))
    more: dict[str, Any] = {"momentum": 0.9, "nesterov": True} if kind is torch.optim.SGD else {}
    optimizer = kind([weights], lr=1.0, weight_decay=1.0, **more)
    for step in range(200):
        size = (1e-30, 0.9e18, 1.0)[step % 3]
        weights.grad = torch.full((50,), size / 50**0.5) * (-1) ** (step // 3)
        norm = float(torch.nn.utils.get_total_norm([weights.grad]))
        assert stays_finite(optimizer.param_groups, norm)
        optimizer.step()
        assert torch.isfinite(weights).all()


def test_the_first_step_and_a_wild_one_read_the_weights_and_others_do_not() -> None:
    net = network()
    judge, tame, wild = guard("stop", net), [{"lr": RATE, "weight_decay": DECAY}], [{"lr": 5.0, "weight_decay": 0.0}]
    weight = net.get_parameter("2.weight")

    def spoil(value: float) -> None:
        with torch.no_grad():
            weight[0, 0] = value

    assert take(judge, 1)
    spoil(NAN)
    with pytest.raises(RunError, match=r"Weights of 2\.weight"):  # as a damaged optimiser's state does
        judge.check_after(tame)
    spoil(1.0)
    judge.check_after(tame)
    spoil(NAN)
    judge.check_after(tame)
    with pytest.raises(RunError, match=r"Weights of 2\.weight"):
        judge.check_after(wild)
    with pytest.raises(RunError, match=r"Weights of 2\.weight"):
        judge.check()
