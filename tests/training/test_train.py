"""A whole run: what it leaves behind, what the switches leave out, and that the numbers belong together."""

import csv
import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.values.run_dir import RunDir
from tests.running import Clf, train_arguments

OFF = (
    *("--no-ema", "--no-export", "--no-confusion", "--no-model-info", "--no-dataset-stats", "--no-history"),
    *("--no-sampler-stats", "--no-samples", "--no-progress", "--no-lr-log", "--no-early-stopping", "--no-checkpoints"),
    "--no-report",
)


def rows(run: RunDir) -> list[dict[str, str]]:
    with run.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_callback_on_leaves_every_artifact(tiny_run: RunDir) -> None:
    names = {path.relative_to(tiny_run.root).as_posix() for path in tiny_run.root.rglob("*") if path.is_file()}
    expected = {"run.json", "settings.toml", "splits.csv", "metrics.csv", "timing.csv", "log.txt", "history.png"}
    expected |= {"report.html"}
    expected |= {"labels_mapping.json", "checkpoints/last.ckpt", "checkpoints/prev.ckpt", "checkpoints/best.ckpt"}
    for epoch in ("001", "002"):
        expected |= {f"epochs/{epoch}/{name}" for name in ("confusion.json", "confusion.csv", "confusion.png")}
        expected |= {f"epochs/{epoch}/{name}" for name in ("samples.json", "samples.png", "sampler.json")}
    kinds = ("dataset", "model_info", "metrics", "metrics-test", "confusion", "sampler", "samples", "history", "train")
    expected |= {f"reports/{kind}.json" for kind in kinds}
    expected |= {"reports/confusion.png", "reports/confusion.csv", "reports/samples.png"}
    expected |= {
        "export/model.onnx",
        "export/labels_mapping.json",
        "export/validation.json",
        "export/golden/index.json",
    }
    assert expected <= names
    assert len(list(tiny_run.top.iterdir())) == 2
    assert not [name for name in names if name.endswith("tmp")]


def test_every_report_has_the_envelope_and_no_nan(tiny_run: RunDir) -> None:
    for path in tiny_run.root.rglob("*.json"):
        report = json.loads(path.read_text(), parse_constant=lambda token: pytest.fail(f"{token} in a report"))
        if path.parent.name == "reports":
            assert set(report) == {"schema_version", "kind", "clf", "model", "data", "result", "findings"}


def test_pictures_are_pictures(tiny_run: RunDir) -> None:
    for path in tiny_run.root.rglob("*.png"):
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 0, path


def test_metrics_csv_has_a_complete_row_per_epoch(tiny_run: RunDir) -> None:
    found = rows(tiny_run)
    assert [row["epoch"] for row in found] == ["1", "2"]
    for row in found:
        assert row["val/acc_top5"] == ""  # three classes
        assert all(float(row[name]) >= 0 for name in row if name != "val/acc_top5")
        assert row["images"] == "60"


def test_the_run_ends_finished_and_its_settings_are_whole(tiny_run: RunDir) -> None:
    record = json.loads(tiny_run.run_json.read_text())
    assert record["status"] == "finished"
    assert record["best_epoch"] in (1, 2)
    settings = tomllib.loads(tiny_run.settings.read_text())
    assert settings["model"]["arch"] == "test_resnet"
    assert "name" not in settings["train"]


def test_splits_csv_names_every_file_once(tiny_run: RunDir, tiny_dataset: Path) -> None:
    with tiny_run.splits.open(newline="") as file:
        found = {row["path"]: (row["label"], row["split"]) for row in csv.DictReader(file)}
    files = {path.relative_to(tiny_dataset).as_posix() for path in tiny_dataset.rglob("*.png")}
    assert set(found) == files
    assert all(path.split("/")[:2] == [split, label] for path, (label, split) in found.items())


def test_every_callback_off_still_trains_and_leaves_the_record(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path, "bare", "--epochs", "1", *OFF))
    assert done.code == 0, done.stderr
    assert done.stdout == f"{(tmp_path / 'bare').as_posix()}\n"
    names = {
        path.relative_to(tmp_path / "bare").as_posix() for path in (tmp_path / "bare").rglob("*") if path.is_file()
    }
    reports = {"reports/metrics.json", "reports/train.json"}
    assert names == {"run.json", "settings.toml", "splits.csv", "metrics.csv", "timing.csv", "log.txt"} | reports
    assert rows(RunDir(tmp_path / "bare"))[0]["lr"] == ""


def test_the_best_checkpoint_is_the_epoch_with_the_best_score(tiny_run: RunDir) -> None:
    checkpoint = read_checkpoint(tiny_run.best)
    best = max(rows(tiny_run), key=lambda row: (float(row["val/acc_top1"]), -float(row["val/loss"])))
    assert checkpoint.epoch == int(best["epoch"])
    assert checkpoint.score is not None
    assert checkpoint.score.value == pytest.approx(float(best["val/acc_top1"]))
    assert checkpoint.score.weights == "ema"


def test_best_holds_both_weight_sets_and_no_optimiser_and_last_holds_it(tiny_run: RunDir) -> None:
    best, last = read_checkpoint(tiny_run.best), read_checkpoint(tiny_run.last)
    assert best.live_state is not None
    assert not best.resumable
    assert last.resumable
    changed = [name for name, tensor in best.state_dict.items() if not torch.equal(tensor, best.live_state[name])]
    assert changed


def test_best_is_a_second_name_of_its_epoch_among_the_top(tiny_run: RunDir) -> None:
    assert len([path for path in tiny_run.top.iterdir() if path.samefile(tiny_run.best)]) == 1


def test_where_there_are_no_hard_links_best_is_a_file_of_its_own(
    clf: Clf, tiny_run: RunDir, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as exFAT and some network shares do

    monkeypatch.setattr(os, "link", refuse)
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *OFF, "--checkpoints"))
    assert done.code == 0, done.stderr
    run = RunDir(tmp_path / "run")
    (copy,) = [path for path in run.top.iterdir() if read_checkpoint(path).epoch == read_checkpoint(run.best).epoch]
    assert not copy.samefile(run.best)
    assert read_checkpoint(copy).score == read_checkpoint(run.best).score
    names = ["best.ckpt", "last.ckpt", "prev.ckpt", "top"]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == names


def test_a_repeat_from_the_saved_settings_gives_the_same_numbers(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    done = clf("train", "--config", tiny_run.settings, "--out", tmp_path, "--no-export", "--no-samples")
    assert done.code == 0, done.stderr
    again = RunDir(Path(done.stdout.strip()))
    assert again.root.name == "discs"
    assert again.metrics.read_text() == tiny_run.metrics.read_text()
    best, other = read_checkpoint(tiny_run.best), read_checkpoint(again.best)
    assert all(torch.equal(tensor, other.state_dict[name]) for name, tensor in best.state_dict.items())


def test_without_val_the_last_weights_are_shipped_and_it_says_so(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path, "blind", "--epochs", "1", "--no-val"))
    assert done.code == 0, done.stderr
    assert "never validated" in done.stderr.lower()
    run = RunDir(tmp_path / "blind")
    assert not run.best.exists()
    assert json.loads(run.report("train").read_text())["result"]["val"] is None
    contract = json.loads((run.export / "labels_mapping.json").read_text())["contract"]
    score = contract["score"]  # the export computed it, on the val images that training left alone
    assert (score["metric"], score["rescored"]) == ("val/acc_top1", True)
    for kind in ("train", "history", "model_info", "metrics-test", "confusion-test"):
        findings = json.loads(run.report(kind).read_text())["findings"]
        assert findings[0]["reason"] == "these weights were never validated", kind
    assert f"clf confusion {run.root} --split test" in done.stderr
    after = clf("confusion", run.root, "--split", "test", "--json")
    assert json.loads(after.stdout)["findings"][0]["reason"] == "these weights were never validated"
    assert "These weights were never validated" in after.stderr


def test_names_that_are_taken(clf: Clf, tiny_dataset: Path, tiny_run: RunDir) -> None:
    done = clf(*train_arguments(tiny_dataset, tiny_run.root.parent, "tiny"))
    assert done.code == 2
    assert "--resume" in done.stderr
