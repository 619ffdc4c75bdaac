"""A planned run: nothing is written, the plan is what the run then does, and its mistakes are the run's."""

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clf_cli.training.rehearsal import limits_of
from clf_cli.training.trainer import Limits
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, train_arguments

PLANNED = ("device", "precision", "threads", "workers", "compile")


def listing(*folders: Path) -> list[tuple[str, int, int]]:
    """Every file and folder with its size and the time of its last change."""
    found = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found)


@contextmanager
def memory_left(size: int) -> Iterator[None]:
    """What a small machine does: allocations beyond `size` more bytes fail."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def data(tiny_dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_dataset, tmp_path / "data"))


def plan_of(clf: Clf, *arguments: object) -> dict[str, Any]:
    done = clf(*arguments, "--dry-run", "--json", "--quiet")
    assert done.code == 0, done.stderr
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["kind"] == "plan"
    result: dict[str, Any] = report["result"]
    return result


def test_nothing_is_written_not_even_the_scans_cache(
    clf: Clf, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path)
    done = clf(*train_arguments(data, tmp_path / "runs", "run", "--tracker", "tensorboard"), "--dry-run")
    assert done.code == 0, done.stderr
    assert listing(tmp_path) == before
    assert "Nothing was written" in done.stdout
    assert "Random weights" in done.stderr


def test_the_plan_is_what_the_run_did(clf: Clf, tiny_run: RunDir, tiny_dataset: Path) -> None:
    out = tiny_run.root.parent
    planned = plan_of(clf, *train_arguments(tiny_dataset, out, "other", "--pictures", "every"))
    assert planned["run"] == (out / "other").as_posix()
    record = json.loads(tiny_run.run_json.read_text())
    assert planned["data"]["fingerprint"] == record["data_fingerprint"]
    assert planned["data"]["images"] == {"train": 60, "val": 24, "test": 24}
    facts = json.loads(tiny_run.report("model_info").read_text())["result"]
    assert planned["model"]["parameters"] == facts["parameters"]
    assert planned["model"]["preprocess"] == facts["preprocess"]
    assert planned["training"]["steps"] == {"per_epoch": 8, "total": 16, "warmup": 1}
    assert planned["compute"] == {name: record[name] for name in PLANNED}
    assert planned["tried"]["steps"] == planned["tried"]["batches"] == 2
    assert planned["tried"]["val_images"] == 24
    assert planned["costs"]["images_mb"] == pytest.approx((60 * 40 * 40 + 24 * 32 * 32) * 3 / 1e6)
    kept = megabytes_in(tiny_run.checkpoints)
    one_less = kept * 5 / 4  # two epochs: two of the top, one of which is best.ckpt too, last and prev
    assert kept * 0.9 < planned["costs"]["checkpoints_mb"] < one_less
    assert planned["costs"]["disk_mb"] > megabytes_in(tiny_run.root)


def megabytes_in(folder: Path) -> float:
    """A file of two names takes its room once."""
    facts = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum({fact.st_ino: fact.st_size for fact in facts}.values()) / 1e6


def test_time_is_added_up_from_what_was_timed(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    planned = plan_of(clf, *train_arguments(tiny_dataset, tmp_path, "run", "--epochs", "7", "--accumulate", "3"))
    tried, costs = planned["tried"], planned["costs"]
    assert (tried["steps"], tried["batches"], tried["warm"]) == (2, 6, True)
    assert planned["training"]["steps"]["per_epoch"] == 3
    assert costs["epoch_seconds"] == pytest.approx(8 * tried["batch_seconds"] + tried["val_seconds"])
    assert costs["seconds"] == pytest.approx(7 * costs["epoch_seconds"])


@pytest.mark.parametrize(
    ("batches", "accumulate", "epochs", "limits"),
    [
        (100, 1, 30, Limits(2, 1, 1)),
        (100, 4, 30, Limits(8, 1, 1)),
        (5, 4, 30, Limits(5, 1, 1)),  # the second step is of one batch
        (4, 4, 30, Limits(4, 1, 2)),
        (1, 1, 30, Limits(1, 1, 2)),
        (1, 1, 1, Limits(1, 1, 1)),  # there is no second step
    ],
)
def test_two_steps_wherever_they_are(batches: int, accumulate: int, epochs: int, limits: Limits) -> None:
    assert limits_of(batches, accumulate, epochs) == limits


def test_a_run_of_one_step_without_validation(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    one = ("--epochs", "1", "--batch-size", "60", "--no-val", "--no-export", "--no-ema", "--warmup-epochs", "0")
    planned = plan_of(clf, *train_arguments(tiny_dataset, tmp_path, "run", *one))
    assert (planned["tried"]["steps"], planned["tried"]["warm"]) == (1, False)
    assert planned["tried"]["val_seconds"] is None
    assert planned["training"]["monitor"] is planned["training"]["patience"] is None
    assert planned["training"]["ema_decay"] is planned["training"]["opset"] is None
    assert planned["costs"]["export_mb"] == 0


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (("--arch", "resnt18"), 2, "resnet18"),
        (("--weights", "nowhere.pth"), 4, "nowhere.pth"),
        (("--data", "nowhere"), 3, "nowhere"),
        (("--lr", "1e30", "--optimizer", "sgd", "--clip-grad", "0", "--warmup-epochs", "0"), 6, "step 2"),
        (("--resume", "run"), 2, "--dry-run"),
    ],
)
def test_mistakes_are_those_of_a_run(
    clf: Clf, tiny_dataset: Path, tmp_path: Path, flags: tuple[str, ...], code: int, word: str
) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path / "runs", "run", *flags), "--dry-run")
    assert done.code == code, done.stderr
    assert word in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken(clf: Clf, tiny_run: RunDir, tiny_dataset: Path) -> None:
    done = clf(*train_arguments(tiny_dataset, tiny_run.root.parent, "tiny"), "--dry-run")
    assert done.code == 2
    assert "already" in done.stderr


def test_memory_that_runs_out_in_the_steps(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    large = ("--image-size", "640", "--batch-size", "60", "--no-val", "--no-ema")
    with memory_left(400 << 20):
        done = clf(*train_arguments(tiny_dataset, tmp_path / "runs", "run", *large), "--dry-run")
    assert done.code == 6, done.stderr
    assert "Out of memory on cpu at batch size 60." in done.stderr
    assert "--batch-size" in done.stderr
    assert list(tmp_path.iterdir()) == []
