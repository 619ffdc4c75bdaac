"""`--compile auto`: what is weighed, what is written, and that neither a resumption nor a generator notices."""

import dataclasses
from pathlib import Path

import pytest
import torch

from clf_cli.settings.load import read_settings
from clf_cli.settings.resolved import Resolved
from clf_cli.training import compilation as auto
from clf_cli.training.compilation import SECONDS, TENSORS, StepTimes, pays, planned_steps, step_times, with_compilation
from clf_cli.training.start import Start
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record
from tests.running import Clf, draw_discs, train_arguments
from tests.starts import tiny_start

PLAIN = ("--no-export", "--no-report", "--no-samples", "--no-history", "--no-confusion")


def started(data: Path, device: str = "cpu", **asked: object) -> tuple[Start, Resolved]:
    start = tiny_start(data, data.parent)
    compute = start.settings.compute.model_copy(update={"compile": "auto", **asked})
    settings = start.settings.model_copy(update={"compute": compute})
    resolved = dataclasses.replace(
        start.compute, device=device, deterministic=compute.deterministic, compile=start.compute.compile
    )
    return dataclasses.replace(start, settings=settings, compute=resolved), Resolved(
        settings, {"optim.lr": "command line"}
    )


def test_a_long_run_of_large_steps_pays_and_a_short_one_or_one_of_launches_does_not() -> None:
    large = StepTimes(plain=0.0195, own=0.019, tensors=TENSORS)  # batch 256 on an H200
    assert pays(10_000, large)[0]
    assert not pays(3_000, large)[0]
    small = StepTimes(plain=0.0057, own=0.0036, tensors=TENSORS)  # batch 32: a graph saves more
    yes, saved, _ = pays(10_000_000, small)
    assert not yes
    assert saved < 0


def test_a_larger_network_must_save_more() -> None:
    steps = 9_000
    assert pays(steps, StepTimes(0.0195, 0.0195, TENSORS))[0]
    yes, _, cost = pays(steps, StepTimes(0.0195, 0.0195, 4 * TENSORS))
    assert not yes
    assert cost == pytest.approx(4 * SECONDS)
    assert pays(steps, StepTimes(0.0195, 0.0195, 3))[2] == SECONDS


def test_steps_are_those_of_all_epochs(tiny_dataset: Path) -> None:
    start, _ = started(tiny_dataset)
    assert planned_steps(start) == 2 * 8  # 60 images, 8 a step


def test_real_steps_are_timed_and_no_random_number_is_used_up(tiny_dataset: Path) -> None:
    start, _ = started(tiny_dataset)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    times = step_times(start)
    assert torch.equal(torch.rand(4), expected)
    assert times is not None
    assert 0 < times.own == times.plain < 60
    assert times.tensors > 10


@pytest.mark.parametrize(("own", "taken"), [(10.0, "on"), (1e-3, "off"), (None, "off")])
def test_what_is_decided_on_a_gpu_stands_in_every_record(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: float | None, taken: str
) -> None:
    times = None if own is None else StepTimes(own, own, TENSORS)
    monkeypatch.setattr(auto, "find_spec", lambda name: object())
    monkeypatch.setattr(auto, "step_times", lambda start: times)
    start, resolved = started(tiny_dataset, "cuda:0")
    decided = with_compilation(start, resolved)
    assert decided.compute.compile == decided.record.compile == decided.settings.compute.compile == taken
    assert decided.notes[-1].startswith(f"--compile auto: {taken}, ")
    assert f'compile = "{taken}"  # --compile auto' in decided.settings_toml
    (tmp_path / "settings.toml").write_text(decided.settings_toml)
    assert read_settings(tmp_path / "settings.toml").compute.compile == taken
    assert with_compilation(decided, resolved) is decided


@pytest.mark.parametrize("reason", ["on a CPU", "--deterministic", "Triton"])
def test_nothing_is_timed_where_it_cannot_pay(tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setattr(auto, "step_times", lambda start: pytest.fail("steps were timed"))
    monkeypatch.setattr(auto, "find_spec", lambda name: None if reason == "Triton" else object())
    asked: dict[str, object] = {"deterministic": True} if reason == "--deterministic" else {}
    start, resolved = started(tiny_dataset, "cpu" if reason == "on a CPU" else "cuda:0", **asked)
    decided = with_compilation(start, resolved)
    assert decided.compute.compile == decided.settings.compute.compile == "off"
    assert reason in decided.notes[-1]


def test_a_run_resumes_with_what_auto_became(clf: Clf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = draw_discs(tmp_path / "data", {"train": 4, "val": 2})
    done = clf(*train_arguments(data, tmp_path, "run", *PLAIN, "--compile", "auto"))
    run = RunDir(tmp_path / "run")
    assert done.code == 0, done.stderr
    assert "--compile auto: off, compiled steps were not faster on a CPU." in done.stderr
    assert read_record(run).compile == read_settings(run.settings).compute.compile == "off"
    monkeypatch.setattr(auto, "step_times", lambda start: pytest.fail("a resumption times nothing"))
    went_on = clf("train", "--resume", run.root, "--epochs", "3", "--compile", "auto")
    assert went_on.code == 0, went_on.stderr
    assert read_settings(run.settings).compute.compile == "off"
