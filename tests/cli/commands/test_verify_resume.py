"""`clf verify-resume`: the proof itself in processes of its own, and what it says when two runs differ."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clf_cli.data.dataset import load_dataset
from clf_cli.data.samples import Sample
from clf_cli.render.verify_resume import table
from clf_cli.settings.load import read_settings
from clf_cli.settings.root import Settings
from clf_cli.training.verified import Part, VerifyResumeResult, compared
from clf_cli.training.verify_resume import fix_auto, prepared, reasons, shortened, spread
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, draw_discs, report_of

TINY = (
    *("--arch", "test_resnet", "--no-pretrained", "--image-size", "32", "--batch-size", "8", "--mixup", "0.2"),
    *("--device", "cpu", "--threads", "1", "--workers", "0"),
)


def test_a_set_up_that_continues_exactly_is_proven_and_nothing_is_left(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    result = report_of(clf("verify-resume", "--data", tiny_dataset, *TINY, "--json"))["result"]
    assert result["equal"] is True
    assert (result["epochs"], result["steps"], result["killed_after"]) == (2, 6, 4)
    assert {part["name"] for part in result["parts"]} >= {"weights that score", "optimiser", "rows of metrics.csv"}
    assert all(part["values"] > 1 and part["different"] == [] for part in result["parts"])
    assert (result["repeats"], result["reasons"]) == (None, [])
    assert list(temporary.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_mistakes_are_those_of_training(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    assert clf("verify-resume").code == 2
    assert clf("verify-resume", tmp_path).code == 4
    (tmp_path / "empty").mkdir()
    assert clf("verify-resume", "--data", tmp_path / "empty").code == 3
    refused = clf("verify-resume", "--data", tiny_dataset, "--monitor", "val/acc_top5")
    assert refused.code == 2
    assert "undefined for 3 classes" in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child does not hear that its parent died")
def test_what_it_runs_does_not_outlive_it(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from clf_cli.training import verify_resume
trial = verify_resume.Trial(Path({str(tmp_path)!r}), Path(), None, 0, 0, 0, 0)
verify_resume.run_child(trial, ["synth", "--out", "images", "--images", "200000"])
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    child = None
    try:
        waited_for(lambda: any(tmp_path.iterdir()))  # the child is at its work
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text(encoding="ascii").split()
        (child,) = (int(number) for number in children)
        parent.kill()
        parent.wait()
        waited_for(lambda: not lives(child))
    finally:
        parent.kill()
        parent.wait()
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def waited_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


def lives(process: int) -> bool:
    """Whether it is there, and not dead and only not waited for."""
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


# Comparing


@pytest.fixture
def copy(tiny_run: RunDir, tmp_path: Path) -> RunDir:
    shutil.copytree(tiny_run.root, tmp_path / "copy")
    return RunDir(tmp_path / "copy")


def test_a_run_equals_its_copy_to_the_last_bit(tiny_run: RunDir, copy: RunDir) -> None:
    parts = compared(tiny_run, copy)
    assert all(part.different == () for part in parts)
    checkpoint = torch.load(tiny_run.last, weights_only=True)
    counts = {part.name: part.values for part in parts}
    assert counts["weights that score"] == len(checkpoint["state_dict"])
    assert counts["live weights"] == len(checkpoint["current_model_state"])


def test_one_bit_of_one_weight_is_found_and_named(tiny_run: RunDir, copy: RunDir) -> None:
    checkpoint = torch.load(copy.last, weights_only=True)
    name = "network.fc.weight"
    weight = checkpoint["current_model_state"][name]
    before = weight.flatten()[0].item()
    weight.flatten()[0] = torch.nextafter(weight.flatten()[0], torch.tensor(9.0))
    assert weight.flatten()[0].item() != before
    torch.save(checkpoint, copy.last)
    found = [part for part in compared(tiny_run, copy) if part.different]
    assert [(part.name, part.different) for part in found] == [("live weights", (name,))]
    assert 0 < found[0].largest < 1e-6


def test_a_row_of_metrics_that_is_missing_is_found(tiny_run: RunDir, copy: RunDir) -> None:
    lines = copy.metrics.read_text().splitlines(keepends=True)
    copy.metrics.write_text("".join(lines[:-1]))
    assert [part.name for part in compared(tiny_run, copy) if part.different] == ["rows of metrics.csv"]


# Saying


def result_of(*, equal: bool, parts: tuple[Part, ...] = (), why: tuple[str, ...] = ()) -> VerifyResumeResult:
    return VerifyResumeResult(
        equal=equal,
        arch="resnet18",
        device="cuda:0",
        precision="bf16",
        threads=1,
        workers=2,
        train_images=80,
        val_images=64,
        epochs=2,
        steps=6,
        killed_after=4,
        seconds=40.0,
        parts=parts,
        repeats=None,
        reasons=why,
    )


def test_the_reasons_tell_a_set_up_that_does_not_repeat_itself_from_a_bug() -> None:
    assert "report this" in reasons(True, "cuda:0", False)[0]
    assert any("--deterministic" in line for line in reasons(False, "cuda:0", False))
    assert not any("--deterministic" in line for line in reasons(False, "cuda:0", True))
    assert any("--threads 1" in line for line in reasons(False, "cpu", False))


def test_the_table_names_what_differs(tiny_run: RunDir, copy: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    checkpoint = torch.load(copy.last, weights_only=True)
    checkpoint["state_dict"]["network.fc.bias"] += 1
    torch.save(checkpoint, copy.last)
    parts = compared(tiny_run, copy)
    Console(width=200).print(table(result_of(equal=False, parts=parts, why=("Because.",))))
    shown = capsys.readouterr().out
    assert "Different weights that score: network.fc.bias" in shown
    assert "Not equal" in shown
    assert "Because." in shown
    Console(width=200).print(table(result_of(equal=True)))
    assert "killed after step 4 of 6" in capsys.readouterr().out


# What the short runs are made of


def test_every_class_has_its_turn() -> None:
    samples = [Sample(f"{label}/{number}", label, "train", "x") for label in "abc" for number in range(9)]
    assert [sample.label for sample in spread(samples, 5)] == ["a", "b", "c", "a", "b"]
    assert len(spread(samples, 1)) == 3
    assert len(spread(samples, 99)) == 27
    assert spread((), 5) == ()


def test_the_short_runs_have_the_settings_of_the_long_one_save_how_long_they_are(tmp_path: Path) -> None:
    settings = Settings()
    optim = settings.optim.model_copy(update={"freeze_epochs": 7, "warmup_epochs": 5.0, "lr": 0.3})
    short = shortened(settings.model_copy(update={"optim": optim}), tmp_path, tmp_path / "images.jsonl")
    assert (short.optim.lr, short.optim.epochs, short.optim.freeze_epochs) == (0.3, 2, 1)
    assert short.optim.warmup_epochs == 1.0
    for section in ("model", "augment", "ema", "compute"):
        assert dict(short)[section] == dict(settings)[section]
    assert short.callbacks.checkpoints
    assert not short.callbacks.report
    assert not short.export.enabled


def test_auto_is_found_in_the_first_short_run_and_holds_for_the_others(tmp_path: Path) -> None:
    """A step is of 64 images, whatever part of them fits: two whole ones and a part make an epoch."""
    data, settings = draw_discs(tmp_path / "data", {"train": 60, "val": 2}), Settings()
    auto = settings.optim.model_copy(update={"batch_size": "auto", "accumulate": 2})
    settings = settings.model_copy(update={"optim": auto, "data": settings.data.model_copy(update={"root": data})})
    trial = prepared(tmp_path, settings, load_dataset(settings.data, seed=0))
    assert (trial.train_images, trial.steps, trial.kill_after) == (160, 6, 4)
    assert read_settings(trial.settings_file).optim.batch_size == "auto"
    assert read_settings(trial.settings_file).compute.precision == "auto"
    found = auto.model_copy(update={"batch_size": 16, "accumulate": 4})
    faster = settings.compute.model_copy(update={"precision": "bf16"})
    fix_auto(trial, settings.model_copy(update={"optim": found, "compute": faster}))
    others = read_settings(trial.settings_file)
    assert (others.optim.batch_size, others.optim.accumulate, others.optim.epochs) == (16, 4, 2)
    assert others.compute.precision == "bf16"
