"""clf compare on a trained run, its export, and files of other classes: numbers, gates, data, bad input."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, linear, write_onnx_file
from tests.running import TORCH, clf_without, draw_discs, report_of


def other_model(path, labels=("blue", "green", "red"), side=32, **changes):
    """Another network on the same classes."""
    contract = replace(CONTRACT, labels=Labels(labels), preprocess=Preprocess(side, side), **changes)
    return write_onnx_file(path, linear(len(labels)), contract)


def test_a_run_against_its_own_files(clf, tiny_run):
    for other in (tiny_run.root, tiny_run.best, tiny_run.onnx):
        report = report_of(clf("compare", tiny_run.root, other, "--json"))
        result = report["result"]
        assert report["kind"] == "compare"
        assert report["model"] == result["b"]["model"]
        assert [flip for flip in result["flips"] if not flip["tie"]] == []
        assert result["difference"]["loss"] == pytest.approx(0, abs=1e-5)
        assert result["identical"] or other == tiny_run.onnx
        assert (report["data"]["split"], report["data"]["images"]) == ("val", 24)
    metrics = json.loads(tiny_run.report("metrics").read_text())["result"]
    assert {name: result["a"][name] for name in ("acc_top1", "loss", "f1_macro")} == {
        name: metrics[name] for name in ("acc_top1", "loss", "f1_macro")
    }


def test_another_model_on_the_data_of_whichever_has_a_run(clf, tiny_run, tmp_path):
    other = other_model(tmp_path / "other.onnx", ("red", "blue", "green"))
    one = report_of(clf("compare", tiny_run.onnx, other, "--json"))
    turned = report_of(clf("compare", other, tiny_run.onnx, "--json"))
    assert one["data"] == turned["data"]
    assert one["result"]["difference"]["acc_top1"] == -turned["result"]["difference"]["acc_top1"]
    assert {flip["path"] for flip in one["result"]["flips"]} == {flip["path"] for flip in turned["result"]["flips"]}
    assert [finding["path"] for finding in one["findings"]] == [other.as_posix(), other.as_posix()]
    assert {finding["category"] for finding in one["findings"]} == {"validation", "data"}
    test = report_of(clf("compare", tiny_run.onnx, other, "--split", "test", "--json"))
    assert test["data"]["split"] == "test"


def always(path, name):
    """A model that says nothing but `name`."""
    labels = Labels(("blue", "green", "red"))
    says = np.where(np.array(labels.names) == name, 9, 0).astype(np.float32)
    contract = replace(CONTRACT, labels=labels, preprocess=Preprocess(32, 32))
    return write_onnx_file(path, replace(linear(3), weights=np.zeros((3, 3), dtype=np.float32), bias=says), contract)


def test_the_table_comes_before_the_answer_of_the_gates(clf, tmp_path, tiny_dataset):
    blue, red = always(tmp_path / "blue.onnx", "blue"), always(tmp_path / "red.onnx", "red")
    asked = ("compare", blue, red, "--data", tiny_dataset, "--max-accuracy-drop", "0")
    passed = clf(*asked)
    assert passed.code == 0, passed.stderr
    assert "gate max_accuracy_drop: 0.00 points, at most 0: passed" in passed.stdout
    failed = clf(*asked, "--per-class-max-accuracy-drop", "0.5")
    assert failed.code == 1
    assert f"A, the baseline: {blue}" in failed.stdout
    assert "gate per_class_max_accuracy_drop: 100.00 points, at most 50: not passed (blue)" in failed.stdout
    assert f'{red} is worse than {blue}: accuracy on "blue" falls by up to 1, more than 0.5.' in failed.stderr
    gates = report_of(clf(*asked, "--per-class-max-accuracy-drop", "0.5", "--json"), 1)["result"]["gates"]
    assert [gate["passed"] for gate in gates] == [True, False]
    same = clf("compare", blue, blue, *asked[3:])
    assert same.code == 0
    assert "The answers are identical" in same.stdout


def test_a_model_that_may_have_learnt_from_the_images_is_said_beside_the_table(clf, tiny_run, tmp_path):
    other = other_model(tmp_path / "other.onnx", data_fingerprint="sha256:other")
    done = clf("compare", tiny_run.onnx, other, "-q")
    assert done.code == 0, done.stderr
    assert f"Warning: {other.as_posix()}: trained on other data or splits than the other model" in done.stderr


def test_a_limit_can_stand_in_a_settings_file(clf, tmp_path, tiny_dataset, monkeypatch):
    blue, red = always(tmp_path / "blue.onnx", "blue"), always(tmp_path / "red.onnx", "red")
    monkeypatch.setenv("CLF_COMPARE__PER_CLASS_MAX_ACCURACY_DROP", "0.2")
    assert clf("compare", blue, red, "--data", tiny_dataset).code == 1


def test_files_are_written_where_asked_and_nowhere_else(clf, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tiny_run.root.rglob("*")}
    report = report_of(clf("compare", tiny_run.onnx, tiny_run.onnx, "--json"))
    assert list(tmp_path.iterdir()) == []
    report_of(clf("compare", tiny_run.onnx, tiny_run.onnx, "--json", "--out", "new"))
    assert json.loads(Path("new/compare.json").read_text()) == report
    assert Path("new/compare.csv").read_text().startswith("path,true,a,b,right,tie\n")
    assert {path: path.stat().st_mtime_ns for path in tiny_run.root.rglob("*")} == before


def test_the_seed_moves_the_interval_only(clf, tiny_run, tmp_path):
    other = other_model(tmp_path / "other.onnx")
    reports = [
        report_of(clf("compare", tiny_run.onnx, other, "--json", "--seed", seed))["result"] for seed in (0, 0, 1)
    ]
    assert reports[0] == reports[1]
    assert {**reports[0], "intervals": None} == {**reports[2], "intervals": None}


def test_two_onnx_files_need_no_torch(tiny_run, tiny_dataset, tmp_path):
    other = other_model(tmp_path / "other.onnx", side=24)
    report = report_of(clf_without(TORCH, "compare", tiny_run.onnx, other, "--data", tiny_dataset, "--json"))
    assert report["result"]["b"]["model"]["arch"] == "by-hand"


class TestClasses:
    """By name; what one model lacks is an error, unless it is left out."""

    def test_more_classes_than_the_data_are_fine(self, clf, tiny_run, tmp_path):
        other = other_model(tmp_path / "other.onnx", ("pink", "red", "green", "blue"))
        result = report_of(clf("compare", tiny_run.onnx, other, "--json"))["result"]
        assert (result["only_in_a"], result["only_in_b"]) == ([], ["pink"])

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_class_that_one_lacks(self, clf, tiny_run, tmp_path, turned):
        other = other_model(tmp_path / "other.onnx", ("red", "green"))
        pair = (other, tiny_run.onnx) if turned else (tiny_run.onnx, other)
        done = clf("compare", *pair)
        assert (done.code, done.stdout) == (3, "")
        assert f'class "blue" is not a class of {"A" if turned else "B"}, {other}' in done.stderr
        assert "--on-unknown-class skip" in done.stderr
        report = report_of(clf("compare", *pair, "--on-unknown-class", "skip", "--json"))
        assert (report["data"]["images"], report["data"]["skipped"]) == (16, 8)
        shown = clf("compare", *pair, "--on-unknown-class", "skip")
        assert "16 images · 8 images left out" in shown.stdout
        assert f"Left out, of classes that {'A' if turned else 'B'}, {other}, does not know: " in shown.stderr

    def test_no_class_in_common(self, clf, tiny_run, tmp_path):
        other = other_model(tmp_path / "other.onnx", ("cat", "dog"))
        done = clf("compare", tiny_run.onnx, other, "--on-unknown-class", "skip")
        assert (done.code, done.stdout) == (3, "")
        assert "no images in the split val" in done.stderr


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "code", "says"),
        [
            ([], 2, "No baseline is named"),
            (["RUN"], 2, "No candidate is named"),
            (["nowhere", "RUN"], 4, "There is no nowhere"),
            (["RUN", "nowhere"], 4, "There is no nowhere"),
            (["RUN", "text.ckpt"], 4, "text.ckpt"),
            (["RUN", "."], 4, "not a run"),
            (["RUN", "RUN", "--split", "valid"], 2, "valid"),
            (["RUN", "RUN", "--data", "gone"], 3, "gone"),
            (["RUN", "RUN", "--out", "text.ckpt"], 2, "--out text.ckpt is a file"),
            (["RUN", "RUN", "--max-accuracy-drop", "5"], 2, "max-accuracy-drop"),
            (["alone.onnx", "alone.onnx"], 2, "--data"),
        ],
    )
    def test_is_named(self, clf, tiny_run, tmp_path, monkeypatch, arguments, code, says):
        monkeypatch.chdir(tmp_path)
        Path("text.ckpt").write_text("x")
        shutil.copy(tiny_run.onnx, "alone.onnx")
        done = clf("compare", *(tiny_run.onnx if word == "RUN" else word for word in arguments))
        assert (done.code, done.stdout) == (code, ""), done.stderr
        assert says in " ".join(done.stderr.replace("│", " ").split())
        assert "Traceback" not in done.stderr

    def test_one_class(self, clf, tiny_run, tmp_path):
        data = draw_discs(tmp_path / "data", {"val": 2})
        for name in ("green", "red"):
            shutil.rmtree(data / "val" / name)
        done = clf("compare", tiny_run.onnx, tiny_run.onnx, "--data", data)
        assert (done.code, done.stdout) == (3, "")
        assert "one class only (blue)" in done.stderr

    def test_a_run_that_goes_on(self, clf, tiny_run, tmp_path):
        run = RunDir(shutil.copytree(tiny_run.root, tmp_path / "run"))
        run.run_json.write_text(run.run_json.read_text().replace('"finished"', '"running"'))
        done = clf("compare", tiny_run.onnx, run.root)
        assert done.code == 4
        assert "best.ckpt" in done.stderr
