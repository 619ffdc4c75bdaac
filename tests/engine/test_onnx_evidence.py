"""Where the reference comes from, and what is compared with which data; the commands' tests run it on real networks."""

from dataclasses import replace

import numpy as np
import pytest

from clf_cli.data.dataset import load_dataset
from clf_cli.engine import onnx_evidence
from clf_cli.engine.metrics import metrics
from clf_cli.engine.onnx_evidence import onnx_file, open_candidate, reference_for, validate_golden, validate_onnx
from clf_cli.engine.onnx_golden import golden_images, golden_of, write_golden
from clf_cli.engine.onnx_provider import PROVIDERS
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import ModelError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.settings.sections import DataSection
from clf_cli.values.contract import Score
from clf_cli.values.onnx_files import files_beside
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


def candidate_of(onnx, provider="cpu"):
    return open_candidate(onnx, PROVIDERS[provider], 1)


def test_every_image_is_read_by_both(tmp_path, dataset):
    candidate = candidate_of(opened(tmp_path / "model.onnx", dataset))
    contract = replace(CONTRACT, labels=dataset.labels)
    result = validate_onnx(candidate, linear(3).classifier(contract), (dataset, "val"), GATES)
    assert result.passed
    assert (result.data.split, result.data.images, result.images.parity.images) == ("val", 9, 9)
    assert [(found.size, found.parity.images) for found in result.batches] == [(1, 9), (2, 8), (3, 9), (7, 7), (32, 32)]
    other = validate_onnx(candidate, linear(3, seed=1).classifier(contract), (dataset, "test"), GATES)
    assert not other.passed
    assert other.data.images == 6


def test_every_batch_size_answers_for_images_of_the_whole_split(tmp_path, dataset, monkeypatch):
    """Spread over the split, in the order of the reference's answers, each decoded once."""
    monkeypatch.setattr(onnx_evidence, "PROBES", 3)
    candidate = candidate_of(opened(tmp_path / "model.onnx", dataset))
    seen = []

    def watched(batch):
        seen.append(batch)
        return candidate.consumer.logits(batch)

    spy = replace(candidate, consumer=replace(candidate.consumer, logits=watched))
    asked = ValidateSection(batch_sizes=(3,))
    result = validate_onnx(spy, None, (dataset, "val"), asked)
    assert [len(batch) for batch in seen] == [3, 9, 3], "noise, the split, the batch size"
    assert np.array_equal(seen[2], seen[1][[0, 4, 8]])
    assert result.passed
    (found,) = result.batches
    assert found.parity.relative_difference < 1e-6
    truth = [sample.label for sample in dataset.split("val")]
    right = [truth[row] == dataset.labels.names[linear(3)(seen[2])[at].argmax()] for at, row in enumerate((0, 4, 8))]
    assert found.images.reference_accuracy == found.images.onnx_accuracy == np.mean(right)


def consumed_wrongly(candidate):
    """A consumer that takes the colours in another order."""
    recipe = replace(candidate.consumer.recipe, color="BGR")
    return replace(candidate, consumer=replace(candidate.consumer, recipe=recipe))


@pytest.mark.parametrize("has_reference", [True, False])
def test_a_consumer_that_decodes_otherwise_is_found(tmp_path, dataset, has_reference):
    candidate = candidate_of(opened(tmp_path / "model.onnx", dataset))
    reference = linear(3).classifier(replace(CONTRACT, labels=dataset.labels)) if has_reference else None
    assert validate_onnx(candidate, reference, (dataset, "val"), GATES).passed
    result = validate_onnx(consumed_wrongly(candidate), reference, (dataset, "val"), GATES)
    assert {"images", "batch size 1"} <= {check.name for check in result.checks if not check.passed}


class TestAFileAlone:
    def test_its_images_are_compared_through_clf(self, tmp_path, dataset):
        result = validate_onnx(candidate_of(opened(tmp_path / "model.onnx", dataset)), None, (dataset, "test"), GATES)
        assert result.passed
        assert result.compared_with == ("answers through clf",)
        assert result.images.parity.images == 6

    @pytest.mark.parametrize(("split", "compared"), [("val", True), ("test", False)])
    def test_a_score_counts_on_its_own_split_only(self, tmp_path, dataset, split, compared):
        plain = opened(tmp_path / "plain.onnx", dataset)
        value = metrics(predict_split(plain, dataset, "val")).acc_top1
        onnx = opened(tmp_path / "model.onnx", dataset, Score("val/acc_top1", "val", value, "live"))
        result = validate_onnx(candidate_of(onnx), None, (dataset, split), GATES)
        assert ("score" in result.compared_with) is compared
        assert (result.score is not None and result.score.now == value) is compared

    def test_a_score_of_other_data_does_not_count(self, tmp_path, dataset):
        score = Score("val/acc_top1", "val", 0.5, "live")
        onnx = opened(tmp_path / "model.onnx", dataset, score, fingerprint="sha256:1")
        assert validate_onnx(candidate_of(onnx), None, (dataset, "val"), GATES).score is None

    def test_without_anything_there_is_nothing_to_compare_with(self, tmp_path, dataset):
        with pytest.raises(ModelError, match="nothing to compare"):
            validate_onnx(candidate_of(opened(tmp_path / "model.onnx", dataset)), None, None, GATES)


@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("kind", ["probabilities", "pixels", "int8"])
def test_other_kinds_of_files_from_their_images(tmp_path, dataset, kind, reference):
    contract = replace(CONTRACT, labels=dataset.labels)
    said = {
        "probabilities": replace(contract, output="probabilities"),
        "pixels": replace(contract, preprocess=replace(contract.preprocess, normalized_in_graph=True)),
        "int8": replace(contract, precision="int8"),
    }[kind]
    path = write_onnx_file(tmp_path / "model.onnx", linear(3), said)
    judge = linear(3).classifier(contract) if reference else None
    result = validate_onnx(candidate_of(onnx_classifier(path, 1)), judge, (dataset, "val"), GATES)
    assert result.passed, result.reasons
    assert result.images.parity.relative_difference < 1e-5


class TestGolden:
    def write(self, path, dataset, model=None):
        onnx = opened(path, dataset)
        reference = (model or linear(3)).classifier(replace(CONTRACT, labels=dataset.labels))
        images = golden_images(dataset, predict_split(reference, dataset, "val"))
        write_golden(files_beside(path).golden, golden_of(images, onnx, reference))
        return candidate_of(onnx)

    def test_the_samples_beside_the_file_are_enough(self, tmp_path, dataset):
        candidate = self.write(tmp_path / "model.onnx", dataset)
        result = validate_golden(candidate, GATES)
        assert (result.passed, result.compared_with, result.images) == (True, ("golden samples",), None)
        assert result.golden.tolerance == 1e-4
        wrong = validate_golden(consumed_wrongly(candidate), GATES)
        assert [check.name for check in wrong.checks if not check.passed] == ["preprocessing", "golden images"]
        loose = validate_golden(consumed_wrongly(candidate), ValidateSection(tolerance=100))
        assert [check.name for check in loose.checks if not check.passed] == ["preprocessing"]

    def test_logits_of_other_weights(self, tmp_path, dataset):
        result = validate_golden(self.write(tmp_path / "model.onnx", dataset, linear(3, seed=1)), GATES)
        assert {"golden tensors", "golden images"} <= {check.name for check in result.checks if not check.passed}

    def test_without_samples_it_says_where_they_should_be(self, tmp_path, dataset):
        with pytest.raises(ModelError, match=r"model\.golden") as caught:
            validate_golden(candidate_of(opened(tmp_path / "model.onnx", dataset)), GATES)
        assert caught.value.exit_code == 4
        assert "clf export" in caught.value.hint


def test_a_file_that_cannot_run_is_told_without_predicting(tmp_path, dataset):
    contract = replace(CONTRACT, labels=dataset.labels)
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", linear(3), contract, batch=2))
    result = validate_onnx(candidate_of(onnx), linear(3).classifier(contract), (dataset, "val"), GATES)
    assert not result.passed
    assert result.images is None
    failed = [check.name for check in result.checks if not check.passed]
    assert failed == ["graph", *(f"batch size {size}" for size in (1, 3, 7, 32))]
