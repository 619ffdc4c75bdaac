"""clf validate-onnx on a real export: against its run, another checkpoint, golden samples, or nothing at all."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import onnx
import pytest

from clf_cli.__main__ import main
from clf_cli.cli.commands.validate_onnx import validate_onnx
from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import CONTRACT, FACTS, without_ema, write_checkpoint, write_onnx_file, write_run
from tests.running import TORCH, clf_without, draw_discs, report_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An exported run. Read-only: tests that change it copy it."""
    folder = tmp_path_factory.mktemp("validate")
    data = draw_discs(folder / "discs", {"train": 2, "val": 4, "test": 3})
    run = write_run(folder / "runs" / "discs", data)
    assert main(["export", str(run.root), "--quiet"]) == 0
    return run


@pytest.fixture
def run(made, tmp_path):
    return RunDir(shutil.copytree(made.root, tmp_path / "run"))


def data_of(made):
    return made.root.parents[1] / "discs"


def change_contract(path, **changes):
    """The contract in the file says something else; the graph stays."""
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == CONTRACT_KEY:
            data = json.loads(entry.value)
            data["preprocess"].update(changes.pop("preprocess", {}))
            entry.value = json.dumps({**data, **changes})
    onnx.save(model, path)


def result_of(done, code):
    assert done.code == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def cases_of(path):
    return list(ElementTree.fromstring(path.read_bytes()).iter("testcase"))


class TestAgainstItsRun:
    @pytest.mark.parametrize("name", ["model.onnx", "run"])
    def test_agrees(self, made, clf, name):
        report = result_of(clf("validate-onnx", made.onnx if name == "model.onnx" else made.root, "--json"), 0)
        result = report["result"]
        assert report["kind"] == "onnx_check"
        assert (result["passed"], result["compared_with"]) == (True, ["checkpoint", "golden samples", "score"])
        assert result["reference"]["path"] == "checkpoints/best.ckpt"
        assert (report["data"]["split"], report["data"]["images"]) == ("val", 12)
        assert result["images"]["flips"] == []
        assert result["images"]["reference_accuracy"] == result["accuracy"] == result["score"]["stored"]
        assert result["score"]["now"] == result["score"]["stored"]

    def test_table(self, made, clf):
        done = clf("validate-onnx", made.onnx, "--split", "test")
        assert done.code == 0
        assert "compared with checkpoints/best.ckpt (ema weights)" in done.stdout
        assert "batch size 32" in done.stdout
        assert "The answers agree." in done.stdout
        assert "nodes on CPUExecutionProvider" in done.stdout
        assert "name some with --data" not in done.stdout
        assert done.stderr == ""

    def test_batch_sizes_that_are_asked_for(self, made, clf):
        arguments = ("--batch-sizes", "5,12", "--tolerance", "0.001", "--json")
        result = result_of(clf("validate-onnx", made.onnx, *arguments), 0)["result"]
        assert [(batch["size"], batch["images"]) for batch in result["batches"]] == [(5, 10), (12, 12)]
        assert result["gates"] == {"tolerance": 0.001, "min_agreement": 1.0, "max_accuracy_drop": 0.0}
        assert clf("validate-onnx", made.onnx, "--batch-sizes", "0").code == 2

    def test_live_weights_are_compared_with_live_weights(self, run, clf):
        assert clf("export", run.root, "--no-ema", "--quiet").code == 0
        result = result_of(clf("validate-onnx", run.export / "model-live.onnx", "--json"), 0)["result"]
        assert result["reference"]["weights"] == "live"
        assert result["score"]["now"] == result["score"]["stored"], "their own, from the export"
        shutil.copy(run.export / "model-live.onnx", run.onnx)
        change_contract(run.onnx, weights="ema")
        result = result_of(clf("validate-onnx", run.onnx, "--json"), 1)["result"]
        assert any("at batch size" in reason for reason in result["reasons"])

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"preprocess": {"mean": [0.1, 0.1, 0.1]}}, "says mean"),
            ({"labels": ["green", "blue", "red"]}, "get another class"),
            ({"labels": ["green", "blue", "pink"]}, "its labels differ from those of the checkpoint"),
            ({"score": {**CONTRACT.to_json(), "metric": "val/acc_top1", "split": "val", "value": 0.99,
                        "rescored": False}}, "its contract says 0.9900"),
        ],
    )  # fmt: skip
    def test_a_wrong_contract_is_caught(self, run, clf, changes, reason):
        change_contract(run.onnx, **changes)
        done = clf("validate-onnx", run.onnx, "--json")
        result = result_of(done, 1)["result"]
        assert any(reason in found for found in result["reasons"]), result["reasons"]
        assert reason in done.stderr

    def test_another_run_says_so(self, run, clf):
        change_contract(run.onnx, run_id="ffffffffffff")
        done = clf("validate-onnx", run.onnx)
        assert done.code == 4
        assert "exported from run ffffffffffff" in done.stderr
        assert "--against" in done.stderr


class TestJunit:
    def test_a_yes_and_a_no(self, run, clf, tmp_path):
        path = tmp_path / "new" / "checks.xml"
        done = clf("validate-onnx", run.onnx, "--junit", path, "--json")
        result = result_of(done, 0)["result"]
        assert [case.get("name") for case in cases_of(path)] == [check["name"] for check in result["checks"]]
        assert not [case for case in cases_of(path) if len(case)]
        change_contract(run.onnx, preprocess={"mean": [0.1, 0.1, 0.1]})
        assert clf("validate-onnx", run.onnx, "--junit", path).code == 1
        failed = {case.get("name"): case[0].get("message") for case in cases_of(path) if len(case)}
        assert "says mean" in failed["preprocessing"]
        assert {"batch size 1", "images", "golden images"} <= set(failed)
        assert not {"graph", "provider", "golden tensors"} & set(failed)

    def test_an_earlier_answer_does_not_outlive_an_error(self, run, clf, tmp_path):
        path = tmp_path / "checks.xml"
        assert clf("validate-onnx", run.onnx, "--golden", "--junit", path).code == 0
        shutil.rmtree(run.golden)
        assert clf("validate-onnx", run.onnx, "--golden", "--junit", path).code == 4
        assert not path.exists()

    def test_what_is_no_earlier_answer_stays(self, made, clf, tmp_path):
        before = made.onnx.read_bytes()
        for path, words in ((made.onnx, "is no XML file"), (tmp_path, "is a folder")):
            done = clf("validate-onnx", made.onnx, "--golden", "--junit", path)
            assert (done.code, done.stdout) == (2, "")
            assert words in done.stderr
        assert made.onnx.read_bytes() == before

    def test_a_place_that_cannot_be_written(self, made, clf, tmp_path):
        (tmp_path / "file").write_text("")
        done = clf("validate-onnx", made.onnx, "--golden", "--junit", tmp_path / "file" / "checks.xml")
        assert done.code == 6
        assert "--junit" in done.stderr


class TestGolden:
    def test_without_torch_and_data(self, made, tmp_path):
        shutil.copytree(made.export, tmp_path / "export")
        done = clf_without(TORCH, "validate-onnx", tmp_path / "export" / "model.onnx", "--golden", "--json")
        result = report_of(done)["result"]
        assert (result["compared_with"], result["images"]) == (["golden samples"], None)
        assert [check["name"] for check in result["checks"]][-2:] == ["golden tensors", "golden images"]

    def test_in_a_run_nothing_else_is_read(self, run, clf):
        shutil.rmtree(run.checkpoints)
        assert clf("validate-onnx", run.root, "--golden").code == 0
        change_contract(run.onnx, preprocess={"mean": [0.1, 0.1, 0.1]})
        done = clf("validate-onnx", run.root, "--golden")
        assert done.code == 1
        assert "another input of the golden images" in done.stderr
        shutil.rmtree(run.golden)
        done = clf("validate-onnx", run.root, "--golden")
        assert done.code == 4
        assert "no golden samples beside" in done.stderr
        assert "clf export" in done.stderr

    def test_alone_it_stands(self, made, clf):
        for more in (("--data", data_of(made)), ("--against", made.root)):
            done = clf("validate-onnx", made.onnx, "--golden", *more)
            assert done.code == 2
            assert "--golden" in done.stderr


class TestProvider:
    def test_the_cpu_is_proved(self, made, clf):
        arguments = ("--golden", "--provider", "cpu", "--json")
        provider = result_of(clf("validate-onnx", made.onnx, *arguments), 0)["result"]["provider"]
        assert (provider["asked"], provider["name"]) == ("cpu", "CPUExecutionProvider")
        assert set(provider["nodes"]) == {"CPUExecutionProvider"}
        assert provider["nodes"]["CPUExecutionProvider"] > 10

    def test_one_that_runs_no_node(self, made, clf):
        done = clf("validate-onnx", made.onnx, "--provider", "azure", "--json")
        result = result_of(done, 1)["result"]
        assert [check["name"] for check in result["checks"] if not check["passed"]] == ["provider"]
        assert result["provider"]["arithmetic_elsewhere"]["Conv"] > 5
        assert "AzureExecutionProvider ran no node" in done.stderr
        assert result["faults"] == []

    def test_one_that_is_not_there(self, made, clf):
        done = clf("validate-onnx", made.onnx, "--provider", "tensorrt")
        assert (done.code, done.stdout) == (5, "")
        assert "pip install onnxruntime-gpu" in done.stderr
        done = clf("validate-onnx", made.onnx, "--provider", "gpu")
        assert (done.code, done.stdout) == (2, "")
        assert "cuda, tensorrt, openvino" in done.stderr


class TestAlone:
    def test_golden_samples_travel_with_the_file(self, made, clf, tmp_path):
        shutil.copytree(made.export, tmp_path / "export")
        done = clf("validate-onnx", tmp_path / "export" / "model.onnx")
        assert done.code == 0
        assert "not compared with a checkpoint" in done.stdout
        result = result_of(clf("validate-onnx", tmp_path / "export" / "model.onnx", "--json"), 0)["result"]
        assert (result["compared_with"], result["images"]) == (["golden samples"], None)

    def test_score_on_the_same_data_and_without_torch(self, made, tmp_path):
        shutil.copy(made.onnx, tmp_path / "alone.onnx")
        arguments = ["validate-onnx", str(tmp_path / "alone.onnx"), "--data", str(data_of(made)), "--json"]
        code = f"import sys; from clf_cli.__main__ import main; sys.exit(main({arguments!r}) or 'torch' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)["result"]
        assert result["compared_with"] == ["score", "answers through clf"]
        assert result["images"]["parity"]["images"] == 12
        assert result["score"]["now"] == result["score"]["stored"]

    @pytest.mark.parametrize("changes", [{}, {"labels": ["green", "blue", "red"]}])
    def test_data_that_were_named_are_not_asked_for(self, made, clf, tmp_path, changes):
        shutil.copy(made.onnx, tmp_path / "alone.onnx")
        change_contract(tmp_path / "alone.onnx", score=None, **changes)
        done = clf("validate-onnx", tmp_path / "alone.onnx", "--data", data_of(made))
        assert done.code == 0
        assert "images from their files" in done.stdout
        assert "answers through clf" in done.stdout
        assert "--data" not in done.stdout + done.stderr

    def test_against_a_checkpoint(self, made, clf, tmp_path):
        shutil.copy(made.onnx, tmp_path / "alone.onnx")
        shutil.copy(made.best, tmp_path / "weights.pt")
        done = clf("validate-onnx", tmp_path / "alone.onnx", "--against", tmp_path / "weights.pt", "--json")
        result = result_of(done, 0)["result"]
        assert (result["compared_with"], result["images"]) == (["checkpoint"], None)
        against = ("--against", tmp_path / "weights.pt")
        done = clf("validate-onnx", tmp_path / "alone.onnx", *against, "--data", data_of(made), "--json")
        assert result_of(done, 0)["result"]["images"]["parity"]["images"] == 12

    def test_against_a_checkpoint_that_it_is_not_of(self, made, clf, tmp_path):
        shutil.copy(made.onnx, tmp_path / "alone.onnx")
        other = write_checkpoint(tmp_path / "other.ckpt", replace(FACTS, arch="test_vit"))
        done = clf("validate-onnx", tmp_path / "alone.onnx", "--against", other)
        assert done.code == 1
        assert "its labels differ" in done.stderr
        live = write_checkpoint(tmp_path / "live.ckpt", without_ema(FACTS))
        done = clf("validate-onnx", tmp_path / "alone.onnx", "--against", live)
        assert done.code == 4
        assert "moving average" in done.stderr

    def test_nothing_to_compare_with(self, clf, tmp_path):
        done = clf("validate-onnx", write_onnx_file(tmp_path / "alone.onnx"))
        assert done.code == 4
        assert "nothing to compare" in done.stderr
        assert "--against" in done.stderr


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "words"),
        [(None, "There is no file"), (b"", "not an ONNX file"), (b"\x08\x0a\x12", "bytes"), (b"PK\x03\x04", "bytes")],
    )
    def test_no_onnx(self, clf, tmp_path, content, words):
        if content is not None:
            (tmp_path / "model.onnx").write_bytes(content)
        done = clf("validate-onnx", tmp_path / "model.onnx")
        assert (done.code, done.stdout) == (4, "")
        assert words in done.stderr
        assert "model.onnx" in done.stderr

    def test_against_an_onnx_file(self, made, clf):
        done = clf("validate-onnx", made.onnx, "--against", made.onnx)
        assert done.code == 4
        assert "--against takes a run or a checkpoint" in done.stderr

    def test_no_such_data(self, made, clf, tmp_path):
        assert clf("validate-onnx", made.onnx, "--data", tmp_path / "nowhere").code == 3


def test_help_line():
    assert validate_onnx.__doc__ == "Compare an ONNX file with the checkpoint that it came from."
