"""The names in a run, what lies in one, and the runs that a message offers."""

import os
from pathlib import Path

import pytest

from clf_cli.values.run_dir import RunDir, newest_runs, run_of

NAMES = {
    "lock": ".lock",
    "run_json": "run.json",
    "settings": "settings.toml",
    "splits": "splits.csv",
    "metrics": "metrics.csv",
    "timing": "timing.csv",
    "log": "log.txt",
    "labels_mapping": "labels_mapping.json",
    "history": "history.png",
    "report_page": "report.html",
    "tracker": "tracker",
    "epochs": "epochs",
    "checkpoints": "checkpoints",
    "last": "checkpoints/last.ckpt",
    "previous": "checkpoints/prev.ckpt",
    "best": "checkpoints/best.ckpt",
    "top": "checkpoints/top",
    "export": "export",
    "onnx": "export/model.onnx",
    "export_labels_mapping": "export/labels_mapping.json",
    "golden": "export/golden",
    "validation": "export/validation.json",
}


def make_run(root):
    root.mkdir(parents=True)
    (root / "run.json").write_text("{}")
    return root


def test_the_names_of_version_1():
    """Scripts lean on them: changing one is a changelog line (docs/design.md)."""
    properties = {name for name, value in vars(RunDir).items() if isinstance(value, property)}
    assert properties == set(NAMES)
    run = RunDir(Path("r"))
    # each property by its own name
    found = {name: vars(RunDir)[name].fget(run).as_posix() for name in NAMES}
    assert found == {name: f"r/{path}" for name, path in NAMES.items()}


def test_names_with_numbers():
    run = RunDir(Path("r"))
    assert run.top_checkpoint(7, 0.93214).as_posix() == "r/checkpoints/top/epoch007-0.9321.ckpt"
    assert run.step_checkpoint(42).as_posix() == "r/checkpoints/step-00000042.ckpt"
    assert run.epoch(12).as_posix() == "r/epochs/012"
    assert run.report("confusion").as_posix() == "r/reports/confusion.json"
    assert run.report("confusion", ".png").as_posix() == "r/reports/confusion.png"
    assert run.onnx_variant("-live").as_posix() == "r/export/model-live.onnx"


def test_relative_is_posix_and_never_leaves_the_run(tmp_path, monkeypatch):
    run = RunDir(make_run(tmp_path / "r"))
    assert run.relative(run.best) == "checkpoints/best.ckpt"
    monkeypatch.chdir(tmp_path)
    assert RunDir(Path("r")).relative(tmp_path / "r" / "export" / "model.onnx") == "export/model.onnx"
    with pytest.raises(ValueError, match="subpath"):
        run.relative(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "inside", ["", "checkpoints", "checkpoints/best.ckpt", "checkpoints/top/a.ckpt", "export/x.onnx"]
)
def test_a_file_knows_its_run(tmp_path, inside):
    root = make_run(tmp_path / "r")
    found = run_of(root / inside)
    assert found is not None
    assert found.root.resolve() == root.resolve()


def test_a_relative_path_and_a_link_know_their_run(tmp_path, monkeypatch):
    root = make_run(tmp_path / "r")
    (root / "checkpoints").mkdir()
    (root / "checkpoints" / "best.ckpt").touch()
    monkeypatch.chdir(root / "checkpoints")
    found = run_of(Path("best.ckpt"))
    assert found is not None
    assert found.root.resolve() == root.resolve()
    link = tmp_path / "link.ckpt"
    link.symlink_to(root / "checkpoints" / "best.ckpt")
    found = run_of(link)
    assert found is not None
    assert found.root.resolve() == root.resolve()


def test_the_nearest_run_counts_and_no_far_one(tmp_path):
    outer = make_run(tmp_path / "outer")
    inner = make_run(outer / "inner")
    found = run_of(inner / "checkpoints" / "best.ckpt")
    assert found is not None
    assert found.root == inner
    assert run_of(tmp_path / "file.ckpt") is None
    assert run_of(outer / "a" / "b" / "c" / "d.ckpt") is None, "four folders up is no longer in the run"


def test_the_newest_runs_come_first_and_are_few(tmp_path):
    assert "clf train" in newest_runs(tmp_path / "nowhere")
    for number in range(7):
        os.utime(make_run(tmp_path / f"run{number}") / "run.json", (1e9 + number, 1e9 + number))
    (tmp_path / "no-run").mkdir()
    sentence = newest_runs(tmp_path)
    named = [part.rsplit("/", 1)[1].rstrip(".") for part in sentence.split(", ")]
    assert named == ["run6", "run5", "run4", "run3", "run2"]
