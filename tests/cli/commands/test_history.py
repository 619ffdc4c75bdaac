import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.values.run_dir import RunDir
from tests.edited_runs import edited, longer, silence
from tests.running import TORCH, clf_without, report_of


@pytest.fixture
def runs(tiny_run, tmp_path, monkeypatch):
    """Copies in ./runs: `a` of two epochs, `b` of five, `sub/a` of three, and a picture of `a`."""
    monkeypatch.chdir(tmp_path)
    for name, epochs in (("a", 2), ("b", 5), ("sub/a", 3)):
        edited(tiny_run, Path("runs") / name, longer(epochs) if epochs > 2 else None)
    shutil.copy(tiny_run.history, "runs/a")
    return Path("runs")


def is_picture(path):
    with Image.open(path) as image:
        image.verify()
        return image.size


def files_in(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# One run


def test_json_is_what_training_wrote_and_the_picture_is_drawn_again(clf, runs, tiny_run):
    before = files_in(runs)
    assert report_of(clf("history", "runs/a", "--json")) == json.loads(tiny_run.report("history").read_text())
    after = files_in(runs)
    assert [path.as_posix() for path in after if before.get(path) != after[path]] == ["runs/a/history.png"]
    assert is_picture("runs/a/history.png") == (1800, 660)


@pytest.mark.parametrize(
    ("out", "written"),
    [("curves", "curves/history.png"), ("new/deep", "new/deep/history.png"), ("x.png", "x.png"), ("X.PNG", "X.PNG")],
)
@pytest.mark.parametrize("names", [["runs/b"], ["runs/a", "runs/b"]])
def test_out_is_a_file_or_a_folder_and_no_run_is_touched(clf, runs, names, out, written):
    before = files_in(runs)
    finished = clf("history", *names, "--out", out)
    assert finished.code == 0
    assert f"Wrote {written}" in finished.stderr
    assert is_picture(written)
    assert files_in(runs) == before


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_a_run_that_has_not_finished_is_shown_and_said(clf, runs, tiny_run, status):
    run = edited(tiny_run, Path("runs/c"), longer(3), {"epochs = 2": "epochs = 9"}, status=status)
    finished = clf("history", run.root)
    assert finished.code == 0
    assert finished.stdout.startswith("3 epochs · best: epoch 3, val/acc_top1 75.0 %")
    assert f"runs/c is not finished ({status}): 3 of 9 epochs." in finished.stderr
    silence(run, datetime.now(UTC) - timedelta(days=1))
    doubt = "(running?)" if status == "running" else f"({status})"
    assert doubt in clf("history", run.root, "-o", "x.png").stderr


def test_a_metric_that_is_asked_for(clf, runs):
    report = report_of(clf("history", "runs/a", "--metric", "f1_macro", "--metric", "loss", "--json"))
    assert list(report["result"]["columns"]) == ["train/loss", "val/loss", "val/f1_macro"]
    text = clf("history", "runs/a", "--metric", "val/f1_macro").stdout
    assert "val/f1_macro" in text
    assert "train/loss" not in text


def test_without_validation(clf, runs, tiny_run):
    blind = longer(2)
    run = edited(
        tiny_run,
        Path("runs/c"),
        lambda rows: [{k: "" if k.startswith("val/") else v for k, v in row.items()} for row in blind(rows)],
        {"val = true": "val = false"},
    )
    report = report_of(clf("history", run.root, "--json"))
    assert report["result"]["best_epoch"] is None
    assert report["result"]["columns"]["val/loss"] == [None, None]
    assert "never validated" in clf("history", run.root).stdout


# Several


def test_several_runs_in_the_order_in_which_they_were_named(clf, runs):
    report = report_of(clf("history", "runs/sub/a", "runs/b", "runs/a", "--json"))
    assert report["kind"] == "histories"
    assert [run["run"] for run in report["result"]["runs"]] == ["runs/sub/a", "runs/b", "runs/a"]
    for run in report["result"]["runs"]:
        one = report_of(clf("history", run["run"], "--json", "-o", "x.png"))
        assert {key: run[key] for key in one["result"]} == one["result"]
        assert (run["run_id"], run["arch"]) == (one["model"]["run_id"], one["model"]["arch"])


def test_runs_of_one_name_are_told_apart(clf, runs):
    text = clf("history", "runs/a", "runs/sub/a", "runs/b").stdout
    assert " runs/a " in text
    assert " sub/a " in text
    assert " b " in text


def test_nothing_is_drawn_unless_a_place_is_named(clf, runs):
    before = files_in(Path())
    finished = clf("history", "runs/a", "runs/b")
    assert finished.code == 0
    assert "--out FILE.png" in finished.stderr
    assert clf("history", "runs/a", "runs/b", "-q").stderr == ""
    assert files_in(Path()) == before


def test_a_run_that_is_named_twice_is_one_run(clf, runs):
    assert report_of(clf("history", "runs/a", "runs/./a", "--json"))["kind"] == "history"


def test_runs_from_inside_a_run(clf, runs, monkeypatch):
    monkeypatch.chdir("runs/a")
    assert report_of(clf("history", ".", "--json"))["kind"] == "history"
    assert " a " in clf("history", ".", "../b").stdout


def test_runs_on_other_data_are_a_finding(clf, runs, tiny_run):
    edited(tiny_run, runs / "other", data_fingerprint="sha256:0123456789abcdef")
    report = report_of(clf("history", "runs/a", "runs/other", "--json"))
    assert [finding["category"] for finding in report["findings"]] == ["mixed"]
    assert report_of(clf("history", "runs/a", "runs/b", "--json"))["findings"] == []


# Mistakes


def test_no_run_is_guessed(clf, runs):
    for number, name in enumerate(("c", "d", "e", "f", "g")):
        (runs / name).mkdir()
        (runs / name / "run.json").write_text("{}")
        os.utime(runs / name / "run.json", (2e9 + number, 2e9 + number))
    finished = clf("history")
    assert finished.code == 2
    assert "No run is named, and none is guessed." in finished.stderr
    assert "The newest runs: runs/g, runs/f, runs/e, runs/d, runs/c." in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere"], 4, "There is no nowhere."),
        (["runs"], 4, "runs is not a run: it has no run.json."),
        (["runs"], 4, "The newest runs: "),
        (["file"], 4, "file is a file, not a run."),
        (["runs/a/metrics.csv"], 4, "Its run: "),
        (["runs/a", "nowhere"], 4, "There is no nowhere."),
        (["runs/a", "runs/new"], 4, "No epoch is finished yet: runs/new (running)."),
        (["runs/later"], 4, "was written by a later clf (9)"),
        (["runs/a", "--metric", "val/los"], 2, "did you mean val/loss?"),
        (["runs/a", "runs/b", "--metric", "speed"], 2, "There are train/loss, "),
        (["runs/a", "--out", "file"], 2, "--out file is neither a .png file nor a folder."),
        (["runs/a", "--out", "new.pdf"], 2, "--out new.pdf is neither"),
        (["runs/a", "--data", "x"], 2, "No such option: --data"),
        (["runs/b", "--out", "file/x.png"], 6, "Cannot write file/x.png"),
    ],
)
def test_wrong_input_is_named(clf, runs, tiny_run, arguments, code, says):
    Path("file").write_text("x")
    edited(tiny_run, runs / "new", lambda rows: [], status="running")
    edited(tiny_run, runs / "later", format_version=99, clf="9")
    finished = clf("history", *arguments)
    assert finished.code == code, finished.stderr
    assert says in " ".join(finished.stderr.replace("│", " ").split())
    assert (finished.stdout == "") == (code != 6)  # what cannot be written is at least shown
    assert "Traceback" not in finished.stderr


# What it imports


def test_no_torch_for_a_picture(runs):
    done = clf_without(TORCH, "history", "runs/a", "runs/b", "--out", "x.png")
    assert done.code == 0, done.stderr
    assert is_picture("x.png")


def test_no_matplotlib_for_a_table(runs):
    done = clf_without([*TORCH, "matplotlib", "onnx", "onnxruntime", "pandas"], "history", "runs/a", "runs/b")
    assert done.code == 0, done.stderr
    refused = clf_without(["matplotlib"], "history", "runs/a")  # the check itself
    assert refused.code == 70
    assert "matplotlib" in refused.stderr


def test_old_runs_without_a_start_are_shown(clf, runs):
    run = RunDir(runs / "a")
    record = json.loads(run.run_json.read_text())
    del record["started"]
    run.run_json.write_text(json.dumps(record))
    assert clf("history", run.root).code == 0
