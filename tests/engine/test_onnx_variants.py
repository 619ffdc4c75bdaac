"""Variants: what they need, what is measured of them, which gates stop them, and what the file then says of itself."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from clf_cli.data.dataset import load_dataset
from clf_cli.engine import onnx_quantize, onnx_variants
from clf_cli.engine.onnx_metadata import Made, made_of, metadata
from clf_cli.engine.onnx_plan import ExportImages, ExportPlan
from clf_cli.engine.onnx_precision import precision_of
from clf_cli.engine.onnx_quantize import RUNGS
from clf_cli.engine.onnx_rescore import rescore
from clf_cli.engine.onnx_variants import calibration_samples, require_images, suffix_of, vary
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import DataError, ExportError
from clf_cli.models.onnx import onnx_classifier, read_contract
from clf_cli.settings.onnx_sections import ExportSection, VariantSection
from clf_cli.settings.sections import DataSection
from clf_cli.values.predictions import log_probabilities
from tests.onnx_models import COMPUTE, CONTRACT, Linear, write_onnx_file
from tests.running import draw_discs

MADE = Made("torch.export", 18)
NETWORK = Linear(np.eye(3, dtype=np.float32)[:, ::-1] * 3, np.zeros(3, np.float32))  # blue, green, red


def loaded(folder, **splits):
    return load_dataset(DataSection(root=draw_discs(folder, splits), scan_cache=False), seed=0)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """The child's work is done here, which is faster; test_onnx_quantize runs the child."""
    monkeypatch.setattr(onnx_quantize, "write_by_child", lambda command, file, limits: onnx_quantize.main(command[-1:]))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("variants") / "discs", train=6, val=10)


@pytest.fixture
def varied(dataset, tmp_path):
    """Makes a variant of the file of `NETWORK`: (file, what `vary` says)."""

    def make(dataset=dataset, **variant):
        contract = replace(CONTRACT, labels=dataset.labels, data_fingerprint=dataset.fingerprint)
        file = write_onnx_file(tmp_path / "model.onnx", NETWORK, contract, metadata(contract, MADE))
        images = ExportImages(dataset)
        plan = ExportPlan(COMPUTE, ExportSection(), VariantSection(**variant), images)
        rescored = rescore(onnx_classifier(file), NETWORK.classifier(contract), "val/acc_top1", images)
        return file, vary(file, contract, MADE, plan, rescored)

    return make


def files_in(folder):
    return {path.name for path in folder.iterdir()}


class TestNames:
    def test_of_files(self):
        assert suffix_of(VariantSection()) == ""
        assert suffix_of(VariantSection(precision="int8", with_softmax=True, with_preprocess=True)) == (
            "-int8-softmax-uint8"
        )
        assert suffix_of(VariantSection(precision="fp16")) == "-fp16"


class TestImagesThatAreNeeded:
    def test_float32_needs_none(self):
        require_images(VariantSection(with_softmax=True), ExportImages(missing="No data."))

    @pytest.mark.parametrize("precision", ["fp16", "int8"])
    def test_no_data(self, precision):
        with pytest.raises(DataError) as caught:
            require_images(VariantSection(precision=precision), ExportImages(missing="The folder x is gone."))
        assert caught.value.message.startswith(f"The folder x is gone. {precision} needs val images, to be held")
        assert ("train images" in caught.value.message) == (precision == "int8")
        assert "--data DIR" in caught.value.hint

    def test_no_val_images(self, dataset, tmp_path):
        only = replace(dataset, samples=dataset.split("train"))
        with pytest.raises(DataError, match="neither val nor test images"):
            require_images(VariantSection(precision="fp16"), ExportImages(only))

    def test_no_train_images(self, dataset):
        only = replace(dataset, samples=dataset.split("val"))
        require_images(VariantSection(precision="fp16"), ExportImages(only))
        with pytest.raises(DataError, match="has no train images"):
            require_images(VariantSection(precision="int8"), ExportImages(only))

    def test_images_that_were_lost_since(self, dataset, tmp_path):
        file = write_onnx_file(tmp_path / "model.onnx", NETWORK)
        plan = ExportPlan(COMPUTE, variant=VariantSection(precision="int8"), images=ExportImages(dataset))
        with pytest.raises(DataError, match="Not every image can be read"):
            vary(file, CONTRACT, MADE, plan, None)


class TestCalibrationSamples:
    def test_all_classes_alike(self, dataset):
        chosen = calibration_samples(dataset, 9)
        assert [sum(one.label == name for one in chosen) for name in dataset.labels] == [3, 3, 3]
        assert {one.split for one in chosen} == {"train"}
        assert chosen == calibration_samples(dataset, 9)

    def test_a_class_gives_what_it_has(self, dataset):
        rare = dataset.labels.names[0]
        kept = [one for one in dataset.samples if one.label != rare]
        kept += [one for one in dataset.split("train") if one.label == rare][:1]
        chosen = calibration_samples(replace(dataset, samples=tuple(kept)), 9)
        assert sorted(sum(one.label == name for one in chosen) for name in dataset.labels) == [1, 4, 4]

    def test_no_more_than_there_are(self, dataset):
        assert len(calibration_samples(dataset, 1000)) == 18
        assert len(calibration_samples(dataset, 2)) == 2


class TestFloat32:
    def test_the_plain_file_stays(self, varied):
        file, found = varied()
        assert read_contract(file) == found.contract
        assert found.made == MADE
        assert found.cost is None

    def test_probabilities_and_pixels(self, varied, dataset):
        before, plain = varied()
        expected = predict_split(onnx_classifier(before), dataset, "val")
        file, found = varied(with_softmax=True, with_preprocess=True)
        opened = onnx_classifier(file)
        assert (opened.output, opened.precision) == ("probabilities", "fp32")
        assert opened.preprocess == replace(plain.contract.preprocess, normalized_in_graph=True)
        contract = read_contract(file).to_json()
        assert (contract["input"]["layout"], contract["input"]["dtype"]) == ("NHWC", "uint8")
        assert contract["output"] == {"name": "probabilities", "kind": "probabilities"}
        answers = predict_split(opened, dataset, "val").logits
        np.testing.assert_allclose(answers, log_probabilities(expected.logits), atol=1e-4)
        np.testing.assert_allclose(np.exp(answers).sum(axis=1), 1, atol=1e-5)
        assert found.rescored.score == plain.rescored.score, "float32 still: the score stays"
        assert found.made == MADE

    def test_without_data(self, tmp_path):
        file = write_onnx_file(tmp_path / "model.onnx")
        plan = ExportPlan(COMPUTE, variant=VariantSection(with_softmax=True))
        found = vary(file, CONTRACT, MADE, plan, None)
        assert found.rescored is None
        assert onnx_classifier(file).output == "probabilities"

    def test_a_wrapping_that_answers_otherwise(self, varied, monkeypatch):
        def otherwise(model, preprocess):
            return _with_pixels(model, replace(preprocess, std=(1.0, 1.0, 1.0)))

        monkeypatch.setattr(onnx_variants, "with_pixels", otherwise)
        with pytest.raises(ExportError, match=r"With the normalisation inside the probabilities of model\.onnx differ"):
            varied(with_preprocess=True)


_with_pixels = onnx_variants.with_pixels


class TestNarrower:
    @pytest.mark.parametrize("precision", ["fp16", "int8"])
    def test_all_at_once(self, varied, dataset, precision):
        file, found = varied(precision=precision, with_softmax=True, with_preprocess=True)
        onnx.checker.check_model(str(file), full_check=True)
        model = onnx.load(file)
        assert precision_of(model) == precision
        opened = onnx_classifier(file)
        assert (opened.precision, opened.output) == (precision, "probabilities")
        assert opened.preprocess.normalized_in_graph
        assert made_of(model) == found.made
        assert found.made.quantizer["precision"] == precision
        own = predict_split(opened, dataset, "val")
        np.testing.assert_array_equal(own.logits, found.rescored.answers.logits)
        score = found.rescored.score
        assert (score.precision, score.rescored) == (precision, True)
        assert score.value == pytest.approx(own.correct.mean())
        assert found.cost.images == 30
        assert found.cost.accuracy == pytest.approx(own.correct.mean())
        assert found.notes[0].startswith(f"{precision} ")

    def test_it_costs_what_it_says(self, varied, dataset):
        plain, _ = varied()
        expected = predict_split(onnx_classifier(plain), dataset, "val")
        file, found = varied(precision="int8")
        answers = predict_split(onnx_classifier(file), dataset, "val")
        assert found.cost.accuracy_fp32 == pytest.approx(expected.correct.mean())
        assert found.cost.agreement == pytest.approx((expected.predicted == answers.predicted).mean())
        assert found.made.quantizer["calibration"] == f"{RUNGS[0].name}, 18 train images"

    def test_other_data_do_not_give_it_a_score(self, varied, dataset, tmp_path):
        """The score of its checkpoint stands, which says that it is not proved."""
        other = loaded(tmp_path / "others", train=4, val=5)
        contract = replace(CONTRACT, labels=dataset.labels, data_fingerprint=dataset.fingerprint)
        file = write_onnx_file(tmp_path / "model.onnx", NETWORK, contract, metadata(contract, MADE))
        images = ExportImages(other)
        plan = ExportPlan(COMPUTE, ExportSection(), VariantSection(precision="fp16"), images)
        rescored = rescore(onnx_classifier(file), NETWORK.classifier(contract), "val/acc_top1", images)
        found = vary(file, contract, MADE, plan, rescored)
        assert found.rescored.score is None
        assert found.cost.images == 15


class TestGates:
    @pytest.fixture
    def noisy(self, monkeypatch):
        """Candidates, of which the first `count` decide otherwise: their weights are turned round."""

        def spoil(count):
            def made(*arguments, **options):
                found = _candidates(*arguments, **options)
                for one in found[:count]:
                    path = arguments[0].with_name(one.file)
                    model = onnx.load(path)
                    graph = model.graph
                    graph.node[-1].output[0] = "turned"
                    graph.node.append(onnx.helper.make_node("Neg", ["turned"], ["logits"]))
                    onnx.save(model, path)
                return found

            monkeypatch.setattr(onnx_variants, "candidates", made)

        return spoil

    def test_the_next_rung(self, varied, noisy):
        noisy(1)
        _, found = varied(precision="int8")
        (fallen,) = found.fallen
        assert fallen.rung == RUNGS[0].name
        assert "of the answers are equal, not 95.0 %" in fallen.reason
        assert RUNGS[1].name in found.made.quantizer["calibration"]

    def test_none_passes(self, varied, noisy):
        noisy(3)
        with pytest.raises(ExportError) as caught:
            varied(precision="int8")
        message, hint = caught.value.message, caught.value.hint
        assert message.startswith("int8 answers too much unlike float32 on 30 val images: ranges at the 99.999th")
        assert message.count("of the answers are equal") == 3
        assert hint.startswith("Nothing was published. Try --precision fp16, or more --calibration-images. To accept")
        assert hint.endswith("To accept it: --min-agreement 0.") or "--min-agreement 0 --max-accuracy-drop" in hint

    @pytest.fixture
    def broken(self, monkeypatch):
        """Candidates, of which ONNX Runtime does not open the first `count`."""

        def spoil(count):
            def made(*arguments, **options):
                found = _candidates(*arguments, **options)
                for one in found[:count]:
                    path = arguments[0].with_name(one.file)
                    model = onnx.load(path)
                    model.graph.node[-1].op_type = "NoSuchOperator"
                    onnx.save(model, path)
                return found

            monkeypatch.setattr(onnx_variants, "candidates", made)

        return spoil

    def test_a_file_that_cannot_be_opened_falls_as_others_do(self, varied, broken):
        broken(1)
        _, found = varied(precision="int8")
        (fallen,) = found.fallen
        assert fallen.rung == RUNGS[0].name
        assert "NoSuchOperator" in fallen.reason
        assert RUNGS[1].name in found.made.quantizer["calibration"]

    @pytest.mark.parametrize("precision", ["fp16", "int8"])
    def test_no_file_can_be_opened(self, varied, broken, precision):
        broken(3)
        with pytest.raises(ExportError, match=f"No {precision} file of by-hand can be used.*NoSuchOperator") as caught:
            varied(precision=precision)
        assert caught.value.hint == "Nothing was published."

    def test_what_is_asked_for_wins(self, varied, noisy):
        noisy(3)
        _, found = varied(precision="int8", min_agreement=0.0, max_accuracy_drop=1.0)
        assert found.fallen == ()
        assert found.cost.agreement < 0.5

    def test_fp16_is_held_against_float32_with_every_step_rounded(self, varied, monkeypatch):
        """The file itself answers well on the CPU; a machine that rounds would not."""

        def made(*arguments, **options):
            (found,) = _candidates(*arguments, **options)
            path = arguments[0].with_name(found.strict)
            model = onnx.load(path)
            model.graph.node[-1].output[0] = "turned"
            model.graph.node.append(onnx.helper.make_node("Neg", ["turned"], ["logits"]))
            onnx.save(model, path)
            return (found,)

        monkeypatch.setattr(onnx_variants, "candidates", made)
        with pytest.raises(ExportError, match=r"fp16 answers too much unlike float32 on 30 val images") as caught:
            varied(precision="fp16")
        assert "--precision fp16" not in caught.value.hint
        assert "Ship float32. To accept it: --min-agreement 0" in caught.value.hint


_candidates = onnx_variants.candidates
