"""clf export --precision, --with-softmax, --with-preprocess: the files, and the commands that take them."""

import json
import shutil

import pytest

from clf_cli.values.run_dir import RunDir
from tests.running import TORCH, clf_without, report_of

WIDE = ("--min-agreement", 0.8, "--max-accuracy-drop", 0.2)  # a network of two epochs decides little


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """A copy that may be written into."""
    return RunDir(shutil.copytree(tiny_run.root, tmp_path_factory.mktemp("variants") / "tiny"))


@pytest.fixture(scope="module")
def exported(run):
    """A file of each precision with all around the network, made once, in whatever order the tests come."""
    made = {}

    def export(clf, precision):
        if precision not in made:
            gates = () if precision == "fp32" else WIDE
            around = ("--with-softmax", "--with-preprocess")
            made[precision] = clf("export", run.root, "--precision", precision, *around, *gates, "--json")
        return run.export / f"model{SUFFIXES[precision]}-softmax-uint8.onnx", made[precision]

    return export


SUFFIXES = {"fp32": "", "fp16": "-fp16", "int8": "-int8"}


@pytest.mark.parametrize("precision", SUFFIXES)
def test_a_file_and_all_commands_on_it(clf, run, tiny_run, exported, precision):
    gates = () if precision == "fp32" else WIDE
    file, done = exported(clf, precision)
    result = report_of(done)["result"]
    assert file.is_file()
    assert run.onnx.read_bytes() == tiny_run.onnx.read_bytes(), "the plain file was touched"
    assert result["file"] == file.name
    if precision == "fp32":
        assert result["cost"] is None
        assert result["made"]["quantizer"] is None
    else:
        assert result["cost"]["precision"] == result["made"]["quantizer"]["precision"] == precision
        assert f"{precision} costs" in done.stderr or f"{precision} gains" in done.stderr
        assert "points of val/acc_top1" in done.stderr
        assert f"{100 * result['cost']['agreement']:.1f} % of answers equal" in done.stderr
    info = report_of(clf("model-info", file, "--json"))["result"]
    assert info["precision"] == info["contract"]["precision"] == precision
    assert info["inputs"] == [{"name": "input", "dtype": "uint8", "shape": ["batch_size", 32, 32, 3]}]
    assert info["outputs"][0]["name"] == "probabilities"
    plain = report_of(clf("model-info", run.onnx, "--json"))["result"]
    assert info["multiply_adds"] == plain["multiply_adds"]
    score = info["contract"]["score"]
    assert (score["precision"], score["rescored"]) == (precision, True)
    scored = report_of(clf("evaluate", file, "--json"))["result"]
    if score["metric"] == "val/acc_top1":
        assert scored["acc_top1"] == pytest.approx(score["value"])
    report_of(clf("confusion", file, "--json"))
    report_of(clf("compare", run.onnx, file, "--json"))
    assert report_of(clf("validate-onnx", file, *gates, "--json"))["result"]["passed"]


def test_without_torch(clf, exported, tiny_dataset):
    image = next((tiny_dataset / "val").rglob("*.png"))
    done = clf_without(TORCH, "predict", exported(clf, "int8")[0], image, "--json")
    (prediction,) = report_of(done)["result"]["predictions"]
    assert prediction["label"] in {"blue", "green", "red"}
    assert 0 < prediction["probability"] <= 1


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_without_images(clf, run, tmp_path, precision):
    checkpoint = shutil.copy(run.best, tmp_path / "alone.ckpt")
    done = clf("export", checkpoint, "-o", tmp_path / "alone.onnx", "--precision", precision)
    assert done.code == 3
    assert f"{precision} needs val images, to be held against float32" in done.stderr
    assert "--data DIR" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.ckpt"], "something was published"


def test_a_file_that_answers_too_much_unlike(clf, run, monkeypatch):
    """One calibration image of one class, and gates that nothing but float32 passes: the numbers are told."""
    from clf_cli.engine import onnx_quantize

    monkeypatch.setattr(onnx_quantize, "RUNGS", onnx_quantize.RUNGS[:1])
    before = sorted(path.name for path in run.export.iterdir())
    done = clf("export", run.root, "--precision", "int8", "--calibration-images", 1, "--min-agreement", 1)
    if done.code == 0:
        pytest.skip("int8 decides every image alike here")
    assert done.code == 5
    assert "int8 answers too much unlike float32 on 24 val images" in done.stderr
    assert "To accept it: --min-agreement 0." in done.stderr  # the gate that stopped it
    assert sorted(path.name for path in run.export.iterdir()) == before


def test_a_variant_can_be_calibrated(clf, run, exported, tmp_path):
    """Its temperature divides the log of its probabilities, which differ from logits by a constant of each image."""
    copy = tmp_path / "calibrated.onnx"
    file, _ = exported(clf, "fp32")
    assert clf("calibrate", file, "-o", copy).code == 0
    ours = report_of(clf("calibrate", file, "--json"))["result"]["temperature"]
    plain = report_of(clf("calibrate", run.onnx, "--json"))["result"]["temperature"]
    assert ours == pytest.approx(plain, rel=0.01)
    contract = json.loads(clf("model-info", copy, "--json").stdout)["result"]["contract"]
    assert contract["temperature"] == pytest.approx(ours)
