"""Scoring an exported file again: what passes, what is refused, and the score that the contract may tell."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from clf_cli.data.dataset import load_dataset
from clf_cli.engine.metrics import metrics
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.engine.onnx_rescore import rescore, why_not
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import DataError, ExportError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.sections import DataSection
from clf_cli.values.contract import Score
from tests.onnx_models import CONTRACT, Linear, linear, write_onnx_file
from tests.running import draw_discs

MONITOR = "val/acc_top1"


def network(seed=0, bias=(0.0, 0.0, 0.0)):
    return Linear(linear(3, seed).weights, np.array(bias, np.float32))


def loaded(folder, splits):
    return load_dataset(DataSection(root=draw_discs(folder, splits), scan_cache=False), seed=0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("rescore") / "discs", {"train": 2, "val": 20, "test": 4})


def contract_on(dataset, score=None):
    return replace(CONTRACT, labels=dataset.labels, data_fingerprint=dataset.fingerprint, score=score)


def true_score(model, dataset, metric=MONITOR, split="val"):
    """The score that a checkpoint with these weights has."""
    found = metrics(predict_split(model.classifier(contract_on(dataset)), dataset, split))
    return Score(metric, split, found.scalars[metric.partition("/")[2]], "live")


def file_and_reference(folder, model, dataset, score=None, trained=None):
    """The ONNX file of `model` and torch with the weights `trained`, by default the same."""
    contract = contract_on(dataset, score)
    onnx = onnx_classifier(write_onnx_file(folder / "model.onnx", model, contract))
    return onnx, (trained or model).classifier(contract)


class TestWeightsThatEarnedAScore:
    @pytest.mark.parametrize("metric", ["val/acc_top1", "val/loss", "val/f1_macro", "val/ece"])
    def test_the_file_scores_it_again(self, dataset, tmp_path, metric):
        model = network()
        score = true_score(model, dataset, metric)
        onnx, reference = file_and_reference(tmp_path, model, dataset, score)

        def unasked(images):
            raise AssertionError("torch was asked for what is stored")

        found = rescore(onnx, replace(reference, logits=unasked), MONITOR, ExportImages(dataset))
        assert found.score == replace(score, rescored=True)
        assert (found.metric, found.stored, found.compared_with) == (metric, score.value, "stored score")
        assert found.value == pytest.approx(score.value, abs=1e-5)
        assert len(found.answers) == 60
        assert found.to_json()["torch"] is None

    def test_a_score_that_the_weights_do_not_have(self, dataset, tmp_path):
        model = network()
        lie = replace(true_score(model, dataset), value=true_score(model, dataset).value - 0.05)
        onnx, reference = file_and_reference(tmp_path, model, dataset, lie)
        with pytest.raises(ExportError, match=r"says val/acc_top1 0\.\d+, but its weights score 0\.\d+ on") as caught:
            rescore(onnx, reference, MONITOR, ExportImages(dataset))
        assert "60 images, in torch as in the ONNX file" in caught.value.message
        assert "clf evaluate best.ckpt" in caught.value.hint

    def test_a_file_of_other_weights(self, dataset, tmp_path):
        """torch is asked then, so that the message can say which of both is wrong, and of which images."""
        score = true_score(network(), dataset)
        onnx, reference = file_and_reference(tmp_path, network(4), dataset, score, trained=network())
        with pytest.raises(ExportError, match=r"decides \d+ of 60 images otherwise than torch: val/") as caught:
            rescore(onnx, reference, MONITOR, ExportImages(dataset))
        assert caught.value.message.count("(torch ") == 5

    def test_decisions_that_cancel_out(self, dataset, tmp_path):
        """One image is gained and another lost: the score stays, and what torch saw in training tells it."""
        model = network()
        onnx, reference = file_and_reference(tmp_path, model, dataset, true_score(model, dataset))
        seen = predict_split(reference, dataset, "val")
        gained, lost = np.flatnonzero(~seen.correct)[0], np.flatnonzero(seen.correct)[0]
        logits = seen.logits.copy()
        logits[gained, seen.targets[gained]] = 50
        logits[lost, (seen.targets[lost] + 1) % 3] = 50
        other = replace(seen, logits=logits)
        assert metrics(other).acc_top1 == metrics(seen).acc_top1
        with pytest.raises(ExportError, match="decides 2 of 60 images otherwise") as caught:
            rescore(onnx, reference, MONITOR, ExportImages(dataset, other))
        assert seen.paths[gained] in caught.value.message
        passed = rescore(onnx, reference, MONITOR, ExportImages(dataset, seen))
        assert passed.score.rescored
        assert passed.to_json()["torch"] == passed.stored

    def test_ties_may_fall_either_way(self, dataset, tmp_path):
        """The two best classes are as good for every image, so that the last bit decides."""
        equal = np.tile(network().weights[:, :1], (1, 3))
        trained, exported = Linear(equal, np.float32([1e-6, 0, -9])), Linear(equal, np.float32([0, 1e-6, -9]))
        onnx, reference = file_and_reference(tmp_path, exported, dataset, true_score(trained, dataset), trained)
        seen = predict_split(reference, dataset, "val")
        assert (predict_split(onnx, dataset, "val").predicted != seen.predicted).all()
        for known in (seen, None):
            found = rescore(onnx, reference, MONITOR, ExportImages(dataset, known))
            assert found.ties == 60
            assert found.score.rescored

    def test_a_score_that_is_undefined(self, dataset, tmp_path):
        """Top-5 of three classes: torch's decisions stand in."""
        model = network()
        score = Score("val/acc_top5", "val", None, "live")
        onnx, reference = file_and_reference(tmp_path, model, dataset, score)
        found = rescore(onnx, reference, MONITOR, ExportImages(dataset))
        assert (found.value, found.compared_with) == (None, "torch")
        assert found.score == replace(score, rescored=True)


class TestWeightsWithoutAScore:
    def test_torch_scores_val(self, dataset, tmp_path):
        model = network()
        onnx, reference = file_and_reference(tmp_path, model, dataset)
        found = rescore(onnx, reference, "val/f1_macro", ExportImages(dataset))
        expected = true_score(model, dataset, "val/f1_macro")
        assert found.score == replace(expected, rescored=True)
        assert (found.stored, found.compared_with) == (None, "torch")
        with pytest.raises(ExportError, match="decides"):
            rescore(onnx, network(4).classifier(contract_on(dataset)), MONITOR, ExportImages(dataset))

    def test_what_training_saw_is_not_asked_again(self, dataset, tmp_path):
        onnx, reference = file_and_reference(tmp_path, network(), dataset)
        seen = predict_split(reference, dataset, "val")
        found = rescore(onnx, replace(reference, logits=None), MONITOR, ExportImages(dataset, seen))
        assert found.score == replace(true_score(network(), dataset), rescored=True)

    def test_what_training_saw_of_other_images_is_of_no_use(self, dataset, tmp_path):
        onnx, reference = file_and_reference(tmp_path, network(), dataset)
        seen = predict_split(reference, dataset, "train")
        found = rescore(onnx, reference, MONITOR, ExportImages(dataset, seen))
        assert found.expected.paths == found.answers.paths

    def test_test_stands_in_where_there_is_no_val(self, tmp_path):
        dataset = loaded(tmp_path / "discs", {"train": 2, "test": 4})
        dataset = replace(dataset, samples=tuple(s for s in dataset.samples if s.split != "val"))
        onnx, reference = file_and_reference(tmp_path, network(), dataset)
        found = rescore(onnx, reference, MONITOR, ExportImages(dataset))
        assert (found.score.metric, found.score.split) == ("test/acc_top1", "test")

    def test_train_images_prove_the_file_but_give_no_score(self, dataset, tmp_path):
        dataset = replace(dataset, samples=dataset.split("train"))
        onnx, reference = file_and_reference(tmp_path, network(), dataset)
        found = rescore(onnx, reference, MONITOR, ExportImages(dataset))
        assert (found.metric, found.score) == ("train/acc_top1", None)
        assert found.to_json()["rescored"] is False
        assert "neither val nor test" in why_not(None, dataset.fingerprint, ExportImages(dataset))


class TestOtherData:
    def test_the_stored_score_stays_unproved(self, dataset, tmp_path):
        model, score = network(), Score(MONITOR, "val", 0.123, "live")
        onnx, reference = file_and_reference(tmp_path, model, dataset, score)
        other = loaded(tmp_path / "other", {"train": 1, "val": 3})
        found = rescore(onnx, reference, MONITOR, ExportImages(other))
        assert found.score == score
        assert (found.stored, found.compared_with, len(found.answers)) == (None, "torch", 9)
        assert "are not those" in why_not(score, onnx.data_fingerprint, ExportImages(other))
        with pytest.raises(ExportError, match="of 9 images otherwise"):
            rescore(onnx, network(4).classifier(contract_on(dataset)), MONITOR, ExportImages(other))


def test_an_image_that_is_lost_after_the_scan(dataset, tmp_path):
    folder = shutil.copytree(dataset.root, tmp_path / "discs")
    moved = load_dataset(DataSection(root=folder, scan_cache=False), seed=0)
    onnx, reference = file_and_reference(tmp_path, network(), moved)
    (folder / moved.split("val")[3].path).unlink()
    with pytest.raises(DataError, match="1 image of"):
        rescore(onnx, reference, MONITOR, ExportImages(moved))


def test_without_images(dataset, tmp_path):
    onnx, reference = file_and_reference(tmp_path, network(), dataset)
    assert rescore(onnx, reference, MONITOR, ExportImages()) is None
    assert why_not(None, None, ExportImages(missing="They are gone.")) == "They are gone."
