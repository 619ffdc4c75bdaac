"""clf calibrate on a trained run and its files: what is stored, what predict makes of it, the copy, bad input."""

import hashlib
import json
import shutil
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from clf_cli import load_model
from tests.running import TORCH, clf_without, draw_discs, report_of


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def lines_of(finished):
    assert finished.code == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def test_a_run_keeps_it_and_nothing_else_changes(clf, run):
    before = digests(run.root)
    report = report_of(clf("calibrate", run.root, "--json"))
    after = digests(run.root)
    assert set(after) - set(before) == {"reports/calibration.json", "reports/calibration.png"}
    assert {name: after[name] for name in before} == before
    assert json.loads(run.report("calibration").read_text()) == report
    assert report["kind"] == "calibration"
    metrics = json.loads(run.report("metrics").read_text())["result"]
    found = report["result"]["before"]
    assert (found["loss"], found["ece"], found["precision"]) == (
        metrics["loss"], metrics["ece"], metrics["acc_top1"],
    )  # fmt: skip


def test_the_table(clf, run):
    done = clf("calibrate", run.root, "--target-precision", "0.5")
    assert done.code == 0, done.stderr
    for words in ("temperature", "calibration error", "cross-fitted", "thresholds for 50.0 % right"):
        assert words in done.stdout
    assert "runs/tiny/reports/calibration.png" in done.stderr.replace("\\", "/")


def test_run_checkpoint_and_export_give_the_same_numbers(clf, run, tiny_dataset):
    results = [report_of(clf("calibrate", model, "--json"))["result"] for model in (run.root, run.best, run.onnx)]
    digest = [result.pop("model_digest") for result in results]
    assert results[0] == results[1]
    assert digest[0] == digest[1] != digest[2]
    assert results[2]["temperature"] == pytest.approx(results[0]["temperature"], rel=1e-4)
    shutil.copy(run.onnx, "alone.onnx")
    alone = report_of(clf("calibrate", "alone.onnx", "--data", tiny_dataset, "--json"))
    assert alone["result"]["temperature"] == results[2]["temperature"]
    assert not Path("alone.calibration.json").exists()


class TestPredict:
    """The probabilities change, the best class never; where the model is not sure enough, it abstains."""

    @pytest.mark.parametrize("target", ["0.5", "1"])
    def test_a_run(self, clf, run, tiny_dataset, target):
        images = tiny_dataset / "val" / "red"
        plain = lines_of(clf("predict", run.root, images, "--format", "jsonl"))
        report = report_of(clf("calibrate", run.root, "--target-precision", target, "--json"))["result"]
        done = clf("predict", run.root, images, "--format", "jsonl")
        assert "calibration.json" in done.stderr
        thresholds = {row["class"]: row["threshold"] for row in report["per_class"]}
        for before, after in zip(plain, lines_of(done), strict=True):
            best = after["top"][0]
            assert best["label"] == before["label"]
            threshold = thresholds[best["label"]]
            told = threshold is not None and best["probability"] >= threshold
            assert after["label"] == (best["label"] if told else None)
        assert lines_of(clf("predict", run.root, images, "--format", "jsonl", "--no-calibration")) == plain
        said = load_model(run.root).predict(sorted(images.iterdir()))
        assert [one.label for one in said] == [line["label"] for line in lines_of(done)]

    def test_its_coverage_is_the_reports(self, clf, run, tiny_dataset):
        report = report_of(clf("calibrate", run.root, "--target-precision", "0.6", "--json"))["result"]
        lines = lines_of(clf("predict", run.root, tiny_dataset / "val", "-r", "--format", "jsonl"))
        told = [line for line in lines if line["label"] is not None]
        assert len(told) / len(lines) == report["after"]["coverage"]
        right = [line for line in told if line["label"] == Path(line["path"]).parent.name]
        if told:
            assert len(right) / len(told) == pytest.approx(report["after"]["precision"])

    def test_not_of_other_weights(self, clf, run, tiny_dataset):
        report_of(clf("calibrate", run.root, "--json"))
        shutil.copy(run.last, run.best)
        done = clf("predict", run.root, tiny_dataset / "val" / "red", "--format", "jsonl", "--quiet")
        assert done.code == 0
        assert "of other weights and is not used" in done.stderr

    def test_no_other_command_uses_it(self, clf, run):
        before = [report_of(clf(command, run.root, "--json"))["result"] for command in ("evaluate", "confusion")]
        report_of(clf("calibrate", run.root, "--json"))
        after = [report_of(clf(command, run.root, "--json"))["result"] for command in ("evaluate", "confusion")]
        assert after == before


class TestCopy:
    @pytest.mark.parametrize("model", ["run", "onnx"])
    def test_knows_its_calibration(self, clf, run, tiny_dataset, model):
        before = digests(run.root)
        named = run.root if model == "run" else run.onnx
        report = report_of(clf("calibrate", named, "-o", "out/sure.onnx", "--target-precision", "0.6", "--json"))
        after = digests(run.root)
        assert {name: after[name] for name in before} == before, "the model is never changed"
        assert sorted(path.name for path in Path("out").iterdir() if path.name.startswith("sure.")) == [
            *(["sure.calibration.json", "sure.calibration.png"] if model == "onnx" else []),
            *("sure.golden", "sure.labels_mapping.json", "sure.onnx", "sure.validation.json"),
        ]
        contract = json.loads(Path("out/sure.labels_mapping.json").read_text())["contract"]
        assert contract["temperature"] == report["result"]["temperature"]
        assert contract["thresholds"] == [row["threshold"] for row in report["result"]["per_class"]]
        validated = clf("validate-onnx", "out/sure.onnx", "--against", run.root, "--data", tiny_dataset)
        assert validated.code == 0, validated.stderr
        assert clf("validate-onnx", "out/sure.onnx").code == 0, "by its golden samples"
        same = report_of(clf("compare", run.onnx, "out/sure.onnx", "--json"))["result"]
        assert same["identical"]

    def test_abstains_where_the_run_does(self, clf, run, tiny_dataset):
        assert clf("calibrate", run.root, "-o", "sure.onnx", "--target-precision", "0.6").code == 0
        images = (tiny_dataset / "val", "-r", "--format", "jsonl")
        one, other = (lines_of(clf("predict", model, *images)) for model in (run.root, "sure.onnx"))
        assert [line["label"] for line in one] == [line["label"] for line in other]
        for ours, theirs in zip(one, other, strict=True):
            assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-5)

    def test_takes_the_place_of_an_older_copy(self, clf, run):
        for target in ("0.5", "0.6"):
            report = report_of(clf("calibrate", run.onnx, "-o", "sure.onnx", "--target-precision", target, "--json"))
            assert json.loads(Path("sure.calibration.json").read_text()) == report

    def test_needs_no_torch(self, run, tiny_dataset):
        report_of(clf_without(TORCH, "calibrate", run.onnx, "--data", tiny_dataset, "-o", "sure.onnx", "--json"))
        assert Path("sure.onnx").is_file()

    def test_an_export_of_other_weights_is_refused(self, clf, run):
        model = onnx.load(run.onnx)
        largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * -2, largest.name))
        onnx.save(model, run.onnx)
        before = digests(run.root)
        done = clf("calibrate", run.root, "-o", "sure.onnx")
        assert done.code == 5, done.stderr
        assert "does not answer like" in done.stderr
        assert "No copy was written" in done.stderr
        assert not Path("sure.onnx").exists()
        assert {name: digest for name, digest in digests(run.root).items() if name in before} == before

    @pytest.mark.parametrize(
        ("arguments", "code", "says"),
        [
            (["RUN", "-o", "runs/tiny/export/model.onnx"], 2, "is the model itself, which is never changed"),
            (["ONNX", "-o", "./runs/tiny/export/model.onnx"], 2, "is the model itself"),
            (["CKPT", "-o", "sure.onnx"], 2, "is a checkpoint"),
            (["RUN", "-o", "sure.pt"], 2, "does not end in .onnx"),
            (["RUN", "-o", "runs"], 2, "is a folder"),
        ],
    )
    def test_wrong_places_are_refused_before_the_work(self, clf, run, arguments, code, says):
        names = {"RUN": run.root, "ONNX": run.onnx, "CKPT": run.best}
        before = digests(".")
        done = clf("calibrate", *(names.get(word, word) for word in arguments))
        assert (done.code, done.stdout) == (code, ""), done.stderr
        assert says in " ".join(done.stderr.replace("│", " ").split())
        assert digests(".") == before


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "code", "says"),
        [
            ([], 2, "No model is named"),
            (["nowhere"], 4, "There is no nowhere"),
            (["text.ckpt"], 4, "text.ckpt"),
            (["."], 4, "not a run"),
            (["alone.onnx"], 2, "--data"),
            (["runs/tiny", "--split", "valid"], 2, "valid"),
            (["runs/tiny", "--data", "gone"], 3, "gone"),
            (["runs/tiny", "--target-precision", "1.5"], 2, "target-precision"),
            (["runs/tiny", "--target-precision", "0"], 2, "target-precision"),
        ],
    )
    def test_is_named(self, clf, run, arguments, code, says):
        Path("text.ckpt").write_text("x")
        shutil.copy(run.onnx, "alone.onnx")
        done = clf("calibrate", *arguments)
        assert (done.code, done.stdout) == (code, ""), done.stderr
        assert says in " ".join(done.stderr.replace("│", " ").split())
        assert "Traceback" not in done.stderr

    def test_one_class(self, clf, run, tmp_path):
        data = draw_discs(tmp_path / "data", {"val": 2})
        for name in ("green", "red"):
            shutil.rmtree(data / "val" / name)
        done = clf("calibrate", run.root, "--data", data)
        assert (done.code, done.stdout) == (3, "")
        assert "one class only (blue)" in done.stderr

    def test_images_that_the_model_learnt_from(self, clf, run):
        done = clf("calibrate", run.root, "--split", "train", "--json", "--quiet")
        assert "The model learnt from these images" in done.stderr
        assert "learnt from these images" in json.dumps(report_of(done)["findings"])
        assert not run.report("calibration").exists()
        assert run.report("calibration-train").exists()

    def test_other_data_are_not_stored_in_the_run(self, clf, run, tmp_path):
        data = draw_discs(tmp_path / "data", {"train": 1, "val": 3}, seed=1)
        done = clf("calibrate", run.root, "--data", data, "--json")
        assert report_of(done)["data"]["images"] == 9
        assert not run.report("calibration").exists()
