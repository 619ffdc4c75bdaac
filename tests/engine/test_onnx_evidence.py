"""Where the reference comes from, and what is compared with which data; the commands' tests run it on real networks."""

from dataclasses import replace

import pytest

from clf_cli.data.dataset import load_dataset
from clf_cli.engine.metrics import metrics
from clf_cli.engine.onnx_evidence import onnx_file, reference_for, validate_onnx
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import ModelError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.settings.sections import DataSection
from clf_cli.values.contract import Score
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import COMPUTE, CONTRACT, linear, write_onnx_file
from tests.running import draw_discs

GATES = ValidateSection()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = draw_discs(tmp_path_factory.mktemp("evidence") / "discs", {"train": 1, "val": 3, "test": 2})
    return load_dataset(DataSection(root=root), seed=0)


def opened(path, dataset, score=None, model=None, fingerprint=None):
    contract = replace(
        CONTRACT, labels=dataset.labels, data_fingerprint=fingerprint or dataset.fingerprint, score=score
    )
    return onnx_classifier(write_onnx_file(path, model or linear(3), contract))


def test_a_run_stands_for_its_export(tmp_path):
    run = RunDir(tmp_path)
    assert onnx_file(tmp_path) == tmp_path, "no run"
    run.run_json.write_text("{}")
    assert onnx_file(tmp_path) == run.onnx
    assert onnx_file(run.onnx) == run.onnx


def test_outside_a_run_there_is_no_reference(tmp_path, dataset):
    onnx = opened(tmp_path / "model.onnx", dataset)
    assert reference_for(onnx, None, COMPUTE) is None
    with pytest.raises(ModelError, match="is an ONNX file"):
        reference_for(onnx, onnx.path, COMPUTE)


def test_every_image_is_read_by_both(tmp_path, dataset):
    onnx = opened(tmp_path / "model.onnx", dataset)
    contract = replace(CONTRACT, labels=dataset.labels)
    result = validate_onnx(onnx, linear(3).classifier(contract), (dataset, "val"), GATES)
    assert result.passed
    assert (result.data.split, result.data.images, result.images.parity.images) == ("val", 9, 9)
    assert all(size == found.images for size, found in result.batches)
    other = validate_onnx(onnx, linear(3, seed=1).classifier(contract), (dataset, "test"), GATES)
    assert not other.passed
    assert other.data.images == 6


@pytest.mark.parametrize(("split", "compared"), [("val", True), ("test", False)])
def test_a_score_counts_on_its_own_split_only(tmp_path, dataset, split, compared):
    plain = opened(tmp_path / "plain.onnx", dataset)
    value = metrics(predict_split(plain, dataset, "val")).acc_top1
    onnx = opened(tmp_path / "model.onnx", dataset, Score("val/acc_top1", "val", value, "live"))
    if compared:
        assert validate_onnx(onnx, None, (dataset, split), GATES).score.now == value
    else:
        with pytest.raises(ModelError, match="nothing to compare"):
            validate_onnx(onnx, None, (dataset, split), GATES)


def test_a_score_of_other_data_does_not_count(tmp_path, dataset):
    onnx = opened(tmp_path / "model.onnx", dataset, Score("val/acc_top1", "val", 0.5, "live"), fingerprint="sha256:1")
    with pytest.raises(ModelError, match="nothing to compare"):
        validate_onnx(onnx, None, (dataset, "val"), GATES)


def test_a_file_that_cannot_run_is_told_without_predicting(tmp_path, dataset):
    contract = replace(CONTRACT, labels=dataset.labels)
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", linear(3), contract, batch=2))
    result = validate_onnx(onnx, linear(3).classifier(contract), (dataset, "val"), GATES)
    assert not result.passed
    assert result.images is None
