import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.engine.report_page import PICTURE, WORST, Ended, Mistakes, report_page, worst_images
from clf_cli.errors import ModelError
from clf_cli.render.report_page import html
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record
from tests.report_pages import predictions_of


@pytest.fixture
def run(tiny_run, tmp_path):
    shutil.copytree(tiny_run.root, tmp_path / "tiny")
    return RunDir(tmp_path / "tiny")


def test_a_finished_run_has_every_section(tiny_run):
    page = report_page(tiny_run, Mistakes(note="x"))
    assert page.sections == (
        *("summary", "curves", "confusion", "mistakes", "classes", "data", "settings", "export", "environment"),
        *("reproduce", "log"),
    )
    stored = json.loads(tiny_run.report("train").read_text())["result"]
    assert page.numbers["val/acc_top1"] == stored["val"]["val/acc_top1"]
    assert page.numbers["test/loss"] == stored["test"]["test/loss"]
    assert page.numbers["best_epoch"] == stored["best_epoch"]
    assert page.numbers["seconds"] == pytest.approx(stored["seconds"], abs=0.01)  # timing.csv has milliseconds
    assert page.findings == ({"category": "pictures", "severity": "info", "path": "", "reason": "x"},)


def test_what_just_ended_stands_for_the_files_that_come_last(run):
    record, train = read_record(run), json.loads(run.report("train").read_text())["result"]
    whole = html(report_page(run, Mistakes()))
    run.report("train").unlink()
    run.run_json.write_text(run.run_json.read_text().replace('"finished"', '"running"'))
    assert html(report_page(run, Mistakes(), Ended(record, train))) == whole
    assert html(report_page(run, Mistakes())) != whole


def test_where_a_run_is_read_from_does_not_show(run, monkeypatch):
    whole = html(report_page(run, Mistakes()))
    monkeypatch.chdir(run.root)
    assert html(report_page(RunDir(Path()), Mistakes())) == whole
    monkeypatch.chdir(run.root.parent)
    assert html(report_page(RunDir(Path("tiny")), Mistakes())) == whole


def test_a_run_in_its_first_epoch_has_little_to_show(run):
    for path in (run.metrics, run.timing, run.log, *run.root.glob("reports/*"), *run.export.glob("*.json")):
        path.unlink()
    page = report_page(run, Mistakes())
    assert page.sections == ("summary", "settings", "environment", "reproduce")
    assert page.numbers["epochs"] == 0
    assert page.numbers["best_epoch"] is None


def test_a_failed_export_and_missing_validation_are_findings(run):
    stored = json.loads(run.report("train").read_text())
    stored["result"]["export_error"] = "no space"
    run.report("train").write_text(json.dumps(stored))
    page = report_page(run, Mistakes())
    page = replace(page, record=replace(page.record, validated=False))
    assert [(found["category"], found["severity"]) for found in page.findings] == [
        ("validation", "warning"),
        ("export", "error"),
    ]


def test_a_calibration_of_other_weights_is_not_shown(clf, run):
    assert clf("calibrate", run.root, "--quiet").code == 0
    assert "calibration" in report_page(run, Mistakes()).sections
    run.best.write_bytes(run.last.read_bytes())
    assert "calibration" not in report_page(run, Mistakes()).sections


@pytest.mark.parametrize("name", ["reports/metrics.json", "export/validation.json", "metrics.csv", "run.json"])
def test_a_damaged_run_is_an_error_that_names_the_file(run, name):
    (run.root / name).write_text("{")
    with pytest.raises(ModelError, match=name.rpartition("/")[2]):
        report_page(run, Mistakes())


def test_the_worst_come_first_with_small_pictures(tmp_path):
    for number in range(WORST + 6):
        Image.new("RGB", (400, 200), (number, 0, 0)).save(tmp_path / f"{number:02d}.png")
    found = worst_images(predictions_of([f"{number:02d}.png" for number in range(WORST + 6)]), tmp_path)
    assert found.note == ""
    assert [image.sample.path for image in found.images] == [f"{n:02d}.png" for n in range(WORST + 5, 5, -1)]
    with Image.open(io.BytesIO(found.images[0].jpeg)) as picture:
        assert picture.size == (PICTURE, PICTURE // 2)
        assert picture.format == "JPEG"


def test_pictures_that_are_gone_or_unwanted_leave_their_rows(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    found = worst_images(predictions_of(["a.png", "b.png", "c.png"]), tmp_path)
    assert [image.jpeg is None for image in found.images] == [True, True, False]
    assert found.note == "2 of 3 pictures can no longer be read."
    without = worst_images(predictions_of(["a.png"]), tmp_path, pictures=False)
    assert without.images[0].jpeg is None
    assert "left out" in without.note


def test_pictures_are_bounded_whatever_the_images_hold(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    found = worst_images(predictions_of(["noise.png"] * 2), tmp_path)
    assert WORST * len(found.images[0].jpeg) * 4 / 3 < 1_000_000  # in base64
