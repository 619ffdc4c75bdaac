"""The whole demo with a smaller recipe; its real size is held by its declaration and by the CI, which runs it."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clf_cli.__main__ import main
from clf_cli.settings.load import read_settings, resolve
from clf_cli.training import demo as training
from clf_cli.values.run_dir import RunDir

SPLITS = ("train", "valid", "test")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small(monkeypatch):
    """The recipe with fewer images, one epoch and a smaller network."""
    whole = training.demo_settings

    def smaller(out, asked):
        recipe = whole(out, asked)
        sections = recipe.settings
        less = {
            "synth": sections.synth.model_copy(update={"images": 120, "classes": 6}),
            "optim": sections.optim.model_copy(update={"epochs": 1}),
            "model": sections.model.model_copy(update={"arch": "test_resnet"}),
        }
        return replace(recipe, settings=sections.model_copy(update=less))

    monkeypatch.setattr(training, "demo_settings", smaller)


def recipe(**flags):
    return training.demo_settings(Path("clf-demo"), resolve("demo", {f"compute.{k}": v for k, v in flags.items()}))


def test_the_whole_demo_leaves_a_run_that_later_commands_take(small, clf):
    finished = clf("demo", "--seed", 5, "--threads", 1)
    assert finished.code == 0, finished.stderr
    assert finished.stdout == "clf-demo/run\n"
    run = RunDir(Path("clf-demo/run"))
    assert json.loads(run.run_json.read_text())["status"] == "finished"
    for name in (run.onnx, run.history, run.epoch(1) / "samples.png", run.epoch(1) / "confusion.png"):
        assert f"  {name.as_posix()}  " in finished.stderr
        assert name.stat().st_size > 1000
    steps = [line for line in finished.stderr.splitlines() if line.startswith("Step")]
    assert len(steps) == 3  # training and exporting are one
    assert "120 jersey numbers of 6 classes" in steps[0]
    counts = [len(Path("clf-demo/data", split, "annotations.jsonl").read_text().splitlines()) for split in SPLITS]
    assert sum(counts) == 120
    assert read_settings(run.settings).compute.seed == 5
    commands = [line for line in finished.stderr.splitlines() if line.startswith("  clf ")]
    assert len(commands) == 4
    for line in commands[:3]:
        assert clf(*shlex.split(line)[1:]).code == 0, line


def test_json_is_the_report_of_training_also_when_the_onnx_file_answers_differently(small, clf, monkeypatch):
    def strictly(run, settings, progress):
        strict = settings.validate_onnx.model_copy(update={"tolerance": 1e-12})
        return checked(run, settings.model_copy(update={"validate_onnx": strict}), progress)

    checked = training.checked
    monkeypatch.setattr(training, "checked", strictly)
    finished = clf("demo", "--out", "a b", "--json", "--quiet")
    assert finished.code == 1
    assert finished.stderr.replace("\\", "/").startswith("Error: a b/run/export/model.onnx: ")
    report = json.loads(finished.stdout)
    assert report == json.loads(RunDir(Path("a b/run")).report("train").read_text())
    assert report["result"]["run"] == "a b/run"
    assert report["result"]["epochs"] == 1
    assert 0 <= report["result"]["test"]["test/acc_top1"] <= 1


def test_the_recipe_is_small_and_needs_neither_network_nor_gpu():
    settings = recipe().settings
    assert settings.synth.images <= 3000
    assert settings.synth.classes <= 14
    assert settings.optim.epochs <= 15
    assert settings.model.image_size <= 48
    assert not settings.model.pretrained
    assert settings.model.weights is None
    assert settings.compute.device == "cpu"
    assert settings.compute.workers == 0
    assert settings.export.enabled
    assert settings.data.root.parent == settings.train.out == Path("clf-demo")


def test_seed_and_threads_are_asked_for_and_the_rest_is_the_recipes(monkeypatch):
    monkeypatch.setenv("CLF_COMPUTE__SEED", "3")
    monkeypatch.setenv("CLF_OPTIM__EPOCHS", "99")
    asked = recipe(threads=1)
    assert asked.origin["compute.seed"] == "CLF_COMPUTE__SEED"
    assert asked.origin["compute.threads"] == "command line"
    assert asked.origin["optim.epochs"] == training.SOURCE
    assert (asked.settings.compute.seed, asked.settings.compute.threads) == (3, 1)
    assert asked.settings.optim.epochs < 99
    assert "optim.batch_size" not in asked.origin  # a default of the program, not of the demo


def test_one_thread_unless_more_are_asked_for(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert recipe().settings.compute.threads == 1
    assert recipe(threads=2).settings.compute.threads == 2


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch], ids=["folder", "file"])
def test_what_exists_is_refused_before_anything_is_drawn(make, clf):
    make(Path("clf-demo"))
    finished = clf("demo")
    assert finished.code == 2
    assert "clf-demo exists already." in finished.stderr
    assert "--out" in finished.stderr
    assert finished.stdout == ""
    assert list(Path.cwd().rglob("*")) == [Path.cwd() / "clf-demo"]


def test_a_file_in_the_folders_place_is_exit_6(clf):
    Path("file").touch()
    finished = clf("demo", "--out", "file/demo")
    assert finished.code == 6
    assert "Cannot write" in finished.stderr
    assert "file" in finished.stderr
    assert [path.name for path in Path.cwd().iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="folders without write permission are a matter of POSIX")
def test_a_folder_that_cannot_be_written_is_exit_6(clf):
    locked = Path("locked")
    locked.mkdir(mode=0o500)
    try:
        (locked / "probe").touch()
    except PermissionError:
        assert clf("demo", "--out", "locked/demo").code == 6
    else:
        pytest.skip("this user may write everywhere")


def test_a_wrong_flag_names_itself(capsys):
    assert main(["demo", "--seed", "x"]) == 2
    assert "--seed" in capsys.readouterr().err
    assert list(Path.cwd().iterdir()) == []
