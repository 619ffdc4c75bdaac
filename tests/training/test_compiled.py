"""Compiled training steps: the same numbers and names, one shape, and plain steps where nothing can be compiled."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from clf_cli.settings.load import read_settings
from clf_cli.training.callbacks.fallback import Fallback
from clf_cli.training.compiled import CompiledNetwork
from clf_cli.training.graphs import GraphedNetwork
from clf_cli.training.module import COMPILED
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record
from tests.running import Clf, draw_discs, train_arguments
from tests.training.test_module import module

PLAIN = ("--no-export", "--no-report", "--no-samples", "--no-history", "--no-confusion", "--no-model-info")


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))


def answer(call: Any, network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """Logits and gradients of a step with its seed."""
    torch.manual_seed(3)
    network.zero_grad()
    logits = call(images)
    logits.square().sum().backward()
    return [logits.detach(), *(p.grad for p in network.parameters() if p.grad is not None)]


@pytest.fixture
def no_compiler() -> Iterator[None]:
    import torch._inductor.config as inductor

    with inductor.patch({"cpp.cxx": (None, "no-such-compiler")}):
        yield


@pytest.mark.long
def test_compiled_steps_have_the_numbers_names_and_draws_of_plain_ones() -> None:
    network, images = small_network(), torch.randn(8, 3, 2, 2)
    plain, names = deepcopy(network), list(network.state_dict())
    before, drawn = deepcopy(network.state_dict()), torch.random.get_rng_state()
    compiled = CompiledNetwork(network)
    assert compiled.is_stale()
    compiled.prepare(images)
    assert compiled.failed is None
    assert not compiled.is_stale()
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert list(network.state_dict()) == names
    for batch in (images, images[:5], images.flip(0)):
        for one, other in zip(answer(compiled, network, batch), answer(plain, plain, batch), strict=True):
            torch.testing.assert_close(one, other)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value)


@pytest.mark.long
def test_a_shape_that_was_not_prepared_and_validation_are_called_as_they_are() -> None:
    network, images = small_network(), torch.randn(8, 3, 2, 2)
    compiled = CompiledNetwork(network)
    compiled.prepare(images)
    torch._dynamo.config.error_on_recompile, before = True, torch._dynamo.config.error_on_recompile
    try:
        assert torch.equal(answer(compiled, network, images[:5])[0], answer(network, network, images[:5])[0])
        compiled(images)
        network.eval()(images)
    finally:
        torch._dynamo.config.error_on_recompile = before
    network[1].requires_grad_(False)  # type: ignore[index]  # a Sequential
    assert compiled.is_stale()
    compiled.prepare(images)
    assert compiled.failed is None


def test_it_is_prepared_again_where_other_parameters_learn(no_compiler: None) -> None:
    network = small_network()
    compiled = CompiledNetwork(network)
    compiled._learning = tuple(True for _ in network.parameters())
    assert not compiled.is_stale()
    network[1].requires_grad_(False)  # type: ignore[index]  # a Sequential
    assert compiled.is_stale()
    compiled.prepare(torch.randn(8, 3, 2, 2))
    assert compiled.failed is not None
    assert not compiled.is_stale()


def test_without_a_compiler_steps_are_plain_and_nothing_was_changed(no_compiler: None) -> None:
    network, images = small_network(), torch.randn(8, 3, 2, 2)
    plain, before, drawn = deepcopy(network), deepcopy(network.state_dict()), torch.random.get_rng_state()
    compiled = CompiledNetwork(network)
    compiled.prepare(images)
    assert compiled.failed is not None
    assert "No working C++ compiler found" in compiled.failed
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    for one, other in zip(answer(compiled, network, images), answer(plain, plain, images), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [CompiledNetwork, GraphedNetwork])
def test_what_failed_is_told_once(kind: type[CompiledNetwork | GraphedNetwork]) -> None:
    told: list[str] = []
    steps = module(channels_last=True)
    callback, trainer = Fallback(told.append), SimpleNamespace()
    faster = steps._faster = kind(steps.network)
    for failed in (None, None, "it reads a value back.", "it reads a value back."):
        faster.failed = failed
        callback.on_train_batch_end(trainer, steps, None, None, 0)  # type: ignore[arg-type]
    assert told == [f"{kind.failing}: it reads a value back. Training goes on without, at the usual speed."]


def test_a_run_that_was_compiled_and_cannot_be_any_more_says_that_it_rounds_otherwise() -> None:
    steps = module(channels_last=True)
    faster = steps._faster = CompiledNetwork(steps.network)
    steps.on_load_checkpoint({COMPILED: True})
    faster.fall_back("no compiler")
    assert "not bit for bit" in str(steps.fallback)


def test_a_run_that_cannot_be_compiled_says_so_and_is_resumed_as_it_was(
    clf: Clf, tmp_path: Path, no_compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draw_discs(tmp_path / "data", {"train": 4, "val": 2})
    assert clf(*train_arguments(data, tmp_path, "plain", *PLAIN)).code == 0
    done = clf(*train_arguments(data, tmp_path, "asked", *PLAIN, "--compile", "on"))
    assert done.code == 0, done.stderr
    assert done.stderr.count("--compile on: the network could not be compiled: No working C++ compiler found") == 1
    plain, asked = RunDir(tmp_path / "plain"), RunDir(tmp_path / "asked")
    assert asked.metrics.read_text() == plain.metrics.read_text()
    assert read_record(asked).compile == read_settings(asked.settings).compute.compile == "on"
    assert torch.load(asked.last, weights_only=True)[COMPILED] is False
    assert COMPILED not in torch.load(plain.last, weights_only=True)
    monkeypatch.setattr(CompiledNetwork, "prepare", lambda self, images: pytest.fail("compiled after all"))
    went_on = clf("train", "--resume", asked.root, "--epochs", "3")
    assert went_on.code == 0, went_on.stderr
    assert "it could not be when the run began" in went_on.stderr


def test_another_choice_is_only_another_rounding(clf: Clf, tmp_path: Path) -> None:
    data = draw_discs(tmp_path / "data", {"train": 4, "val": 2})
    assert clf(*train_arguments(data, tmp_path, "run", *PLAIN)).code == 0
    run = RunDir(tmp_path / "run")
    record = json.loads(run.run_json.read_text())
    run.run_json.write_text(json.dumps({**record, "compile": "on"}))
    went_on = clf("train", "--resume", run.root, "--epochs", "3", "--compile", "off")
    assert went_on.code == 0, went_on.stderr
    assert "compute.compile: on → off (goes on, not bit for bit)" in went_on.stderr
    assert read_record(run).compile == "off"
