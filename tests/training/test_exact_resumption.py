"""Whatever a run is made of, it goes on from any of its checkpoints as if nothing had happened, to the last bit."""

import csv
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from clf_cli.__main__ import main
from clf_cli.models.checkpoint import CheckpointFacts, clf_payload
from clf_cli.training.module import COMPILED
from clf_cli.training.resume import newest_first
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.run_dir import RunDir
from tests.end_states import differences, end_state
from tests.running import Clf, draw_discs, train_arguments

QUIET = (
    *("--no-export", "--no-samples", "--no-history", "--no-confusion", "--no-report", "--no-sampler-stats"),
    *("--no-model-info", "--no-dataset-stats", "--quiet"),
)
BATCHES = 5  # of an epoch, 8 images each


@dataclass(frozen=True)
class Kind:
    """Flags of a run, and the steps from which it goes on; `epochs` are those that it trains."""

    flags: tuple[str, ...]
    steps: tuple[int, ...]
    epochs: int = 3


KINDS = {
    "mixed images, dropout, sampler": Kind(
        ("--augment", "ocr", "--mixup", "0.2", "--cutmix", "0.5", "--drop-rate", "0.1", "--balance", "sampler"),
        (2, 10),
    ),
    # two batches a step: steps of 2, 2 and 1 batches
    "accumulation, freezing, average that warms up": Kind(
        ("--accumulate", "2", "--freeze-epochs", "1", "--ema-warmup-steps", "4", "--augment", "strong"), (3, 4)
    ),
    "sgd without average": Kind(("--optimizer", "sgd", "--no-ema", "--balance", "loss", "--lr", "0.01"), (3,)),
    "bf16 with a worker": Kind(("--precision", "bf16", "--workers", "1", "--mixup", "0.2"), (8,)),
    "without validation": Kind(("--no-val", "--warmup-epochs", "1.5"), (4,)),
    "stopped early": Kind(("--patience", "2", "--min-delta", "1", "--epochs", "9"), (7,)),
    # steps of the frozen body, of the whole network and of an epoch's last batch, which is not compiled
    "compiled": Kind(("--compile", "on", "--drop-rate", "0.1", "--mixup", "0.2", "--freeze-epochs", "1"), (2, 5, 7)),
}
LONG = {"compiled"}  # a minute of a core for the C++ compiler


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """39 train images: five batches, the last of seven."""
    return draw_discs(tmp_path_factory.mktemp("discs"), {"train": 13, "val": 3})


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in KINDS],
    ids=lambda name: name,
)
def whole(request: pytest.FixtureRequest, discs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Kind, RunDir]:
    """The run that nothing happened to, with a checkpoint after every step."""
    kind, out = KINDS[request.param], tmp_path_factory.mktemp("whole")
    flags = ("--epochs", str(kind.epochs), "--checkpoint-every-steps", "1", *QUIET, *kind.flags)
    assert main(train_arguments(discs, out, "run", *flags)) == 0
    return kind, RunDir(out / "run")


def as_killed(run: RunDir, copy: Path) -> RunDir:
    """A copy that says it is running, with its step checkpoints alone."""
    shutil.copytree(run.root, copy)
    killed = RunDir(copy)
    for path in (killed.last, killed.previous):
        path.unlink()
    killed.run_json.write_text(killed.run_json.read_text().replace('"finished"', '"running"'))
    return killed


def everything(run: RunDir) -> dict[str, Any]:
    """The end state, the states of callbacks, the best weights, and which files there are."""
    state = end_state(run)
    callbacks = torch.load(run.last, weights_only=True)["callbacks"]
    state["callbacks"] = {name: value for name, value in callbacks.items() if not name.startswith("Timing")}
    state["best"] = torch.load(run.best, weights_only=True) if run.best.is_file() else None
    state["top"] = sorted(path.name for path in run.top.glob("*"))
    state["result"] = json.loads(run.report("train").read_text())["result"] | {"run": "", "seconds": 0}
    return state


def epochs_of(path: Path) -> list[int]:
    with path.open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("chosen", ["some", pytest.param("all", marks=pytest.mark.long)])
def test_it_goes_on_exactly_from_its_steps(whole: tuple[Kind, RunDir], tmp_path: Path, chosen: str) -> None:
    kind, run = whole
    last = torch.load(run.last, weights_only=True)["global_step"]
    for step in kind.steps if chosen == "some" else range(1, last):
        resumed = as_killed(run, tmp_path / str(step))
        assert main(["train", "--resume", str(resumed.step_checkpoint(step)), "--quiet"]) == 0
        assert not list(differences(everything(run), everything(resumed))), step
        count = len(epochs_of(run.metrics))
        assert epochs_of(resumed.metrics) == epochs_of(resumed.timing) == list(range(1, count + 1))


def test_every_step_has_a_checkpoint_those_at_the_end_of_an_epoch_too(whole: tuple[Kind, RunDir]) -> None:
    _, run = whole
    steps = torch.load(run.last, weights_only=True)["global_step"]
    assert sorted(run.checkpoints.glob("step-*")) == [run.step_checkpoint(step) for step in range(1, steps + 1)]
    last, same = (torch.load(path, weights_only=True) for path in (run.last, run.step_checkpoint(steps)))
    assert last.get(COMPILED, True), "steps were to be compiled and were not"
    timing = next(name for name in last["callbacks"] if name.startswith("Timing"))
    for checkpoint in (last, same):
        checkpoint["callbacks"].pop(timing)  # a clock's
    assert not list(differences(last, same))


FACTS = CheckpointFacts(
    arch="test_resnet",
    labels=Labels(("blue", "red")),
    preprocess=Preprocess(32, 32, "squash", "bicubic", 1.0, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
    settings={},
    score=None,
    scored_weights="live",
    epoch=1,
    run_id="r1",
    data_fingerprint=None,
)


@pytest.mark.parametrize("clock", [1, 0, -1], ids=["goes on", "stands", "goes back"])
def test_the_newest_checkpoint_is_known_by_resumptions_and_steps_whatever_the_clock_says(
    tmp_path: Path, clock: int
) -> None:
    """A run that went on from step 3 leaves step 9 of its first course behind, and writes last.ckpt at step 4."""
    run = RunDir(tmp_path)
    run.checkpoints.mkdir()
    third, fifth, sixth, ninth = (run.step_checkpoint(step) for step in (3, 5, 6, 9))
    written = ((run.previous, 0, 2), (third, 0, 3), (ninth, 0, 9), (run.last, 1, 4), (fifth, 1, 5))
    for time, (path, resumed, step) in enumerate(written):
        content = {"state_dict": {"network.fc.bias": torch.zeros(2)}, "optimizer_states": [{}], "global_step": step}
        torch.save(content | {"clf": clf_payload(FACTS) | {"resumed": resumed}}, path)
        os.utime(path, (1000 + clock * time, 1000 + clock * time))
    sixth.write_bytes(fifth.read_bytes()[:500])
    assert newest_first(run, 1) == [fifth, run.last, run.previous, ninth, sixth, third]
    assert newest_first(run, 2) == [fifth, run.last, run.previous, ninth, sixth, third], "resumed, and nothing kept"
    run.last.unlink()
    assert newest_first(run, 1)[:2] == [fifth, ninth]
    fifth.unlink()
    assert newest_first(run, 1)[:3] == [ninth, third, run.previous], "what is left of the first course"


def test_a_copied_folder_goes_on_from_its_end_whatever_the_times_of_its_files(
    clf: Clf, discs: Path, tmp_path: Path
) -> None:
    flags = ("--epochs", "1", "--checkpoint-every-steps", "1", *QUIET)
    assert clf(*train_arguments(discs, tmp_path, "run", *flags)).code == 0
    run = RunDir(tmp_path / "run")
    os.utime(run.last, (0, 0))
    assert newest_first(run, 0)[0] == run.last
    assert "finished after 1 epochs" in clf("train", "--resume", run.root).stderr


def test_a_run_that_was_stopped_early_and_killed_before_its_end_trains_no_further(
    clf: Clf, discs: Path, tmp_path: Path
) -> None:
    flags = ("--patience", "1", "--min-delta", "1", "--epochs", "6", *QUIET)
    assert clf(*train_arguments(discs, tmp_path, "run", *flags)).code == 0
    run = RunDir(tmp_path / "run")
    before, last = everything(run), run.last.read_bytes()
    assert before["result"]["stopped_early"]
    run.run_json.write_text(run.run_json.read_text().replace('"finished"', '"running"'))
    assert clf("train", "--resume", run.root).code == 0
    assert not list(differences(before, everything(run)))
    assert run.last.read_bytes() == last


def test_a_larger_patience_lets_a_run_that_stopped_early_go_on(clf: Clf, discs: Path, tmp_path: Path) -> None:
    flags = ("--min-delta", "1", "--epochs", "4", *QUIET)
    for name, patience in (("one", "1"), ("two", "2")):
        assert clf(*train_arguments(discs, tmp_path, name, *flags, "--patience", patience)).code == 0
    one, two = RunDir(tmp_path / "one"), RunDir(tmp_path / "two")
    assert (len(epochs_of(one.metrics)), len(epochs_of(two.metrics))) == (2, 3)
    assert clf("train", "--resume", one.root, "--patience", "2").code == 0
    assert one.metrics.read_text() == two.metrics.read_text()
