"""clf validate-onnx --answers: what a program of one's own wrote, against its file; and the faults of a file."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from PIL import Image

from clf_cli.engine.onnx_consumer import open_consumer, tensor
from clf_cli.values.contract import CONTRACT_KEY, Contract
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import softmax
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, linear, write_onnx_file, write_run
from tests.running import TORCH, clf_without, draw_discs, report_of

NAMES = ("blue", "green", "red")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_discs(tmp_path_factory.mktemp("answers") / "discs", {"train": 2, "val": 5, "test": 2})


@pytest.fixture
def model(tmp_path):
    """Two nodes that look at every channel, with the classes of the data."""
    contract = replace(CONTRACT, labels=Labels(NAMES), preprocess=Preprocess(16, 16, interpolation="bilinear"))
    return write_onnx_file(tmp_path / "alone.onnx", linear(classes=3), contract)


def write_answers(path, model, data, made=lambda logits: {"logits": logits.tolist()}, color="RGB", split="val"):
    """As a program with Pillow alone writes them."""
    consumer = open_consumer(model, 1)
    rows = []
    for file in sorted((data / split).rglob("*.png")):
        pixels = np.asarray(Image.open(file).convert("RGB").resize((16, 16), Image.Resampling.BILINEAR))
        logits = consumer.logits(tensor(pixels if color == "RGB" else pixels[:, :, ::-1], consumer.recipe)[None])[0]
        rows.append(json.dumps({"path": file.relative_to(data).as_posix(), **made(logits)}))
    path.write_text("\n".join(rows))
    return path


def test_answers_that_agree_without_torch(model, data, tmp_path):
    answers = write_answers(tmp_path / "a.jsonl", model, data)
    done = clf_without(TORCH, "validate-onnx", model, "--answers", answers, "--data", data, "--json")
    report = report_of(done)
    result = report["result"]
    assert (report["kind"], result["passed"], result["told"]) == ("onnx_answers", True, "logits")
    assert (result["agreement"], result["images"], report["data"]["images"]) == (1.0, 15, 15)
    assert (result["faults"], result["nearest"], result["others"]) == ([], [], [])


def test_a_program_that_is_wrong(model, data, tmp_path, clf):
    answers = write_answers(tmp_path / "a.jsonl", model, data, color="BGR")
    arguments = ("validate-onnx", model, "--answers", answers, "--data", data)
    result = report_of(clf(*arguments, "--json", "--junit", tmp_path / "j.xml"), 1)["result"]
    (fault,) = result["faults"]
    assert (fault["stage"], fault["found"], fault["expected"]) == ("color order", "BGR", "RGB")
    assert fault["agreement"]["with"] == 1.0
    assert fault["difference"]["with"] < 1e-3 < fault["difference"]["without"]
    assert {other["path"].split("/")[0] for other in result["others"]} == {"val"}
    failure = ElementTree.parse(tmp_path / "j.xml").find(".//failure")
    assert "color order" in failure.text
    done = clf(*arguments)
    assert (done.code, "The stage at fault: color order." in done.stdout) == (1, True)
    assert "At fault: color order." in done.stderr


def test_a_program_that_nobody_understands(model, data, tmp_path, clf):
    rng = np.random.default_rng(0)
    answers = write_answers(tmp_path / "a.jsonl", model, data, lambda _: {"logits": rng.normal(0, 9, 3).tolist()})
    done = clf("validate-onnx", model, "--answers", answers, "--data", data)
    assert done.code == 1
    assert "None of the known ways to be wrong gives these answers." in done.stdout
    result = report_of(clf("validate-onnx", model, "--answers", answers, "--data", data, "--json"), 1)["result"]
    assert result["faults"] == []


def test_what_clf_predict_writes_agrees(model, data, tmp_path, clf):
    lines = clf("predict", model, "-r", data / "val", "--format", "jsonl")
    assert lines.code == 0, lines.stderr
    (tmp_path / "a.jsonl").write_text(lines.stdout)
    result = report_of(clf("validate-onnx", model, "--answers", tmp_path / "a.jsonl", "--data", data, "--json"))
    assert result["result"]["told"] == "probabilities"


def test_a_calibrated_file_is_asked_for_calibrated_probabilities(model, data, tmp_path, clf):
    contract = replace(Contract.from_json(open_consumer(model, 1).contract), temperature=3.0)
    write_onnx_file(model, linear(classes=3), contract)
    for temperature, code in ((3.0, 0), (1.0, 1)):
        answers = write_answers(
            tmp_path / "a.jsonl",
            model,
            data,
            lambda logits, t=temperature: {"probabilities": softmax(logits / t).tolist()},
        )
        done = clf("validate-onnx", model, "--answers", answers, "--data", data, "--json")
        faults = report_of(done, code)["result"]["faults"]
        assert [(fault["stage"], "without the contract's temperature" in fault["found"]) for fault in faults] == (
            [("softmax", True)] if code else []
        )


@pytest.mark.parametrize(
    ("lines", "arguments", "code", "words"),
    [
        (None, (), 2, "cannot be read"),
        ("", (), 3, "holds no answers"),
        ("{", (), 3, "a.jsonl:1: not JSON"),
        ('{"path": "val/red/99.png", "label": "red"}', (), 3, "there is no such image"),
        ('{"path": "val/red/00.png", "logits": [1]}', (), 3, "1 logits, the model has 3 classes"),
        ('{"path": "val/red/00.png", "label": "red"}', ("--golden",), 2, "--golden"),
        ('{"path": "val/red/00.png", "label": "red"}', ("--against", "x.ckpt"), 2, "--against"),
    ],
)
def test_bad_input(model, data, tmp_path, clf, lines, arguments, code, words):
    if lines is not None:
        (tmp_path / "a.jsonl").write_text(lines)
    where = () if "--golden" in arguments else ("--data", data)
    done = clf("validate-onnx", model, "--answers", tmp_path / "a.jsonl", *where, *arguments)
    assert (done.code, done.stdout) == (code, ""), done.stderr
    assert words in done.stderr


def test_without_data(model, tmp_path, clf):
    (tmp_path / "a.jsonl").write_text('{"path": "a.png", "label": "red"}')
    done = clf("validate-onnx", model, "--answers", tmp_path / "a.jsonl")
    assert (done.code, "--data" in done.stderr) == (2, True)


def test_a_file_whose_contract_was_edited(data, tmp_path, clf):
    """The check itself names the stage, in its table and its report."""
    run = write_run(tmp_path / "runs" / "discs", data)
    assert clf("export", run.root, "--quiet").code == 0
    model = onnx.load(run.onnx)
    for entry in model.metadata_props:
        if entry.key == CONTRACT_KEY:
            contract = json.loads(entry.value)
            contract["preprocess"]["interpolation"] = "nearest"
            entry.value = json.dumps(contract)
    onnx.save(model, run.onnx)
    done = clf("validate-onnx", run.onnx)
    assert done.code == 1
    assert "The stage at fault: resize kernel. The file has nearest, the checkpoint bicubic" in done.stdout
    (fault,) = report_of(clf("validate-onnx", run.onnx, "--json"), 1)["result"]["faults"]
    assert (fault["stage"], fault["images"]) == ("resize kernel", 15)
