"""One fault at a time in an ONNX file, each found, each with its reason; and the file without a fault passes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from clf_cli.engine.onnx_check import BATCH_SIZES, Evidence, check_onnx, noise
from clf_cli.engine.onnx_fault import Fault
from clf_cli.engine.onnx_golden import GoldenImage, golden_of
from clf_cli.errors import CheckFailedError, ModelError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.contract import Score
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.preprocess import Preprocess, normalize
from clf_cli.values.report import finding
from tests.onnx_models import CONTRACT, LABELS, Linear, linear, write_onnx_file

GATES = ValidateSection()
INPUTS = noise(CONTRACT.preprocess, 20)
TARGETS = np.arange(20) % len(LABELS)


def predictions(classifier, targets=TARGETS):
    paths = tuple(f"val/{i}.png" for i in range(len(INPUTS)))
    by_name = np.array([classifier.labels.indices[LABELS.names[target]] for target in targets])
    return Predictions(paths, by_name, classifier.logits(INPUTS), classifier.labels)


def golden_pictures():
    rng = np.random.default_rng(1)
    return tuple(GoldenImage(f"{i}.png", "", rng.integers(0, 256, (30, 20 + i, 3), dtype=np.uint8)) for i in range(8))


def golden(model=None):
    return golden_of(golden_pictures(), (model or linear()).classifier())


def checked(tmp_path, *, gates=GATES, with_data=True, **file):
    """The file, held against the sound checkpoint, its golden samples and 20 images."""
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", **file), threads=1)
    reference = linear().classifier()
    evidence = Evidence(reference, golden())
    if with_data and set(onnx.labels) == set(LABELS) and onnx.preprocess.height == 8:
        evidence = replace(evidence, expected=predictions(reference), answers=predictions(onnx), inputs=INPUTS)
    return check_onnx(onnx, evidence, gates)


def test_a_sound_file(tmp_path):
    result = checked(tmp_path)
    assert result.passed
    assert result.reasons == ()
    result.raise_if_failed(tmp_path)
    assert result.compared_with == ("checkpoint", "golden samples")
    assert [found.size for found in result.batches] == list(BATCH_SIZES) == [1, 2, 3, 7, 32]
    assert result.images.parity.images == 20
    assert result.images.flips == ()
    assert result.golden.from_images.relative_difference < 1e-5
    assert result.golden.input_difference == 0
    assert [check.name for check in result.checks] == [
        *("graph", "labels and size", "preprocessing"),
        *(f"batch size {size}" for size in BATCH_SIZES),
        *("images", "accuracy", "golden tensors", "golden images"),
    ]
    assert json.loads(json.dumps(result.report.to_json(), allow_nan=False))["result"]["passed"] is True


def wrong_weights():
    return linear(seed=1)


def off_by_a_little():
    return Linear(linear().weights, linear().bias + np.array([3e-3, 0, 0, 0, 0], np.float32))


def not_a_number():
    return Linear(linear().weights, np.full(5, np.nan, np.float32))


SOUND = CONTRACT.preprocess
PERMUTED = Labels((*LABELS.names[1:], LABELS.names[0]))


@pytest.mark.parametrize(
    ("file", "reasons"),
    [
        ({"model": wrong_weights()}, ["at batch size 1, 2, 3, 7, 32", "images get another class", "golden tensors"]),
        ({"model": off_by_a_little()}, ["at batch size", "on the images the logits differ"]),
        ({"model": not_a_number()}, ["differ by up to not a number"]),
        ({"contract": replace(CONTRACT, labels=PERMUTED)}, ["images get another class", "golden tensors"]),
        ({"contract": replace(CONTRACT, labels=Labels(("a", "0", "00", "7", "b")))}, ["its labels differ", "'a'"]),
        (
            {"contract": replace(CONTRACT, preprocess=replace(SOUND, mean=(0.5, 0.5, 0.5)))},
            ["says mean [0.5, 0.5, 0.5], the checkpoint [0.485", "another input of the golden images", "golden images"],
        ),
        (
            {"contract": replace(CONTRACT, preprocess=replace(SOUND, std=(0.5, 0.5, 0.5)))},
            ["says std", "golden images"],
        ),
        (
            {"contract": replace(CONTRACT, preprocess=replace(SOUND, resize_mode="letterbox"))},
            ["says resize_mode letterbox, the checkpoint squash", "golden images"],
        ),
        (
            {"contract": replace(CONTRACT, preprocess=replace(SOUND, interpolation="nearest"))},
            ["says interpolation nearest, the checkpoint bicubic", "golden images"],
        ),
        (
            {"contract": replace(CONTRACT, preprocess=replace(SOUND, crop_share=0.5))},
            ["says crop_share 0.5", "golden images"],
        ),
        ({"contract": replace(CONTRACT, preprocess=Preprocess(16, 12))}, ["its input is 16 x 12", "checkpoint 8 x 12"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_faults(tmp_path, file, reasons):
    result = checked(tmp_path, **file)
    assert not result.passed
    for reason in reasons:
        assert any(reason in found for found in result.reasons), result.reasons
    assert any(not check.passed for check in result.checks)
    with pytest.raises(CheckFailedError, match=r"model\.onnx") as caught:
        result.raise_if_failed(tmp_path / "model.onnx")
    assert caught.value.exit_code == 1
    assert ("more (--json has all)" in caught.value.message) == (len(result.reasons) > 3)
    json.dumps(result.report.to_json(), allow_nan=False)


def test_a_fixed_batch_axis(tmp_path):
    result = checked(tmp_path, batch=1, with_data=False)
    assert any("the batch axis of the input is fixed at 1" in reason for reason in result.reasons)
    unanswered = [reason for reason in result.reasons if "cannot answer for a batch of" in reason]
    assert len(unanswered) == 1
    assert unanswered[0].startswith("it cannot answer for a batch of 2, 3, 7, 32: Got invalid dimensions")
    assert "Expected: 1" in unanswered[0]
    failed = [check for check in result.checks if check.name.startswith("batch size")]
    assert [check.name for check in failed] == [f"batch size {size}" for size in (2, 3, 7, 32)]
    assert "for a batch of 7: Got" in failed[2].reasons[0]
    with pytest.raises(CheckFailedError) as caught:
        result.raise_if_failed(tmp_path / "model.onnx")
    assert "free batch" in caught.value.hint


def test_each_question_has_its_own_answer(tmp_path):
    """What is wrong at one batch size, or of the score alone, fails there and nowhere else."""

    def off_at_seven(images):
        return linear()(images) + (0.01 if len(images) == 7 else 0)

    onnx = replace(onnx_classifier(write_onnx_file(tmp_path / "model.onnx"), threads=1), logits=off_at_seven)
    result = check_onnx(onnx, Evidence(linear().classifier()), GATES)
    assert [check.name for check in result.checks if not check.passed] == ["batch size 7"]
    assert result.reasons == result.checks[-2].reasons
    assert "at batch size 7 the logits differ" in result.reasons[0]


def test_real_images_are_answered_for_in_full_batches_of_every_size(tmp_path):
    reference = linear().classifier()
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx"), threads=1)
    expected = predictions(reference)
    evidence = Evidence(reference, None, expected, predictions(onnx), inputs=INPUTS, probed=expected)
    result = check_onnx(onnx, evidence, ValidateSection(batch_sizes=(1, 6, 20, 33)))
    assert [(one.size, one.parity.images) for one in result.batches] == [(1, 20), (6, 18), (20, 20), (33, 33)]
    assert result.passed
    swapped = replace(evidence, probed=replace(expected, logits=expected.logits[::-1]))
    assert not check_onnx(onnx, swapped, GATES).passed


def test_each_batch_size_tells_accuracies_and_flips(tmp_path):
    """As a count by hand has them; a file that answers otherwise in batches of 6 alone says so in that row alone."""
    reference, whole = linear().classifier(), linear()(INPUTS)

    def off_at_six(images):
        return np.roll(linear()(images), 1, axis=1) if len(images) == 6 else linear()(images)

    onnx = replace(onnx_classifier(write_onnx_file(tmp_path / "model.onnx"), threads=1), logits=off_at_six)
    expected = predictions(reference)
    evidence = Evidence(reference, None, expected, predictions(onnx), inputs=INPUTS, probed=expected)
    four, six = check_onnx(onnx, evidence, ValidateSection(batch_sizes=(4, 6))).to_result()["batches"]
    right = whole.argmax(axis=1) == TARGETS
    assert (four["images"], list(four["flips"])) == (20, [])
    assert four["reference_accuracy"] == four["onnx_accuracy"] == right.mean()
    wrong = np.roll(whole, 1, axis=1).argmax(axis=1)
    assert (six["images"], six["reference_accuracy"]) == (18, right[:18].mean())
    assert six["onnx_accuracy"] == (wrong == TARGETS)[:18].mean() != six["reference_accuracy"]
    assert [flip["path"] for flip in six["flips"]] == [f"val/{i}.png" for i in range(18)]
    assert [flip["onnx"] for flip in six["flips"]] == [LABELS.names[index] for index in wrong[:18]]
    golden_alone = check_onnx(onnx, Evidence(golden=golden()), GATES).to_result()["batches"][0]
    assert (golden_alone["onnx_accuracy"], golden_alone["flips"]) == (None, None), "half of them are chosen wrong"


class TestOtherKinds:
    """Probabilities, pixels and lower precisions are held against the same float32 reference."""

    @pytest.mark.parametrize("model", [linear(), linear(seed=1)])
    @pytest.mark.parametrize("kind", ["probabilities", "pixels", "both"])
    def test_files(self, tmp_path, kind, model):
        contract = replace(
            CONTRACT,
            output="logits" if kind == "pixels" else "probabilities",
            preprocess=replace(SOUND, normalized_in_graph=kind != "probabilities"),
        )
        onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", model, contract), threads=1)
        reference = linear().classifier()
        rng = np.random.default_rng(3)
        pixels = rng.integers(0, 256, (20, 8, 12, 3), dtype=np.uint8)
        floats = normalize(pixels, SOUND)
        taken = pixels if kind != "probabilities" else floats
        paths = tuple(map(str, range(20)))
        expected = Predictions(paths, TARGETS, reference.logits(floats), LABELS)
        evidence = Evidence(
            reference,
            golden_of(golden_pictures(), onnx),
            expected,
            Predictions(paths, TARGETS, onnx.logits(taken), LABELS),
            inputs=taken,
            probed=expected,
        )
        result = check_onnx(onnx, evidence, GATES)
        assert result.passed == (model.weights[0, 0] == linear().weights[0, 0]), result.reasons
        for limited in (Evidence(reference), Evidence(reference, inputs=taken), Evidence(golden=evidence.golden)):
            found = check_onnx(onnx, limited, GATES)
            assert found.passed == (result.passed or limited.reference is None), found.reasons

    @pytest.mark.parametrize("precision", ["fp16", "int8"])
    def test_differences_of_logits_are_told_but_no_gate_of_a_lower_precision(self, tmp_path, precision):
        result = checked(tmp_path, model=off_by_a_little(), contract=replace(CONTRACT, precision=precision))
        images = result.images.parity
        assert images.relative_difference > 1e-4
        assert [check.name for check in result.checks if not check.passed] == ["golden tensors", "golden images"]
        own = replace(golden(off_by_a_little()), precision=precision)
        onnx = onnx_classifier(tmp_path / "model.onnx")
        evidence = Evidence(linear().classifier(), own, predictions(linear().classifier()), predictions(onnx))
        assert check_onnx(onnx, evidence, GATES).passed
        strict = check_onnx(onnx, evidence, ValidateSection(tolerance=1e-4))
        assert any("on the images the logits differ" in reason for reason in strict.reasons)

    @pytest.mark.parametrize("precision", ["fp16", "int8"])
    def test_a_wrong_file_of_a_lower_precision(self, tmp_path, precision):
        result = checked(tmp_path, model=wrong_weights(), contract=replace(CONTRACT, precision=precision))
        assert any("get another class (agreement" in reason for reason in result.reasons)
        assert any("of the images get another class" in reason for reason in result.reasons), "at each batch size"
        broken = checked(tmp_path, model=not_a_number(), contract=replace(CONTRACT, precision=precision))
        assert any("differ by up to not a number" in reason for reason in broken.reasons)

    def test_golden_samples_of_another_kind_of_input(self, tmp_path):
        contract = replace(CONTRACT, preprocess=replace(SOUND, normalized_in_graph=True))
        onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", contract=contract))
        (reason,) = check_onnx(onnx, Evidence(golden=golden()), GATES).reasons
        assert reason == "it takes uint8, its golden samples are float32"

    def test_noise_does_not_judge_a_lower_precision(self, tmp_path):
        onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", contract=replace(CONTRACT, precision="int8")))
        with pytest.raises(ModelError, match="int8") as caught:
            check_onnx(onnx, Evidence(linear().classifier()), GATES)
        assert "--data" in caught.value.hint


def test_flips_are_listed(tmp_path):
    result = checked(tmp_path, model=wrong_weights())
    reference, onnx = predictions(linear().classifier()), predictions(wrong_weights().classifier())
    names = LABELS.names
    assert [(flip.path, flip.label, flip.reference, flip.onnx) for flip in result.images.flips] == [
        (path, names[target], names[one], names[other])
        for path, target, one, other in zip(
            reference.paths, reference.targets, reference.predicted, onnx.predicted, strict=True
        )
        if one != other
    ]


def test_gates(tmp_path):
    loose = ValidateSection(tolerance=1e-2, min_agreement=0.0, max_accuracy_drop=1.0)
    assert checked(tmp_path, model=off_by_a_little(), gates=loose).passed
    wide = ValidateSection(tolerance=10, min_agreement=1.0, max_accuracy_drop=1.0)
    (reason,) = checked(tmp_path, model=wrong_weights(), gates=wide).reasons
    assert "get another class" in reason


def test_an_accuracy_that_falls(tmp_path):
    """Images that the reference gets right and the file does not."""
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", wrong_weights()), threads=1)
    reference = linear().classifier()
    targets = predictions(reference).predicted
    evidence = Evidence(
        reference, expected=predictions(reference, targets), answers=predictions(onnx, targets), inputs=INPUTS
    )
    result = check_onnx(onnx, evidence, ValidateSection(tolerance=10, min_agreement=0))
    (reason,) = result.reasons
    assert "accuracy falls by" in reason
    assert result.images.reference_accuracy == 1.0


class TestWithoutACheckpoint:
    def test_golden_samples(self, tmp_path):
        onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx"))
        result = check_onnx(onnx, Evidence(golden=golden()), GATES)
        assert result.passed
        assert result.compared_with == ("golden samples",)
        assert result.reference is None
        wrong = check_onnx(onnx, Evidence(golden=golden(wrong_weights())), GATES)
        assert any("golden tensors" in reason for reason in wrong.reasons)
        with pytest.raises(CheckFailedError) as caught:
            wrong.raise_if_failed(tmp_path)
        assert "--against" in caught.value.hint

    @pytest.mark.parametrize(("claimed", "passes"), [(0.0, True), (0.05, False), (-0.05, False)])
    def test_score(self, tmp_path, claimed, passes):
        sound = predictions(linear().classifier())
        score = Score("val/acc_top1", "val", float(sound.correct.mean()) + claimed, "live")
        onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", contract=replace(CONTRACT, score=score)))
        result = check_onnx(onnx, Evidence(answers=predictions(onnx), same_data=True), GATES)
        assert result.compared_with == ("score",)
        assert result.passed is passes
        if not passes:
            assert "its contract says" in result.reasons[0]

    def test_score_of_other_images_proves_nothing(self, tmp_path):
        contract = replace(CONTRACT, score=Score("val/acc_top1", "val", 0.5, "live"))
        onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", contract=contract))
        with pytest.raises(ModelError, match="nothing to compare") as caught:
            check_onnx(onnx, Evidence(answers=predictions(onnx), same_data=False), GATES)
        assert caught.value.exit_code == 4
        assert "--against" in caught.value.hint


def test_a_file_that_cannot_answer_is_not_one_without_anything_to_compare_with(tmp_path):
    """Outside a run, with data: its fixed batch is the reason, not a missing checkpoint."""
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", batch=2), threads=1)
    result = check_onnx(onnx, Evidence(), GATES)
    assert result.compared_with == ()
    assert "the batch axis of the input is fixed at 2" in result.reasons


@pytest.mark.parametrize(
    ("stages", "files"),
    [(["resize kernel"], "--preprocess,"), (["label order"], "--labels,"),
     (["normalisation", "label order"], "--preprocess and of --labels,")],
)  # fmt: skip
def test_what_a_person_told_wrongly_of_a_foreign_file_is_the_next_step(tmp_path, stages, files):
    """The file itself is sound: nobody need export it again."""
    fault = Fault("label order", "", "", 1, 0.0, 1.0, 1.0, 0.0)
    faults = tuple(replace(fault, stage=stage) for stage in stages)
    result = replace(checked(tmp_path, model=wrong_weights()), faults=faults)
    told = replace(result, findings=(finding("contract", "made by another tool"),))
    with pytest.raises(CheckFailedError) as caught:
        told.raise_if_failed(tmp_path)
    assert caught.value.hint.startswith(f"Correct the file of {files}")
    with pytest.raises(CheckFailedError) as caught:
        result.raise_if_failed(tmp_path)
    assert "--preprocess" not in caught.value.hint


def test_batches_without_images_are_noise_against_the_checkpoint(tmp_path):
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", wrong_weights()))
    result = check_onnx(onnx, Evidence(linear().classifier()), GATES)
    assert any("at batch size" in reason for reason in result.reasons)
    assert result.images is None
