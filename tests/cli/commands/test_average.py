"""clf average: what is written opens everywhere and scores what was said."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, mark


@pytest.fixture(scope="module")
def averaged(tiny_run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its mean beside its other checkpoints."""
    from clf_cli.__main__ import main

    root = tmp_path_factory.mktemp("averaged") / "run"
    shutil.copytree(tiny_run.root, root)
    out = RunDir(root).checkpoints / "mean.ckpt"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
        assert main(["average", str(root), "-o", str(out), "--device", "cpu", "--threads", "1"]) == 0
    return out


def test_the_score_is_what_evaluate_says_of_the_file(clf: Clf, averaged: Path) -> None:
    done = clf("evaluate", averaged, "--device", "cpu", "--threads", 1, "--json")
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    score = read_checkpoint(averaged).score
    assert score is not None
    assert score.value == found["result"]["acc_top1"]
    assert (score.metric, score.split, score.weights) == ("val/acc_top1", "val", "ema")
    assert found["model"]["path"] == "checkpoints/mean.ckpt"
    assert found["findings"] == []


def test_it_exports_inside_the_run(clf: Clf, averaged: Path, tmp_path: Path) -> None:
    done = clf("export", averaged, "-o", tmp_path / "mean.onnx", "--json")
    assert done.code == 0, done.stderr
    assert done.stderr.count("golden") == 1
    refused = clf("export", averaged, "-o", tmp_path / "live.onnx", "--no-ema")
    assert refused.code == 4
    assert "holds no live weights" in refused.stderr


def test_the_report_names_inputs_and_scores(clf: Clf, tiny_run: RunDir, tmp_path: Path, tiny_dataset: Path) -> None:
    out = tmp_path / "mean.ckpt"
    named = sorted(tiny_run.top.iterdir())
    done = clf("average", *named, "-o", out, "--data", tiny_dataset, "--split", "test", "--json")
    assert done.code == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["kind"] == "average"
    assert report["model"] == {
        "path": "mean.ckpt",
        "arch": "test_resnet",
        "weights": "ema",
        "run_id": read_checkpoint(tiny_run.best).run_id,
    }
    assert report["data"]["split"] == "test"
    result = report["result"]
    assert [item["path"] for item in result["inputs"]] == [path.as_posix() for path in named]
    assert [item["epoch"] for item in result["inputs"]] == [1, 2]
    assert result["score"]["metric"] == "test/acc_top1"
    assert result["score"]["value"] == result["metrics"]["acc_top1"]
    assert result["batch_norm"]["images"] == 60
    kept = torch.load(out, weights_only=True)["clf"]
    assert kept["scored_on"] == report["data"]["fingerprint"]
    assert [item["path"] for item in kept["averaged"]] == [tiny_run.relative(path) for path in named]


def test_the_table(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    done = clf("average", tiny_run.root, "-o", tmp_path / "my mean.ckpt")
    assert done.code == 0, done.stderr
    assert done.stdout.count("val/acc_top1") == 3
    assert "mean of them" in done.stdout
    assert "batch-norm layers" in done.stdout
    assert "my mean.ckpt' --data DIR" in done.stderr  # it lies in no run, so that its data are not known


def test_a_file_that_exists_is_kept_unless_told(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    out = tmp_path / "mean.ckpt"
    out.write_text("mine")
    done = clf("average", tiny_run.root, "-o", out)
    assert done.code == 2
    assert "--overwrite" in done.stderr
    assert out.read_text() == "mine"
    assert clf("average", tiny_run.root, "-o", out, "--overwrite", "--quiet").code == 0
    assert read_checkpoint(out).score is not None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("{run}/checkpoints/best.ckpt",), 2, "needs two checkpoints"),
        (("{run}", "{run}/checkpoints/best.ckpt"), 2, "hold the same weights"),
        (("{run}/export/model.onnx", "{run}"), 4, "is an ONNX file"),
        (("{run}", "{tmp}/text.ckpt"), 4, "text.ckpt is not a checkpoint"),
        (("{run}", "{tmp}/nowhere.ckpt"), 4, "nowhere.ckpt"),
        (("{tmp}/empty",), 4, "not a run"),
        (("{tmp}/going",), 4, "still training"),
        (("{run}", "--data", "{tmp}/empty"), 3, "empty"),
        (("{run}", "-o", "{tmp}"), 2, "is a folder"),
        (("{run}", "-o", "{tmp}/x.onnx"), 2, ".onnx"),
        ((), 2, "No checkpoint is named"),
    ],
)
def test_bad_input(
    clf: Clf, tiny_run: RunDir, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "text.ckpt").write_text("hello")
    (tmp_path / "empty").mkdir()
    (tmp_path / "going").mkdir()
    mark(RunDir(tmp_path / "going"), "running")
    filled = [argument.format(run=tiny_run.root, tmp=tmp_path) for argument in arguments]
    out = () if "-o" in filled else ("-o", str(tmp_path / "out.ckpt"))
    done = clf("average", *filled, *out)
    assert done.code == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.ckpt").exists()


def test_checkpoints_outside_of_a_run_need_data(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(tiny_run.top.iterdir())):
        shutil.copy(path, tmp_path / f"{number}.ckpt")
    done = clf("average", tmp_path / "0.ckpt", tmp_path / "1.ckpt", "-o", tmp_path / "out.ckpt")
    assert done.code == 2
    assert "--data" in done.stderr
