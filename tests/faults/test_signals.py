"""SIGTERM, SIGINT and SIGHUP at every place of a run and of other commands: a code, a word, and nothing lost."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clf_cli.__main__ import main
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.values.run_dir import RunDir
from tests.end_states import differences, end_state
from tests.faults.signalled import Place, Signalled, signalled
from tests.running import Clf, draw_discs, train_arguments

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
CODES = {INT: 130, TERM: 143, HUP: 129}
LEAN = (
    "--no-scan-cache",
    "--no-samples",
    "--no-history",
    "--no-confusion",
    "--no-report",
    "--no-model-info",
    "--no-dataset-stats",
)
BARE = ("--no-export", *LEAN)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 val images: two batches of them."""
    return draw_discs(tmp_path_factory.mktemp("discs"), {"train": 10, "val": 24, "test": 2})


@pytest.fixture(scope="module")
def alone(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The run that nothing happened to."""
    out = tmp_path_factory.mktemp("alone")
    assert main(train_arguments(discs, out, "run", "--augment", "ocr", *BARE)) == 0
    return RunDir(out / "run")


def in_order(ended: Signalled, number: signal.Signals) -> None:
    """What every end by a signal promises."""
    assert ended.code == CODES[number], ended.stderr
    assert ended.seconds < 30
    assert "Traceback" not in ended.stderr
    assert number.name in ended.stderr


def status(run: RunDir) -> str:
    return str(json.loads(run.run_json.read_text())["status"])


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*clf-tmp*"))


@pytest.mark.parametrize(
    ("place", "number"),
    [
        (Place("import", "typer"), TERM),
        (Place("import", "typer"), INT),
        (Place("import", "clf_cli.settings.load"), HUP),
        (Place("open", "train/red/05.png"), TERM),  # the scan
        (Place("import", "torch"), INT),
        (Place("import", "torch.nn.functional"), TERM),
    ],
)
def test_before_a_run_exists(discs: Path, tmp_path: Path, place: Place, number: signal.Signals) -> None:
    ended = signalled(train_arguments(discs, tmp_path, "run", *BARE), place, number, cwd=tmp_path)
    in_order(ended, number)
    assert "the same command starts again" in ended.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [TERM, INT])
def test_in_the_scan_of_a_command_on_data(discs: Path, tmp_path: Path, number: signal.Signals) -> None:
    place = Place("open", "val/red/05.png")
    in_order(signalled(["inspect-dataset", discs], place, number, cwd=tmp_path), number)


@pytest.mark.parametrize(
    ("place", "number"),
    [
        (Place("open", ".step-"), TERM),  # in an epoch
        (Place("open", ".metrics.csv", 2), TERM),
        (Place("open", ".last.ckpt", 2), INT),
        (Place("open", ".last.ckpt", 2), HUP),
    ],
)
def test_sent_to_all_its_processes_it_stops_as_if_it_were_sent_to_one(
    clf: Clf, alone: RunDir, discs: Path, tmp_path: Path, place: Place, number: signal.Signals
) -> None:
    """As timeout, a terminal, systemd and Slurm send it: workers go on, and the checkpoint of the step is there."""
    often = ("--checkpoint-every-steps", "2", "--workers", "2")
    arguments = train_arguments(discs, tmp_path, "run", "--augment", "ocr", *often, *BARE)
    in_order(signalled(arguments, place, number, cwd=tmp_path, whom="its group"), number)
    run = RunDir(tmp_path / "run")
    assert status(run) == "interrupted"
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert not list(differences(end_state(alone), end_state(run)))


def test_in_validation_it_stops_at_a_batch_and_validates_first_when_it_goes_on(
    clf: Clf, alone: RunDir, discs: Path, tmp_path: Path
) -> None:
    """Of the last epoch: the scan opens each file once, each validation but the first finds it in memory."""
    arguments = train_arguments(discs, tmp_path, "run", "--augment", "ocr", *BARE)
    ended = signalled(arguments, Place("open", "val/blue/00.png", 2), TERM, cwd=tmp_path)
    in_order(ended, TERM)
    run = RunDir(tmp_path / "run")
    assert f"clf train --resume {run.root}" in ended.stderr
    assert status(run) == "interrupted"
    assert not run.best.exists()  # the validation was not finished
    assert read_checkpoint(run.last).score is None
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert run.metrics.read_text() == alone.metrics.read_text()
    assert not list(differences(end_state(alone), end_state(run)))


def test_a_second_signal_in_saving_leaves_at_once_and_the_old_file_whole(
    clf: Clf, alone: RunDir, discs: Path, tmp_path: Path
) -> None:
    arguments = train_arguments(discs, tmp_path, "run", "--augment", "ocr", *BARE)
    ended = signalled(arguments, Place("os.rename", ".last.ckpt.", 2), TERM, TERM, cwd=tmp_path)
    run = RunDir(tmp_path / "run")
    assert ended.code == 143, ended.stderr
    assert ended.seconds < 10
    assert "Stopped at once." in ended.stderr
    assert f"clf train --resume {run.root}" in ended.stderr
    assert leftovers(run.root)  # it was in the middle of writing
    assert read_checkpoint(run.last).epoch == 1
    assert status(run) == "interrupted"
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert not leftovers(run.root)
    assert not list(differences(end_state(alone), end_state(run)))


@pytest.mark.long  # 15 CPU seconds
def test_in_the_export_of_a_run_the_training_is_kept(discs: Path, tmp_path: Path) -> None:
    arguments = train_arguments(discs, tmp_path, "run", "--epochs", "1", *LEAN)
    ended = signalled(arguments, Place("open", "golden/"), TERM, cwd=tmp_path)
    in_order(ended, TERM)
    run = RunDir(tmp_path / "run")
    assert status(run) == "finished"
    assert str(run.root) in ended.stderr.splitlines()[-1]
    assert re.search(r"clf (export|train --resume) ", ended.stderr)
    assert not leftovers(run.root)
    assert not run.onnx.exists()


COUNTS = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(event) if event == "open" else None)
from clf_cli.__main__ import main
code = main()
print("OPENED", len(opened), file=sys.stderr)
sys.exit(code)
"""
COMMANDS = {
    "average": ("average", "{run}", "-o", "{out}/mean.ckpt"),
    "benchmark": ("benchmark", "{run}", "--seconds", "0.1"),
    "calibrate": ("calibrate", "{run}"),
    "clean": ("clean", "{data}", "--drop", "warning", "-o", "{out}/clean.jsonl"),
    "compare": ("compare", "{run}", "{run}"),
    "confusion": ("confusion", "{run}"),
    "dedupe": ("dedupe", "{data}", "-o", "{out}/kept.jsonl"),
    "demo": ("demo", "--out", "{out}/demo"),
    "doctor": ("doctor",),
    "evaluate": ("evaluate", "{run}"),
    "evaluate-onnx": ("evaluate", "{run}/export/model.onnx"),
    "export": ("export", "{run}", "-o", "{out}/model.onnx"),
    "history": ("history", "{run}"),
    "inspect": ("inspect-dataset", "{data}"),
    "model-info": ("model-info", "{run}"),
    "predict": ("predict", "{run}", "{data}/val", "-r"),
    "report": ("report", "{run}"),
    "sampler": ("sampler", "--data", "{data}"),
    "samples": ("samples", "{run}"),
    "split": ("split", "{data}", "-o", "{out}/split.jsonl"),
    "synth": ("synth", "-o", "{out}/drawn", "--images", "200"),
    "train-dry": ("train", "--data", "{data}", "--dry-run", "--arch", "test_resnet", "--no-pretrained"),
    "validate-onnx": ("validate-onnx", "{run}/export/model.onnx"),
}
SIGNALS = (TERM, INT, HUP)


@pytest.fixture(scope="module")
def finished(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    out = tmp_path_factory.mktemp("finished")
    assert main(train_arguments(discs, out, "run")) == 0
    return RunDir(out / "run")


@pytest.mark.long
@pytest.mark.parametrize(("name", "number"), [(name, SIGNALS[at % 3]) for at, name in enumerate(COMMANDS)])
def test_every_command_at_a_random_place(
    finished: RunDir, discs: Path, tmp_path: Path, name: str, number: signal.Signals
) -> None:
    """Uniform over the files that it opens, modules and images alike."""
    run, opened = RunDir(tmp_path / "run"), []
    shutil.copytree(finished.root, run.root)
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        names = {"run": run.root, "data": discs, "out": tmp_path / folder}
        arguments = [part.format(**names) for part in COMMANDS[name]]
        if not opened:
            command = [sys.executable, "-c", COUNTS, *arguments]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
            assert "OPENED" in done.stderr, done.stderr
            assert done.returncode in (0, 1), done.stderr
            opened.append(int(done.stderr.split()[-1]))
    place = Place("open", "", 1 + int(opened[0] * random.Random(name).uniform(0.05, 0.85)))
    in_order(signalled(arguments, place, number, cwd=tmp_path), number)
    assert not leftovers(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("place", "number"),
    [
        (Place("import", "lightning.pytorch"), TERM),
        (Place("import", "timm"), INT),
        (Place("open", "train/red/00.png", 2), HUP),  # the first epoch
        (Place("open", ".best.ckpt"), TERM),
        (Place("open", ".last.ckpt"), INT),
        (Place("open", ".confusion.png"), TERM),  # pictures
        (Place("open", "test/red/00.png", 2), TERM),
        (Place("open", ".report.html"), INT),
    ],
)
def test_at_every_place_of_a_run_and_it_goes_on(
    clf: Clf, discs: Path, tmp_path: Path, whole: RunDir, place: Place, number: signal.Signals
) -> None:
    arguments = train_arguments(
        discs, tmp_path, "run", "--augment", "ocr", "--no-export", "--pictures", "every", "--no-scan-cache"
    )
    ended = signalled(arguments, place, number, cwd=tmp_path)
    in_order(ended, number)
    run = RunDir(tmp_path / "run")
    if not run.root.exists():
        assert place.event == "import"
        return
    assert str(run.root) in ended.stderr.splitlines()[-1]
    assert not leftovers(run.root)
    resumed = clf("train", "--resume", run.root)
    assert resumed.code == 0, resumed.stderr
    assert status(run) == "finished"
    assert not list(differences(end_state(whole), end_state(run)))


@pytest.fixture(scope="module")
def whole(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    out = tmp_path_factory.mktemp("whole")
    assert (
        main(
            train_arguments(
                discs, out, "run", "--augment", "ocr", "--no-export", "--pictures", "every", "--no-scan-cache"
            )
        )
        == 0
    )
    return RunDir(out / "run")
