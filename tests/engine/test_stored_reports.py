import json
import math

import pytest

from clf_cli.engine.stored_reports import (
    CalibrationFacts,
    DataFacts,
    ExportFacts,
    ModelFacts,
    Scores,
    TrainFacts,
    contract_of,
    read_stored,
)
from clf_cli.errors import ModelError


def test_metrics_come_back_as_they_were_written(tiny_run):
    stored = json.loads(tiny_run.report("metrics-test").read_text())
    found = read_stored(tiny_run.report("metrics-test"), Scores.of)
    assert found.data.split == "test"
    assert found.values["acc_top1"] == stored["result"]["acc_top1"]
    assert math.isnan(found.values["acc_top5"])  # three classes
    assert found.intervals["acc_top1"] == tuple(stored["result"]["intervals"]["acc_top1"])
    assert list(found.per_class) == ["blue", "green", "red"]
    assert sum(one.support for one in found.per_class.values()) == found.data.images


def test_an_earlier_report_without_intervals(tiny_run):
    stored = json.loads(tiny_run.report("metrics").read_text())
    del stored["result"]["intervals"]
    assert Scores.of(stored).intervals == {}


def test_the_other_reports_of_a_run(tiny_run):
    data = read_stored(tiny_run.report("dataset"), DataFacts.of)
    assert {name: split.images for name, split in data.splits.items()} == {"train": 60, "val": 24, "test": 24}
    assert data.counts["red"] == {"train": 20, "val": 8, "test": 8}
    assert read_stored(tiny_run.report("model_info"), ModelFacts.of).preprocess["width"] == 32
    assert read_stored(tiny_run.report("train"), lambda report: TrainFacts.of(report["result"])).export_error is None
    export = read_stored(tiny_run.validation, ExportFacts.of)
    assert export.passed
    assert export.input_shape == ("batch_size", "3", "32", "32")
    assert {"batch of 1", "golden tensors"} <= {check.what for check in export.checks}
    assert all(check.passed and check.tolerance == 1e-4 for check in export.checks)
    assert tuple(read_stored(tiny_run.export_labels_mapping, contract_of).labels) == ("blue", "green", "red")


def test_a_file_of_a_lower_precision_has_no_tolerance_but_that_of_its_golden_samples(tiny_run, tmp_path):
    report = json.loads(tiny_run.validation.read_text())
    report["result"]["gates"]["tolerance"] = None
    report["result"]["golden"]["tolerance"] = 0.1
    for parity in (report["result"]["batches"][0], report["result"]["golden"]["from_images"]):
        parity["relative_difference"] = 0.5
    report["result"]["batches"][1]["relative_difference"] = None
    (tmp_path / "validation.json").write_text(json.dumps(report))
    export = read_stored(tmp_path / "validation.json", ExportFacts.of)
    verdicts = {check.what: (check.tolerance, check.passed) for check in export.checks}
    assert (verdicts["batch of 1"], verdicts["batch of 2"]) == ((None, True), (None, False))
    assert verdicts["golden tensors"] == (0.1, True)
    assert verdicts["golden images, preprocessed anew"] == (0.1, False)


def test_a_calibration_shows_what_the_images_that_it_was_not_fitted_on_say():
    quality = {"loss": 1.0, "ece": 0.3, "coverage": 1.0, "precision": 0.5}
    bins = {"images": [0, 4], "confidence": [None, 0.75], "accuracy": [None, 0.5]}
    result = {
        "model_digest": "sha256:0",
        "temperature": 2.0,
        "target_precision": 0.9,
        "before": quality,
        "after": quality | {"ece": 0.01},
        "cross_fitted": quality | {"ece": 0.2, "coverage": None},
        "reliability": {"before": bins, "after": bins},
    }
    found = CalibrationFacts.of({"result": result, "data": {"split": "val"}})
    assert (found.ece_before, found.ece_after) == (0.3, 0.2)
    assert math.isnan(found.coverage)
    assert [(one.images, one.confidence, one.accuracy) for one in found.before] == [(4, 0.75, 0.5)]


def test_what_a_run_did_not_write_is_none(tmp_path):
    assert read_stored(tmp_path / "gone.json", Scores.of) is None
    assert read_stored(tmp_path / "gone" / "metrics.json", Scores.of) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"result": {}}', '{"result": null, "data": {"split": "val"}}', "\xff"]
)
@pytest.mark.parametrize("parse", [Scores.of, DataFacts.of, ExportFacts.of, ModelFacts.of, contract_of])
def test_a_broken_file_is_named(tmp_path, text, parse):
    path = tmp_path / "broken.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"broken\.json cannot be read"):
        read_stored(path, parse)
