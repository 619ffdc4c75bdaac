import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.running import report_of


def files_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()
    }


def test_json_is_what_training_wrote_for_the_best_epoch(clf, run):
    written = json.loads(run.report("confusion").read_text())
    printed = report_of(clf("confusion", run.root, "--json"))
    assert printed == written
    assert printed["kind"] == "confusion"
    assert printed["data"]["split"] == "val"
    assert printed["model"]["path"] == "checkpoints/best.ckpt"
    assert np.sum(printed["result"]["counts"]) == printed["data"]["images"] == 24
    assert np.sum(printed["result"]["counts"], axis=1).tolist() == [8, 8, 8]  # rows are the true classes


def test_the_table_for_people_and_the_paths_on_stderr(clf, run):
    finished = clf("confusion", run.root)
    assert finished.code == 0
    assert "of 24 images right" in finished.stdout
    assert "rows true, columns predicted" in finished.stdout
    assert "runs/tiny/reports/confusion.png" in finished.stderr.replace("\\", "/")
    assert "reports/" not in finished.stdout
    assert clf("confusion", run.root, "--quiet").stderr == ""


def test_a_run_gets_its_reports_again_and_nothing_else(clf, run):
    for suffix in (".json", ".csv", ".png", "-pairs.png"):
        run.report("confusion", suffix).unlink(missing_ok=True)
    before = files_in(run.root)
    report = report_of(clf("confusion", run.root, "--json"))
    after = files_in(run.root)
    assert set(after) - set(before) == {
        f"reports/confusion{suffix}" for suffix in (".json", ".csv", ".png", "-pairs.png")
    }
    assert {name: after[name] for name in before} == before
    with run.report("confusion", ".csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["true", *report["result"]["labels"]]
    assert [[int(count) for count in row[1:]] for row in rows] == report["result"]["counts"]
    with Image.open(run.report("confusion", ".png")) as image:
        image.verify()


def test_another_split_has_files_of_its_own(clf, run):
    val = run.report("confusion").read_bytes()
    report = report_of(clf("confusion", run.root, "--split", "test", "--json"))
    assert report["data"]["split"] == "test"
    assert json.loads(run.report("confusion-test").read_text()) == report
    assert run.report("confusion-test", ".png").is_file()
    assert run.report("confusion").read_bytes() == val


def test_out_takes_the_files_instead(clf, run, tmp_path):
    before = files_in(run.root)
    report = report_of(clf("confusion", run.root, "--json", "--out", "new/folder"))
    assert files_in(run.root) == before
    assert sorted(path.name for path in Path("new/folder").iterdir()) == [
        *("confusion-pairs.png", "confusion.csv", "confusion.json", "confusion.png")
    ]
    assert json.loads(Path("new/folder/confusion.json").read_text()) == report


def test_normalize_changes_the_picture_only(clf, run):
    reports = [
        report_of(clf("confusion", run.root, "--json", "-o", way[2:], way)) for way in ("--normalize", "--no-normalize")
    ]
    assert reports[0] == reports[1]
    assert Path("normalize/confusion.png").read_bytes() != Path("no-normalize/confusion.png").read_bytes()


def test_an_epoch_is_what_the_run_kept_and_its_picture_is_drawn_if_it_was_not(clf, run):
    picture = run.epoch(1) / "confusion.png"
    picture.unlink()
    report = report_of(clf("confusion", run.root, "--epoch", "1", "--json"))
    assert report == json.loads((run.epoch(1) / "confusion.json").read_text())
    assert picture.is_file()
    assert picture.with_name("confusion-pairs.png").is_file()


def test_pairs_whose_images_are_not_at_hand_are_left_out_and_that_is_said(clf, run):
    path = run.epoch(1) / "confusion.json"
    report = json.loads(path.read_text())
    assert all(pair["examples"] for pair in report["result"]["most_confused"])
    report["data"]["path"] = "moved/away"
    path.write_text(json.dumps(report))
    finished = clf("confusion", run.root, "--epoch", "1", "-o", "x")
    assert finished.code == 0
    assert "The most confused pairs are not drawn: their images are not at hand." in finished.stderr
    assert sorted(path.name for path in Path("x").iterdir()) == ["confusion.csv", "confusion.json", "confusion.png"]
    run.labels_mapping.unlink()
    assert "are not drawn" in clf("confusion", run.root, "--epoch", "2", "-o", "x").stderr


def test_other_data_are_never_written_into_the_run(clf, run, tiny_dataset, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny_dataset / "train", other / "val")
    shutil.copytree(tiny_dataset / "val", other / "train")
    before = files_in(run.root)
    report = report_of(clf("confusion", run.root, "--data", other, "--json"))
    assert report["data"]["images"] == 60
    assert files_in(run.root) == before


def test_a_checkpoint_and_the_onnx_file_count_the_same_and_write_nothing(clf, run):
    expected = report_of(clf("confusion", run.root, "--json"))["result"]
    before = files_in(run.root)
    for file in (run.best, run.onnx):
        assert report_of(clf("confusion", file, "--json"))["result"] == expected
    assert files_in(run.root) == before


def test_nothing_is_guessed_without_a_model(clf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(7):
        record = Path(f"runs/r{number}/run.json")
        record.parent.mkdir(parents=True)
        record.write_text("{}")
        os.utime(record, (number, number))
    finished = clf("confusion")
    assert finished.code == 2
    assert "No model is named" in finished.stderr
    assert "The newest runs: runs/r6, runs/r5, runs/r4, runs/r3, runs/r2." in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere"], 4, "There is no nowhere"),
        (["."], 4, "not a run"),
        (["runs/tiny", "--split", "valid"], 2, "valid"),
        (["runs/tiny", "--epoch", "9"], 2, "runs/tiny has no confusion matrix of epoch 9"),
        (["runs/tiny", "--epoch", "9"], 2, "It has those of epochs 1 to 2."),
        (["runs/tiny", "--epoch", "0"], 2, "--epoch"),
        (["runs/tiny", "--epoch", "1", "--split", "test"], 2, "val split only"),
        (["runs/tiny", "--epoch", "1", "--data", "."], 2, "val split only"),
        (["runs/tiny/checkpoints/best.ckpt", "--epoch", "1"], 2, "is not a run"),
        (["runs/tiny", "--out", "file"], 2, "--out file is a file"),
        (["alone.ckpt"], 2, "--data"),
        (["file"], 4, "file"),
        (["runs/tiny", "--data", "gone"], 3, "gone"),
    ],
)
def test_wrong_input_is_named(clf, run, arguments, code, says):
    Path("file").write_text("x")
    shutil.copy(run.best, "alone.ckpt")
    finished = clf("confusion", *arguments)
    assert finished.code == code, finished.stderr
    assert says in " ".join(finished.stderr.replace("│", " ").split())
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr


def test_an_epoch_of_a_run_of_a_later_clf_is_exit_4(clf, run):
    record = json.loads(run.run_json.read_text())
    run.run_json.write_text(json.dumps(record | {"format_version": record["format_version"] + 1}))
    finished = clf("confusion", run.root, "--epoch", "1")
    assert (finished.code, finished.stdout) == (4, "")
    assert "later clf" in finished.stderr


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"result": {"labels": ["a"], "counts": [[1, 2]]}}'])
def test_a_kept_epoch_that_is_broken_is_exit_4(clf, run, content):
    path = run.epoch(1) / "confusion.json"
    path.write_text(content)
    finished = clf("confusion", run.root, "--epoch", "1")
    assert finished.code == 4
    assert "confusion.json is not a confusion report" in finished.stderr.replace("\n", " ")


def test_a_run_that_cannot_be_written_still_prints(clf, run):
    shutil.rmtree(run.report("x").parent)
    run.report("x").parent.write_text("a file in the folder's place")
    finished = clf("confusion", run.root)
    assert finished.code == 6
    assert "of 24 images right" in finished.stdout
    assert "Cannot write" in finished.stderr
    assert "--out" in finished.stderr


def test_a_split_without_images_is_exit_3(clf, run):
    rows = [line for line in run.splits.read_text().splitlines() if not line.endswith(",test")]
    run.splits.write_text("\n".join(rows) + "\n")
    finished = clf("confusion", run.root, "--split", "test")
    assert finished.code == 3
    assert "no images in the split test" in finished.stderr


def test_what_a_variable_says_against_the_model_is_left_aside_and_said(clf, tiny_run, monkeypatch):
    monkeypatch.setenv("CLF_MODEL__IMAGE_SIZE", "64")
    monkeypatch.setenv("CLF_MODEL__ARCH", "test_resnet")  # the model's own: nothing to say
    done = clf("confusion", tiny_run.root / "checkpoints" / "best.ckpt", "--json")
    assert done.code == 0, done.stderr
    assert "Not used: model.image_size = 64 (CLF_MODEL__IMAGE_SIZE). The model has 32." in done.stderr
    assert "model.arch" not in done.stderr
