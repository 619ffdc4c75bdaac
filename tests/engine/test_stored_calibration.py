"""When a run's calibration is used: for the weights that it was made for, and no others."""

import json
from dataclasses import asdict, replace

import pytest

from clf_cli.engine.predictions import is_calibrated
from clf_cli.engine.stored_calibration import calibrated, model_digest
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, LABELS, linear
from tests.running import mark


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "run")
    run.checkpoints.mkdir(parents=True)
    run.best.write_bytes(b"weights")
    mark(run)
    return run


@pytest.fixture
def classifier(run):
    return linear().classifier(path=run.best)


def store(run, classifier, **changes):
    thresholds = [None, 0.1, 0.2, 0.3, 0.4]
    rows = [{"class": name, "threshold": value} for name, value in zip(LABELS, thresholds, strict=True)]
    report = {
        "model": asdict(classifier.ref),
        "result": {"temperature": 0.5, "per_class": rows[::-1], "model_digest": model_digest(classifier.path)},
    }
    run.report("calibration").parent.mkdir(exist_ok=True)
    run.report("calibration").write_text(json.dumps({**report, **changes}))


def test_it_is_used_for_the_weights_that_it_was_made_for(run, classifier):
    assert calibrated(classifier) == (classifier, None)
    store(run, classifier)
    found, note = calibrated(classifier)
    assert (found.temperature, found.thresholds) == (0.5, (None, 0.1, 0.2, 0.3, 0.4))
    assert replace(found, temperature=None, thresholds=None) == classifier
    assert note is not None
    assert "calibration.json" in note


def test_it_is_named_as_it_would_be_typed_from_here(run, classifier, monkeypatch):
    store(run, classifier)
    monkeypatch.chdir(run.root.parent)
    assert calibrated(classifier)[1] == "Calibrated by run/reports/calibration.json."


def test_not_for_other_weights(run, classifier):
    store(run, classifier)
    for other in (
        replace(classifier, weights="ema"),
        replace(classifier, run_id="f" * 12),
        replace(classifier, path=run.last),
    ):
        found, note = calibrated(other)
        assert found is other
        assert note is not None
        assert "of other weights and is not used" in note or other.path == run.last
        assert f"clf calibrate {run.root}" in note


def test_not_for_weights_that_were_trained_on_under_the_same_name(run, classifier):
    store(run, classifier)
    run.best.write_bytes(b"weights of more epochs")
    found, note = calibrated(classifier)
    assert not is_calibrated(found)
    assert note is not None
    assert "of other weights" in note


def test_an_onnx_file_has_its_own(run, classifier):
    shipped = replace(classifier, path=run.onnx, temperature=2.0)
    store(run, classifier)
    assert calibrated(shipped) == (shipped, None)


def test_a_file_outside_a_run_has_none(classifier):
    alone = replace(classifier, run=None)
    assert calibrated(alone) == (alone, None)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"model": {}}'])
def test_a_broken_file_is_said(run, classifier, content):
    store(run, classifier)
    run.report("calibration").write_text(content)
    found, note = calibrated(classifier)
    assert not is_calibrated(found)
    assert note is not None
    assert "is not used" in note
    store(run, classifier, result={"temperature": "warm"})
    assert not is_calibrated(calibrated(classifier)[0])


def test_a_class_that_is_missing_is_a_broken_file(run, classifier):
    store(run, classifier)
    report = json.loads(run.report("calibration").read_text())
    report["result"]["per_class"].pop()
    run.report("calibration").write_text(json.dumps(report))
    found, note = calibrated(classifier)
    assert not is_calibrated(found)
    assert note is not None
    assert "cannot be read" in note


def test_the_contract_of_the_tests_is_not_calibrated():
    assert (CONTRACT.temperature, CONTRACT.thresholds) == (None, None)
