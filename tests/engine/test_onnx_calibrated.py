"""The calibrated copy: the same graph and logits, another contract, golden samples that fit; the source untouched."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from clf_cli.data.dataset import load_run_dataset
from clf_cli.engine.calibration import calibrate
from clf_cli.engine.onnx_calibrated import Witness, copy_source, copy_target, write_calibrated
from clf_cli.engine.onnx_golden import GoldenImage, golden_of, read_golden, write_golden
from clf_cli.engine.predict_split import predict_split
from clf_cli.engine.predictions import calibrated_probabilities, is_answered
from clf_cli.errors import ExportError, ModelError, UsageError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.sections import DataSection
from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.labels import Labels
from clf_cli.values.onnx_files import files_beside
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import DataRef
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, linear, write_onnx_file
from tests.running import draw_discs, mark

LABELS = Labels(("red", "blue", "green"))  # not the data's order
HERE = replace(CONTRACT, labels=LABELS, preprocess=Preprocess(16, 16))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = draw_discs(tmp_path_factory.mktemp("calibrated") / "discs", {"train": 1, "val": 8})
    return load_run_dataset(None, DataSection(root=root), LABELS)


@pytest.fixture
def source(tmp_path):
    return onnx_classifier(write_onnx_file(tmp_path / "model.onnx", linear(3), HERE))


def witness_of(classifier, dataset):
    predictions = predict_split(classifier, dataset, "val")
    data = DataRef(dataset.root.as_posix(), "val", dataset.fingerprint, len(predictions), 0)
    return Witness(classifier, dataset, predictions, data)


def made(source, dataset, target, witness=None):
    witness = witness or witness_of(source, dataset)
    result = calibrate(witness.predictions, 0.5)
    return result, write_calibrated(source, files_beside(target), result, witness)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def contract_in(path):
    return next(json.loads(entry.value) for entry in onnx.load(path).metadata_props if entry.key == CONTRACT_KEY)


def test_the_copy_and_what_lies_beside_it(source, dataset, tmp_path):
    before = digests(tmp_path)
    result, check = made(source, dataset, tmp_path / "new" / "sure.onnx")
    after = digests(tmp_path)
    assert {name: after[name] for name in before} == before
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "sure.golden", "sure.labels_mapping.json", "sure.onnx", "sure.validation.json",
    ]  # fmt: skip
    assert check.passed
    assert check.compared_with == ("golden samples", "answers through clf")
    copy = onnx_classifier(tmp_path / "new" / "sure.onnx")
    assert copy.temperature == result.temperature
    assert copy.thresholds == result.thresholds.to_contract()
    assert json.loads((tmp_path / "new" / "sure.labels_mapping.json").read_text())["contract"] == contract_in(copy.path)
    stored = json.loads((tmp_path / "new" / "sure.validation.json").read_text())
    assert (stored["kind"], stored["result"]["passed"]) == ("onnx_check", True)
    assert stored["model"]["path"] == "sure.onnx"
    assert stored["data"]["images"] == 24


def test_the_graph_is_the_same_and_so_are_the_logits(source, dataset, tmp_path):
    made(source, dataset, tmp_path / "sure.onnx")
    one, other = onnx.load(source.path), onnx.load(tmp_path / "sure.onnx")
    assert one.graph.SerializeToString() == other.graph.SerializeToString()
    metadata = [{entry.key: entry.value for entry in model.metadata_props} for model in (one, other)]
    assert {key for key in metadata[0] if metadata[0][key] != metadata[1][key]} == {CONTRACT_KEY}
    changed = {
        key for key, value in contract_in(source.path).items() if contract_in(tmp_path / "sure.onnx")[key] != value
    }
    assert changed == {"temperature", "thresholds"}
    images = np.random.default_rng(0).normal(size=(5, 3, 16, 16)).astype(np.float32)
    assert np.array_equal(source.logits(images), onnx_classifier(tmp_path / "sure.onnx").logits(images))


def test_golden_samples_tell_calibrated_probabilities(source, dataset, tmp_path):
    """New ones where the source has none, else the same images, tensors and logits."""
    result, _ = made(source, dataset, tmp_path / "sure.onnx")
    golden = read_golden(tmp_path / "sure.golden")
    index = json.loads((tmp_path / "sure.golden" / "index.json").read_text())["samples"]
    assert len(golden) == 8
    for sample, logits in zip(index, golden.logits, strict=True):
        share = calibrated_probabilities(logits, result.temperature)
        assert sample["predicted"] == LABELS.names[logits.argmax()]
        assert sample["probability"] == pytest.approx(share.max())
        assert sample["answered"] == is_answered(int(logits.argmax()), share.max(), result.thresholds.to_contract())
    images = (GoldenImage("mine.png", None, np.full((9, 9, 3), 200, dtype=np.uint8)),)
    write_golden(tmp_path / "model.golden", golden_of(images, source))
    made(source, dataset, tmp_path / "again.onnx")
    kept, own = read_golden(tmp_path / "again.golden"), read_golden(tmp_path / "model.golden")
    assert [image.source for image in kept.images] == ["mine.png"]
    assert np.array_equal(kept.logits, own.logits)
    assert np.array_equal(kept.inputs, own.inputs)


def test_calibrating_a_copy_again_starts_from_the_logits(source, dataset, tmp_path):
    first, _ = made(source, dataset, tmp_path / "once.onnx")
    copy = onnx_classifier(tmp_path / "once.onnx")
    second, _ = made(copy, dataset, tmp_path / "twice.onnx")
    assert second.temperature == first.temperature
    assert contract_in(tmp_path / "twice.onnx") == contract_in(tmp_path / "once.onnx")


def test_what_a_later_version_wrote_into_the_contract_stays(dataset, tmp_path):
    metadata = HERE.metadata()
    metadata = {CONTRACT_KEY: json.dumps({**json.loads(metadata[CONTRACT_KEY]), "new": [1]}), "own": "note"}
    source = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", linear(3), HERE, metadata))
    made(source, dataset, tmp_path / "sure.onnx")
    assert contract_in(tmp_path / "sure.onnx")["new"] == [1]
    assert {entry.key: entry.value for entry in onnx.load(tmp_path / "sure.onnx").metadata_props}["own"] == "note"


def test_weights_outside_the_file_are_copied_under_the_new_name(dataset, tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx", linear(3), HERE)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.onnx.data", size_threshold=60)
    source, before = onnx_classifier(path), digests(tmp_path)
    made(source, dataset, tmp_path / "new" / "sure.onnx")
    after = digests(tmp_path)
    assert {name: after[name] for name in before} == before
    assert after["new/sure.onnx.data"] == before["model.onnx.data"]
    shutil.move(tmp_path / "new", tmp_path / "elsewhere")
    (tmp_path / "model.onnx.data").unlink()
    images = np.ones((2, 3, 16, 16), dtype=np.float32)
    answers = onnx_classifier(tmp_path / "elsewhere" / "sure.onnx").logits(images)
    assert np.array_equal(answers, source.logits(images))


def test_a_source_that_answers_otherwise_is_refused_and_nothing_is_written(source, dataset, tmp_path):
    other = linear(3, seed=5).classifier(HERE, tmp_path / "best.ckpt")
    before = digests(tmp_path)
    with pytest.raises(ExportError, match="does not answer like") as error:
        made(source, dataset, tmp_path / "new" / "sure.onnx", witness_of(other, dataset))
    assert "get another class" in error.value.message or "logits differ" in error.value.message
    assert digests(tmp_path) == before


class TestPlaces:
    def test_a_run_gives_its_export(self, tmp_path):
        run = RunDir(tmp_path / "run")
        run.onnx.parent.mkdir(parents=True)
        mark(run)
        run.checkpoints.mkdir()
        run.best.write_text("x")
        with pytest.raises(ModelError, match=r"run has no export.model\.onnx") as error:
            copy_source(run.root)
        assert "clf export" in str(error.value.hint)
        write_onnx_file(run.onnx)
        assert copy_source(run.root) == run.onnx
        assert copy_source(run.onnx) == run.onnx
        with pytest.raises(UsageError, match=r"best\.ckpt is a checkpoint"):
            copy_source(run.best)

    def test_what_is_no_model(self, tmp_path):
        for path in (tmp_path / "nowhere", tmp_path / "nowhere.onnx", tmp_path):
            with pytest.raises(ModelError):
                copy_source(path)

    def test_never_over_the_source(self, source, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "link.onnx").symlink_to("model.onnx")
        for name in ("model.onnx", "./model.onnx", "link.onnx", "model.ONNX"):
            with pytest.raises(UsageError, match="is the model itself"):
                copy_target(source.path, Path(name))
        assert copy_target(source.path, Path("other.onnx")).golden == Path("other.golden")

    @pytest.mark.parametrize(("name", "words"), [("folder", "is a folder"), ("model.pt", "does not end in .onnx")])
    def test_names_that_are_no_onnx_file(self, source, tmp_path, name, words):
        (tmp_path / "folder").mkdir()
        with pytest.raises(UsageError, match=words):
            copy_target(source.path, tmp_path / name)
