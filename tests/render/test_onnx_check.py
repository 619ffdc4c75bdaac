"""The table of a check: what people read."""

import re
from dataclasses import replace

import numpy as np
from rich.console import Console

from clf_cli.engine.onnx_check import Evidence, check_onnx
from clf_cli.engine.onnx_fault import Fault
from clf_cli.engine.onnx_parity import BatchParity, Flip
from clf_cli.engine.onnx_provider import PROVIDERS, Placement
from clf_cli.models.onnx import onnx_classifier
from clf_cli.render.onnx_check import FLIPS, cases, table
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.values.predictions import Predictions
from tests.onnx_models import CONTRACT, LABELS, linear, write_onnx_file


def text(result):
    console = Console(width=160, no_color=True)
    with console.capture() as captured:
        console.print(table(result))
    return captured.get()


def checked(tmp_path, onnx_model, reference=True):
    inputs = np.random.default_rng(0).standard_normal((20, 3, 8, 12), dtype=np.float32)

    def predictions(classifier):
        targets = np.arange(20) % len(LABELS)
        return Predictions(tuple(f"[{i}].png" for i in range(20)), targets, classifier.logits(inputs), LABELS)

    judge = linear().classifier()
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", onnx_model))
    evidence = Evidence(judge, expected=predictions(judge), answers=predictions(onnx), inputs=inputs)
    return check_onnx(onnx, evidence, ValidateSection())


def test_agreement(tmp_path):
    shown = text(checked(tmp_path, linear()))
    assert "compared with best.ckpt (live weights)" in shown
    assert "batch size 32" in shown
    assert "images from their files" in shown
    assert "100.0 %" in shown
    assert "opset 18, 2 nodes" in shown
    assert shown.rstrip().endswith("The answers agree.")


def test_disagreement_lists_the_images(tmp_path):
    result = checked(tmp_path, linear(seed=1))
    shown = text(result)
    assert f"{len(result.images.flips)} images with another class" in shown
    assert "[0].png" in shown, "brackets are no markup"
    assert "(empty)" in shown
    assert "No:\n- at batch size 1, 2, 3, 7, 32" in re.sub(" +\n", "\n", shown)


def test_many_flips_are_cut(tmp_path):
    result = checked(tmp_path, linear())
    flips = tuple(Flip(f"{i}.png", "0", "0", "00", False) for i in range(FLIPS + 5))
    shown = text(replace(result, images=replace(result.images, flips=flips)))
    assert "and 5 more" in shown
    assert f"{FLIPS}.png" not in shown


def test_without_a_checkpoint_and_undefined(tmp_path):
    contract = replace(CONTRACT, run_id=None)
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", contract=contract))
    result = check_onnx(onnx, Evidence(linear().classifier()), ValidateSection())
    alone = replace(result, reference=None, compared_with=("golden samples", "score"))
    shown = text(alone)
    assert "not compared with a checkpoint, but with its own golden samples and score" in shown
    assert "no image files were compared" in shown
    found = alone.batches[0]
    undefined = replace(found, parity=replace(found.parity, logit_difference=float("nan")))
    assert "–" in text(replace(alone, batches=(undefined,)))


def test_a_file_that_is_compared_with_itself_alone(tmp_path):
    """It cannot know that its labels and preprocessing are right, and says so where it says yes."""
    result = checked(tmp_path, linear())
    alone = replace(result, reference=None, compared_with=("answers through clf",))
    assert "whether labels and preprocessing are right" in text(alone)
    assert "whether labels" not in text(result)


def test_nothing_is_shown_of_what_was_not_compared(tmp_path):
    onnx = onnx_classifier(write_onnx_file(tmp_path / "model.onnx", batch=2))
    shown = text(check_onnx(onnx, Evidence(), ValidateSection()))
    assert shown.startswith("not compared: it cannot answer")
    assert "batch size" not in shown.partition("No:")[0]


def test_accuracies_and_flips_of_each_batch_size(tmp_path):
    """Sizes that share them share a line."""
    result = checked(tmp_path, linear(seed=3))
    whole = result.images
    few = replace(whole, reference_accuracy=0.5, onnx_accuracy=0.25, parity=replace(whole.parity, images=18))
    batches = tuple(BatchParity(size, images.parity, images) for size, images in ((1, whole), (6, few), (20, whole)))
    shown = text(replace(result, batches=batches))
    assert "accuracy: reference 15.00 %, ONNX 30.00 %; 0 ties" in shown
    flips = whole.parity.flips
    assert f"at batch size 1, 20: reference 15.00 %, ONNX 30.00 %; {flips} flips of 20 images" in shown
    assert f"at batch size 6: reference 50.00 %, ONNX 25.00 %; {few.parity.flips} flips of 18 images" in shown


def test_nothing_is_cut_on_a_narrow_terminal(tmp_path):
    console = Console(width=80, no_color=True)
    with console.capture() as captured:
        console.print(table(checked(tmp_path, linear())))
    numbers = [line for line in captured.get().splitlines() if line.startswith("│")]
    assert numbers
    assert "…" not in "".join(numbers), captured.get()


def test_cases_for_junit(tmp_path):
    """A case for each question, those that nobody could ask are skipped; what differs stands with the images."""
    result = checked(tmp_path, linear(seed=1))
    fault = Fault("weights", "live", "ema", 20, 0.5, 1.0, 1.0, 0.0)
    made = cases(replace(result, faults=(fault,)))
    by_name = {case.name: case for case in made}
    assert len(by_name) == len(made)
    assert [case.name for case in made if case.failures] == [one.name for one in result.checks if not one.passed]
    assert "The stage at fault: weights" in by_name["images"].details[0]
    assert by_name["images"].details[1].startswith("[0].png: ")
    assert len(by_name["images"].details) == 1 + len(result.images.flips)
    assert {case.name for case in made if case.skipped} == {"golden tensors", "golden images", "score"}
    assert not [case for case in cases(checked(tmp_path, linear())) if case.failures]


def test_which_provider_ran(tmp_path):
    placement = Placement(PROVIDERS["cuda"], (("CUDAExecutionProvider", 40), ("CPUExecutionProvider", 1)))
    shown = text(replace(checked(tmp_path, linear()), placement=placement))
    assert "ran 40 nodes on CUDAExecutionProvider, 1 node on CPUExecutionProvider" in shown
