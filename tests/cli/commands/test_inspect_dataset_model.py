"""clf inspect-dataset --model: disputed labels of images that the model was not trained on."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, Linear, write_onnx_file
from tests.running import TORCH, Clf, clf_without, report_of

PLANTED = {
    "train/green/planted.png": "red",
    "val/blue/planted.png": "red",
    "test/red/planted.png": "green",
    "test/green/planted.png": "blue",
}


@pytest.fixture(scope="module")
def planted(tiny_dataset, tmp_path_factory) -> Path:
    """The discs that the run was trained on, four of them in the folder of another colour."""
    root = shutil.copytree(tiny_dataset, tmp_path_factory.mktemp("planted") / "discs")
    for path, color in PLANTED.items():
        (root / path.split("/")[0] / color / "05.png").rename(root / path)
    return root


@pytest.fixture(scope="module")
def colors(tmp_path_factory) -> Path:
    """An ONNX file that tells colours apart, of data that nobody knows."""
    weights = np.float32([[0, 0, 60], [0, 60, 0], [60, 0, 0]])
    contract = replace(CONTRACT, labels=Labels(("blue", "green", "red")), preprocess=Preprocess(28, 28))
    path = tmp_path_factory.mktemp("colors") / "colors.onnx"
    return write_onnx_file(path, Linear(weights, np.zeros(3, np.float32)), contract)


def suspects(clf: Clf, *arguments: object) -> dict:
    found: dict = report_of(clf("inspect-dataset", *arguments, "--json"))["result"]["suspects"]
    return found


def test_planted_errors_come_first(clf, planted, colors):
    """A model of unknown origin judges every image, and that is said."""
    done = clf("inspect-dataset", planted, "--model", colors, "--json")
    found = report_of(done)["result"]["suspects"]
    assert {image["path"]: image["predicted"] for image in found["images"][:4]} == PLANTED
    assert (found["judged"], found["not_judged"]) == (108, 0)
    assert found["models"][0]["trained_on"] is None
    assert "is not known" in done.stderr
    for image in found["images"]:
        assert image.keys() == {"path", "label", "predicted", "probability", "score", "split"}
        assert image["split"] == image["path"].split("/")[0]
        assert image["label"] == image["path"].split("/")[1] != image["predicted"]
        assert -1 <= image["score"] < 0 <= image["probability"] <= 1


def test_a_run_does_not_judge_its_train_split(clf, planted, tiny_run):
    """A checkpoint and its ONNX file agree."""
    found, exported = (suspects(clf, planted, "--model", path) for path in (tiny_run.root, tiny_run.onnx))
    assert (found["judged"], found["not_judged"]) == (48, 60)
    assert found["models"][0]["trained_on"] == 60
    assert found["images"][0]["path"] in PLANTED
    assert {image["split"] for image in found["images"]} <= {"val", "test"}
    assert [image["path"] for image in exported["images"]] == [image["path"] for image in found["images"]]


def test_a_run_that_another_run_s_lost_weights_began_says_so(clf, planted, tiny_run, tmp_path):
    run = RunDir(tmp_path / "run")
    shutil.copytree(tiny_run.export, run.export)
    for path in (tiny_run.settings, tiny_run.splits):
        shutil.copy(path, run.root / path.name)
    record = json.loads(tiny_run.run_json.read_text())
    run.run_json.write_text(json.dumps({**record, "init_from": "/gone/best.ckpt", "init_run_id": "0"}))
    done = clf("inspect-dataset", planted, "--model", run.onnx, "--no-near-duplicates")
    assert done.code == 0
    assert "/gone/best.ckpt (--init-from), whose run is not there" in done.stderr


def test_another_model_judges_what_the_first_was_trained_on(clf, planted, colors, tiny_run):
    found = suspects(clf, planted, "--model", tiny_run.onnx, "--model", colors)
    assert [model["trained_on"] for model in found["models"]] == [60, None]
    assert (found["judged"], found["not_judged"]) == (108, 0)
    assert found["images"][0]["path"] == "train/green/planted.png"


def test_the_table_the_finding_and_the_gate(clf, planted, tiny_run):
    asked = ("inspect-dataset", planted, "--model", tiny_run.onnx)
    done = clf(*asked)
    assert done.code == 0
    assert done.stdout.index("Disputed labels") < done.stdout.index("CLF901")
    assert "test/red/planted.png" in done.stdout
    assert re.search(r"Disputed: \d+ labels of 48 images judged", done.stdout)
    assert "Not judged: 60 images that the model was trained on." in done.stdout
    failed = clf(*asked, "--fail-on", "suspect", "--json")
    assert failed.code == 1
    finding = next(f for f in json.loads(failed.stdout)["findings"] if f["code"] == "CLF901")
    assert finding["gate"] == "failed"
    assert finding["count"] == 1 + len(finding["others"])
    assert "CLF901" not in json.loads(failed.stdout)["result"]["gate"]["not_searched"]


def test_without_a_model(clf, planted):
    refused = clf("inspect-dataset", planted, "--fail-on", "CLF901")
    assert (refused.code, refused.stdout) == (2, "")
    assert "--model" in refused.stderr
    done = clf("inspect-dataset", planted, "--warn-on", "CLF901", "--json")
    report = report_of(done)
    assert report["result"]["suspects"] is None
    assert "CLF901" in report["result"]["gate"]["not_searched"]
    assert "no --model is named" in done.stderr


def test_pictures_and_the_page(clf, planted, colors, tmp_path):
    out, page = tmp_path / "out", tmp_path / "page.html"
    done = clf("inspect-dataset", planted, "--model", colors, "--out", out, "--html", page)
    assert done.code == 0
    assert (out / "dataset-suspects.png").read_bytes().startswith(b"\x89PNG")
    html = page.read_text()
    section = html[html.index("Disputed: ") :]
    count = int(re.search(r"Disputed: (\d+) labels", section)[1])
    assert section.count("label: <bdi>") == section.count('<p class="loss">score') == count
    assert section.count('class="picture"') == count
    assert 'title="test/red/planted.png"' in section


def test_an_onnx_file_needs_no_torch(planted, colors):
    done = clf_without(TORCH, "inspect-dataset", planted, "--model", colors, "--json", "--no-near-duplicates")
    assert report_of(done)["result"]["suspects"]["judged"] == 108


def test_the_transform_is_the_model_s(clf, planted, colors):
    crop = report_of(clf("inspect-dataset", planted, "--model", colors, "--json"))["result"]["crop"]
    assert (crop["width"], crop["height"]) == (28, 28)
    done = clf("inspect-dataset", planted, "--model", colors, "--image-size", 64)
    assert done.code == 2
    assert "--image-size" in done.stderr


def test_a_bad_model_ends_before_the_images_are_read(clf, planted, tmp_path):
    done = clf("inspect-dataset", planted, "--model", tmp_path / "none")
    assert done.code == 4
    assert "There is no" in done.stderr
    (tmp_path / "text.onnx").write_text("hello")
    assert clf("inspect-dataset", planted, "--model", tmp_path / "text.onnx").code == 4


def test_classes_that_the_model_lacks(clf, planted, colors, tmp_path):
    root = shutil.copytree(planted, tmp_path / "data")
    (root / "train/red").rename(root / "train/pink")
    for split in ("val", "test"):
        (root / split / "red").rename(root / split / "pink")
    done = clf("inspect-dataset", root, "--model", colors, "--json")
    assert done.code == 3
    assert done.stdout == ""
    assert "does not know this class of" in done.stderr
    assert '"pink"' in done.stderr


def test_only_images_that_it_was_trained_on(clf, tiny_dataset, tiny_run):
    done = clf("inspect-dataset", tiny_dataset / "train", "--model", tiny_run.onnx)
    assert done.code == 3
    assert "none can be judged" in done.stderr
    assert "--folds" in done.stderr
