"""A model that cannot be used is one clear error with the same exit code in every command that takes one."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import write_onnx_file
from tests.running import Clf, mark, report_of

ON_A_SPLIT = ("evaluate", "confusion", "samples", "calibrate")
ON_A_MODEL = (*ON_A_SPLIT, "model-info")


@pytest.fixture
def run(tiny_run: RunDir, tmp_path: Path) -> RunDir:
    """A copy without what these tests do not read."""
    left_out = shutil.ignore_patterns("epochs", "last.ckpt", "top")
    shutil.copytree(tiny_run.root, tmp_path / "runs" / "tiny", ignore=left_out)
    return RunDir(tmp_path / "runs" / "tiny")


@pytest.mark.parametrize("command", ON_A_MODEL)
@pytest.mark.parametrize(
    ("status", "words"), [("running", "still training"), ("failed", "failed"), ("interrupted", "interrupted")]
)
def test_a_run_that_has_not_finished(clf: Clf, run: RunDir, command: str, status: str, words: str) -> None:
    mark(run, status)
    done = clf(command, run.root)
    assert done.code == 4
    assert words in done.stderr
    assert str(run.best) in done.stderr, "the checkpoint that may be named instead"
    assert not done.stdout


def test_its_checkpoint_may_be_named(clf: Clf, run: RunDir) -> None:
    mark(run, "running")
    assert clf("evaluate", run.best).code == 0


@pytest.mark.parametrize("command", ON_A_MODEL)
def test_a_run_of_a_newer_format(clf: Clf, run: RunDir, command: str) -> None:
    record = json.loads(run.run_json.read_text())
    run.run_json.write_text(json.dumps({**record, "format_version": 99, "clf": "9.9"}))
    for model in (run.root, run.onnx) if command in ON_A_SPLIT else (run.root,):
        done = clf(command, model)
        assert done.code == 4
        assert "9.9" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
def test_a_checkpoint_of_a_newer_format(clf: Clf, run: RunDir, command: str) -> None:
    content = torch.load(run.best, weights_only=True)
    content["clf"]["format_version"] = 99
    torch.save(content, run.best)
    done = clf(command, run.root)
    assert done.code == 4
    assert "format 99" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
def test_a_checkpoint_without_labels(clf: Clf, run: RunDir, command: str) -> None:
    path = run.root / "plain.pth"
    torch.save(torch.load(run.best, weights_only=True)["state_dict"], path)
    done = clf(command, path)
    assert done.code == 4
    assert "plain.pth" in done.stderr


# ONNX files

COMMANDS = {
    **{command: (command, "MODEL", "--data", "DATA") for command in ON_A_SPLIT},
    "predict": ("predict", "MODEL", "IMAGE"),
    "validate-onnx": ("validate-onnx", "MODEL", "--data", "DATA"),
    "compare": ("compare", "MODEL", "MODEL", "--data", "DATA"),
    "calibrate -o": ("calibrate", "MODEL", "--data", "DATA", "-o", "OUT"),
    "model-info": ("model-info", "MODEL"),
    "benchmark": ("benchmark", "MODEL"),
}
ON_A_CONTRACT = [command for command in COMMANDS if command not in ("model-info", "benchmark")]
Break = Callable[[bytes], bytes]


def edited(change: Callable[[onnx.ModelProto], object]) -> Break:
    def break_it(content: bytes) -> bytes:
        model = onnx.load_from_string(content)
        change(model)
        return model.SerializeToString()

    return break_it


def with_contract(**changes: object) -> Break:
    """Keys of the contract, with two underscores for a dot, changed."""

    def change(model: onnx.ModelProto) -> None:
        entry = next(entry for entry in model.metadata_props if entry.key == CONTRACT_KEY)
        contract = json.loads(entry.value)
        for key, value in changes.items():
            *path, last = key.split("__")
            (contract[path[0]] if path else contract)[last] = value
        entry.value = json.dumps(contract)

    return edited(change)


def move_weights(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[1]
    onnx.external_data_helper.set_external_data(tensor, location="../weights.bin")
    tensor.ClearField("raw_data")


def add_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("means", TensorProto.FLOAT, None))


def png() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 40, 40)).save(written, "PNG")
    return written.getvalue()


NO_ONNX: dict[str, tuple[Break, str]] = {
    "empty": (lambda content: b"", "(0 bytes)"),
    "half": (lambda content: content[: len(content) // 2], "cut short"),
    "cut in the metadata": (lambda content: content[:-100], "cut short"),
    "a picture": (lambda content: png(), "not an ONNX file"),
    "random bytes": (lambda content: np.random.default_rng(0).bytes(5000), "not an ONNX file"),
    "a pointer to it": (lambda content: b"version https://git-lfs.github.com/spec/v1\nsize 12\n", "not an ONNX file"),
}
NO_CONTRACT: dict[str, tuple[Break, str]] = {
    "another tool's": (
        edited(lambda model: model.ClearField("metadata_props")),
        "no clf.contract, so its labels and preprocessing are unknown",
    ),
    "of a later clf": (with_contract(version=2), "contract version 2, this clf reads version 1"),
    "no JSON": (lambda content: content.replace(b'{"version": 1,', b'["version": 1,'), "cannot be read"),
    "without EXIF": (with_contract(preprocess__exif=False), "preprocess.exif is False, not true"),
    "BGR": (with_contract(input__color="BGR"), "input.color is 'BGR', not 'RGB'"),
    "by another engine": (with_contract(preprocess__engine="opencv"), "preprocess.engine is 'opencv', not 'pillow'"),
    "a wrong type": (with_contract(preprocess__mean="0.5"), "preprocess.mean is '0.5', not three numbers"),
    "labels twice": (with_contract(labels=["a", "b", "c", "d", "a"]), "labels has 'a' more than once"),
    "too few labels": (with_contract(labels=["a", "b"]), "does not describe its graph"),
    "two outputs": (edited(add_output), "does not describe its graph"),
}
OUTSIDE: dict[str, tuple[Break, str]] = {
    "weights elsewhere": (edited(move_weights), "outside itself, in '../weights.bin'")
}


def refused(clf: Clf, folder: Path, data: Path, command: str, case: tuple[Break, str]) -> None:
    """Exit 4, the file's name and the reason on stderr, nothing on stdout, nothing written."""
    break_it, words = case
    (folder / "weights.bin").write_bytes(bytes(1000))
    model = write_onnx_file(folder / "shipped" / "model.onnx")
    model.write_bytes(break_it(model.read_bytes()))
    before = sorted(folder.rglob("*"))
    places = {"MODEL": model, "DATA": data, "IMAGE": next(data.rglob("*.png")), "OUT": folder / "copy.onnx"}
    done = clf(*(places.get(word, word) for word in COMMANDS[command]))
    assert done.code == 4, done.stderr
    assert not done.stdout
    assert words in " ".join(done.stderr.split())
    assert "model.onnx" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", NO_ONNX)
def test_what_is_no_onnx_file(clf: Clf, tmp_path: Path, tiny_dataset: Path, command: str, case: str) -> None:
    refused(clf, tmp_path, tiny_dataset, command, NO_ONNX[case])


@pytest.mark.parametrize("command", ON_A_CONTRACT)
@pytest.mark.parametrize("case", NO_CONTRACT)
def test_an_onnx_file_whose_contract_cannot_be_used(
    clf: Clf, tmp_path: Path, tiny_dataset: Path, command: str, case: str
) -> None:
    refused(clf, tmp_path, tiny_dataset, command, NO_CONTRACT[case])


@pytest.mark.parametrize("command", [*ON_A_CONTRACT, "benchmark"])
def test_an_onnx_file_with_weights_elsewhere(clf: Clf, tmp_path: Path, tiny_dataset: Path, command: str) -> None:
    refused(clf, tmp_path, tiny_dataset, command, OUTSIDE["weights elsewhere"])


@pytest.mark.parametrize("case", [*NO_CONTRACT, *OUTSIDE])
def test_model_info_tells_what_is_wrong_with_an_onnx_file(clf: Clf, tmp_path: Path, case: str) -> None:
    """It is there to look at such files."""
    break_it, words = {**NO_CONTRACT, **OUTSIDE}[case]
    model = write_onnx_file(tmp_path / "shipped" / "model.onnx")
    model.write_bytes(break_it(model.read_bytes()))
    report = report_of(clf("model-info", model, "--json"))
    assert words in " ".join(finding["reason"] for finding in report["findings"])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_called_like_an_onnx_file(clf: Clf, tmp_path: Path, tiny_dataset: Path, command: str) -> None:
    (tmp_path / "model.onnx").mkdir()
    places = {"MODEL": tmp_path / "model.onnx", "DATA": tiny_dataset, "IMAGE": next(tiny_dataset.rglob("*.png"))}
    done = clf(*(places.get(word, word) for word in COMMANDS[command] if word not in ("-o", "OUT")))
    assert done.code == 4
    assert "model.onnx" in done.stderr
    assert "folder" in done.stderr


# ONNX files of other tools

GIVEN = ("evaluate", "confusion", "predict", "validate-onnx")


@pytest.fixture
def foreign(tiny_run: RunDir, tmp_path: Path) -> dict[str, Path]:
    """The run's export as another tool would have made it, and what it lacks in files."""
    contract = json.loads(tiny_run.labels_mapping.read_text())["contract"]
    model = onnx.load(tiny_run.onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in contract["labels"]))
    values = {side: contract["input"][side] for side in ("height", "width")}
    for key in ("resize_mode", "interpolation", "crop_share", "mean", "std"):
        values[key] = contract["preprocess"][key]
    (tmp_path / "stages.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    return {"model": tmp_path / "foreign.onnx", "labels": tmp_path / "labels.txt", "stages": tmp_path / "stages.toml"}


def told(foreign: dict[str, Path]) -> tuple[object, ...]:
    return ("--labels", foreign["labels"], "--preprocess", foreign["stages"])


def test_a_foreign_onnx_file_answers_like_ours(
    clf: Clf, tiny_run: RunDir, tiny_dataset: Path, foreign: dict[str, Path]
) -> None:
    for command in ("evaluate", "confusion"):
        theirs = report_of(clf(command, foreign["model"], *told(foreign), "--data", tiny_dataset, "--json"))
        ours = report_of(clf(command, tiny_run.onnx, "--data", tiny_dataset, "--json"))
        assert theirs["result"] == ours["result"]
        assert "made by another tool: labels from" in theirs["findings"][0]["reason"]
    image = next((tiny_dataset / "val").rglob("*.png"))
    ours = clf("predict", tiny_run.onnx, image, "--no-calibration")
    theirs = clf("predict", foreign["model"], image, *told(foreign))
    assert theirs.stdout == ours.stdout
    assert "made by another tool" in " ".join(theirs.stderr.split()).lower()


def test_a_foreign_onnx_file_is_held_against_its_checkpoint(
    clf: Clf, tiny_run: RunDir, tiny_dataset: Path, foreign: dict[str, Path]
) -> None:
    against = ("--against", tiny_run.best, "--data", tiny_dataset)
    done = clf("validate-onnx", foreign["model"], *told(foreign), *against, "--json")
    report = report_of(done)
    assert report["result"]["passed"]
    assert report["result"]["reference"]["path"] == "checkpoints/best.ckpt"
    assert "made by another tool" in " ".join(done.stderr.split()).lower()
    foreign["labels"].write_text("\n".join(reversed(foreign["labels"].read_text().split())))
    report = report_of(clf("validate-onnx", foreign["model"], *told(foreign), *against, "--json"), code=1)
    assert not report["result"]["passed"]


@pytest.mark.parametrize("command", GIVEN)
def test_what_is_told_of_a_foreign_onnx_file_is_too_little(
    clf: Clf, tiny_dataset: Path, foreign: dict[str, Path], command: str
) -> None:
    rest = (next(tiny_dataset.rglob("*.png")),) if command == "predict" else ("--data", tiny_dataset)
    done = clf(command, foreign["model"], *rest, "--labels", foreign["labels"])
    assert done.code == 4
    assert "its preprocessing is unknown" in " ".join(done.stderr.split())
    foreign["stages"].write_text("height = 32\nwidth = 32\n")
    done = clf(command, foreign["model"], *rest, *told(foreign))
    assert done.code == 2
    assert "stages.toml lacks resize_mode, interpolation, crop_share, mean, std" in " ".join(done.stderr.split())
    assert not done.stdout


@pytest.mark.parametrize("command", GIVEN)
def test_a_model_that_knows_its_labels_takes_none(
    clf: Clf, tiny_run: RunDir, tiny_dataset: Path, foreign: dict[str, Path], command: str
) -> None:
    rest = (next(tiny_dataset.rglob("*.png")),) if command == "predict" else ()
    for model in (tiny_run.onnx,) if command == "validate-onnx" else (tiny_run.onnx, tiny_run.best):
        done = clf(command, model, *rest, "--labels", foreign["labels"])
        assert done.code == 2
        assert "--labels" in done.stderr


# Files of any kind


@pytest.mark.parametrize("command", ON_A_SPLIT)
@pytest.mark.parametrize("content", [b"", b"no model", np.arange(100).tobytes()])
def test_a_file_that_is_no_model(clf: Clf, tmp_path: Path, tiny_dataset: Path, command: str, content: bytes) -> None:
    for name in ("model.onnx", "model.ckpt"):
        (tmp_path / name).write_bytes(content)
        done = clf(command, tmp_path / name, "--data", tiny_dataset)
        assert done.code == 4
        assert name in done.stderr


@pytest.mark.parametrize("command", [*ON_A_SPLIT, "predict", "report"])
def test_no_model_is_guessed(clf: Clf, run: RunDir, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(run.root.parents[1])
    done = clf(command)
    assert done.code == 2
    assert "runs/tiny" in done.stderr


@pytest.mark.parametrize("command", ON_A_SPLIT)
@pytest.mark.parametrize("model", ["best.ckpt", "model.onnx"])
def test_a_file_outside_its_run_needs_data(clf: Clf, run: RunDir, tmp_path: Path, command: str, model: str) -> None:
    copy = shutil.copy(run.best if model == "best.ckpt" else run.onnx, tmp_path / model)
    done = clf(command, copy)
    assert done.code == 2
    assert "--data" in done.stderr
