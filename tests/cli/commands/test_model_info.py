"""clf model-info: architectures by name, runs, checkpoints and ONNX files."""

import json
from pathlib import Path

import pytest

from clf_cli.values.run_dir import RunDir
from tests.onnx_models import LABELS, write_checkpoint, write_onnx_file
from tests.running import TORCH, Clf, clf_without, mark


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def result_of(done):
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)["result"]


# Runs and checkpoints


def test_a_checkpoint_of_any_name_tells_the_same(clf: Clf, tiny_run: RunDir):
    copy = Path("copy.pt")
    copy.write_bytes(tiny_run.best.read_bytes())
    stored = json.loads(tiny_run.report("model_info").read_text())
    report = json.loads(clf("model-info", copy, "--json").stdout)
    assert report["result"] == stored["result"]
    assert report["model"] == {**stored["model"], "path": "copy.pt"}


def test_a_table_for_people(clf: Clf, tiny_run: RunDir):
    done = clf("model-info", tiny_run.root)
    assert done.code == 0, done.stderr
    for words in ("test_resnet", "3 × 32 × 32", "3: blue, green, red", "Conv2d"):
        assert words in done.stdout
    assert done.stderr == f"Reading {tiny_run.best}\n"
    layers = clf("model-info", tiny_run.root, "--layers").stdout
    assert "layer1.0.conv1" in layers
    assert "layer1.0.conv1" not in done.stdout


# Architectures


def test_an_architecture_by_name(clf: Clf):
    result = result_of(clf("model-info", "resnet18", "--json"))
    assert (result["parameters"], result["classes"], result["labels"]) == (11_689_512, 1000, None)
    assert result["multiply_adds"] == pytest.approx(1.82e9, rel=0.005)


def test_an_architecture_is_no_model_of_a_run(clf: Clf):
    report = json.loads(clf("model-info", "test_resnet", "--json").stdout)
    assert (report["kind"], report["model"], report["data"]) == ("model_info", None, None)


def test_size_and_preprocessing_are_those_that_training_would_take(clf: Clf):
    Path("clf.toml").write_text('[model]\nresize_mode = "letterbox"\nimage_size = 64\n')
    result = result_of(clf("model-info", "test_resnet", "--json"))
    assert (result["input"]["height"], result["preprocess"]["resize_mode"]) == (64, "letterbox")
    result = result_of(clf("model-info", "test_resnet", "--image-size", "96", "--json"))
    assert result["input"] == {"channels": 3, "height": 96, "width": 96}


def test_a_path_wins_over_an_architecture_of_its_name_and_says_so(clf: Clf):
    run = RunDir(Path("test_efficientnet"))
    write_checkpoint(run.best)
    mark(run)
    done = clf("model-info", "test_efficientnet", "--json")
    assert result_of(done)["labels"] == list(LABELS)
    assert "is taken as the path that is here" in done.stderr
    assert clf("model-info", "test_efficientnet", "--json", "-q").stderr == ""


# ONNX files


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--layers"]])
def test_an_onnx_file_needs_no_torch(tmp_path: Path, arguments: list[str]):
    write_onnx_file(tmp_path / "model.onnx")
    done = clf_without(TORCH, "model-info", "model.onnx", *arguments)
    assert done.code == 0, done.stderr
    for words in ("Gemm", "CPUExecutionProvider", "by-hand", "grün"):
        assert words in done.stdout


def test_a_runs_onnx_file(clf: Clf, tiny_run: RunDir):
    result = result_of(clf("model-info", tiny_run.onnx, "--json"))
    assert result["contract"] == json.loads(tiny_run.export_labels_mapping.read_text())["contract"]
    assert result["opsets"] == {"ai.onnx": 18}


def test_another_tools_file_says_that_it_has_no_contract(clf: Clf, tmp_path: Path):
    write_onnx_file(tmp_path / "other.onnx", metadata={"stride": "32"})
    done = clf("model-info", "other.onnx")
    assert done.code == 0
    assert "was not exported by clf" in done.stderr
    assert "stride" in done.stdout
    assert json.loads(clf("model-info", "other.onnx", "--json").stdout)["model"] is None


# Mistakes


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("resnt18", 2, "Did you mean resnet18"),
        ("zzzzzz", 2, "`clf models` lists architectures"),
        ("resnet18.no_such_tag", 2, "Published for resnet18: resnet18.a1_in1k"),
        ("nowhere/run", 4, "There is no nowhere/run"),
        ("resnet18.onnx", 4, "There is no resnet18.onnx"),
        ("notes.txt", 4, "is not a checkpoint"),
        ("empty", 4, "this folder is not a run"),
    ],
)
def test_what_is_neither(clf: Clf, name: str, code: int, words: str):
    Path("notes.txt").write_text("hello")
    Path("empty").mkdir()
    done = clf("model-info", name)
    assert (done.code, done.stdout) == (code, "")
    assert words in done.stderr


def test_near_names_come_with_the_newest_runs(clf: Clf):
    Path("runs/mine").mkdir(parents=True)
    mark(RunDir(Path("runs/mine")))
    for arguments in (["model-info", "resnt18"], ["model-info"], ["model-info", "runs/min"]):
        assert "The newest runs: runs/mine." in clf(*arguments).stderr


def test_a_size_that_does_not_fit(clf: Clf, tmp_path: Path, tiny_run: RunDir):
    assert "cannot" in clf("model-info", "vit_tiny_patch16_224", "--image-size", "8").stderr
    write_onnx_file(tmp_path / "model.onnx")
    for model in ("model.onnx", tiny_run.root):
        done = clf("model-info", model, "--image-size", "64")
        assert (done.code, done.stdout) == (2, "")
        assert "--image-size is for architectures" in done.stderr


def test_a_file_that_says_another_size_is_left_aside(clf: Clf, tiny_run: RunDir):
    Path("clf.toml").write_text("[model]\nimage_size = 64\n")
    done = clf("model-info", tiny_run.root, "--json")
    assert json.loads(done.stdout) == json.loads(tiny_run.report("model_info").read_text())
    assert "Not used: model.image_size = 64 (clf.toml). The model has 32." in done.stderr
