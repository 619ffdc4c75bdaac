"""What stands in examples/ is true: settings exist, commands and flags are spelled as the program spells them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from clf_cli.__main__ import main
from clf_cli.settings.load import read_settings, resolve
from tests.running import draw_discs

EXAMPLES = Path(__file__).parents[1] / "examples"
SETTINGS = EXAMPLES / "clf.toml"
SCRIPT = EXAMPLES / "quickstart.sh"


def test_the_settings_file_is_read_by_train_and_synth():
    for command in ("train", "synth"):
        resolved = resolve(command, {}, SETTINGS)
        assert resolved.settings.augment.preset == "ocr"
        assert not resolved.given("augment.preset")


def test_each_commented_setting_is_one_that_exists_too(tmp_path):
    text = SETTINGS.read_text(encoding="utf-8")
    opened = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)
    assert sum(map(len, tomllib.loads(opened).values())) > sum(map(len, tomllib.loads(text).values()))
    (tmp_path / "all.toml").write_text(opened, encoding="utf-8")
    assert read_settings(tmp_path / "all.toml").optim.balance == "sampler"


def quickstart() -> list[list[str]]:
    joined = SCRIPT.read_text(encoding="utf-8").replace("\\\n", " ").replace("$here", str(EXAMPLES))
    lines = [
        shlex.split(line) for line in joined.replace("$work", "quickstart").splitlines() if line.startswith("clf ")
    ]
    return [arguments[1:] for arguments in lines]


@pytest.mark.parametrize("arguments", quickstart(), ids=lambda arguments: arguments[0])
def test_every_command_of_the_quickstart_takes_its_flags(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--print-config"]) == 0
    assert "[" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_quickstart_is_a_script_that_a_shell_can_read():
    assert SCRIPT.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", SCRIPT], check=False).returncode == 0


def test_the_contact_sheet_shows_the_images_it_is_given(tmp_path):
    assert main(["synth", "--out", str(tmp_path / "set"), "--images", "16", "--classes", "2", "--quiet"]) == 0
    sheet = tmp_path / "sheet.png"
    command = [sys.executable, EXAMPLES / "contact_sheet.py", tmp_path / "set" / "train", sheet, "4", "2"]
    assert subprocess.run(command, check=False).returncode == 0
    assert sheet.stat().st_size > 1000


def test_the_prediction_script_puts_the_least_sure_first(tiny_run, tiny_dataset, tmp_path):
    images = sorted((tiny_dataset / "val").rglob("*.png"))
    command = [sys.executable, EXAMPLES / "predict.py", tiny_run.onnx, *images, tmp_path / "gone.png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    probabilities = [float(line.split()[0]) for line in done.stdout.splitlines()]
    assert len(probabilities) == len(images)
    assert probabilities == sorted(probabilities)
    missing = subprocess.run([*command[:2], "nowhere", "x"], capture_output=True, text=True, timeout=60, check=False)
    assert missing.returncode == 1
    assert "There is no nowhere" in missing.stderr


GATE = EXAMPLES / "gate.sh"


def gate(folder, *arguments):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", GATE, *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def shipped(tiny_run, tmp_path_factory):
    """The ONNX file outside its run, as a repository of models holds it."""
    return Path(shutil.copy(tiny_run.onnx, tmp_path_factory.mktemp("production") / "model.onnx"))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_gate_lets_an_equal_model_through(shipped, tiny_dataset, tmp_path):
    done = gate(tmp_path, tiny_dataset, shipped, shipped)
    assert done.returncode == 0, done.stderr
    kinds = [json.loads(file.read_text())["kind"] for file in sorted((tmp_path / "gate").iterdir())]
    assert kinds == ["compare", "dataset", "onnx_check"]
    assert "top-1" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_gate_stops_at_data_that_are_wrong(shipped, tmp_path):
    data = draw_discs(tmp_path / "discs", {"train": 3, "val": 2})
    (data / "val" / "red" / "00.png").write_bytes(b"no image")
    done = gate(tmp_path, data, shipped)
    assert done.returncode == 1
    assert "00.png" in (tmp_path / "gate" / "dataset.json").read_text()
    assert not (tmp_path / "gate" / "validation.json").exists()


def test_the_ci_job_runs_the_gate():
    assert "gate.sh" in (EXAMPLES / "gate.yml").read_text()
