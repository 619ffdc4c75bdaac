"""clf export: what it prints and where it writes, for a run and for a checkpoint under any name; and bad input."""

import json
import shutil

import pytest

from clf_cli.cli.commands.export import export
from clf_cli.engine.onnx_golden import read_golden
from clf_cli.models.onnx import read_contract
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import FACTS, without_ema, write_checkpoint, write_run
from tests.running import draw_discs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run and its data. Read-only: exports go into copies."""
    folder = tmp_path_factory.mktemp("export")
    data = draw_discs(folder / "discs", {"train": 2, "val": 4})
    return write_run(folder / "runs" / "discs", data)


@pytest.fixture
def run(made, tmp_path):
    return RunDir(shutil.copytree(made.root, tmp_path / "runs" / "my run"))


def test_a_run(run, clf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = clf("export", "runs/my run")
    assert (done.code, done.stdout) == (0, "runs/my run/export/model.onnx\n")
    assert "clf validate-onnx 'runs/my run/export/model.onnx'\n" in done.stderr
    assert "Warning" not in done.stderr
    assert sorted(path.name for path in run.export.iterdir()) == [
        "golden", "labels_mapping.json", "model.onnx", "validation.json",
    ]  # fmt: skip
    golden = read_golden(run.golden)
    assert {image.source.partition("/")[0] for image in golden.images} == {"val"}
    assert len(golden) == 8

    (tmp_path / "discs").mkdir()
    again = clf("export", run.best, "--no-ema", "--json")
    report = json.loads(again.stdout)
    assert report["kind"] == "onnx_export"
    assert report["model"] == {
        "path": "export/model-live.onnx", "arch": "test_efficientnet", "weights": "live", "run_id": "0123456789ab",
    }  # fmt: skip
    assert report["result"]["golden"] == 8
    assert read_contract(run.export / "model-live.onnx").weights == "live"
    assert read_contract(run.onnx).weights == "ema"


def test_a_checkpoint_of_any_name_without_a_run(clf, tmp_path, monkeypatch):
    monkeypatch.setenv("CLF_DATA__ROOT", str(tmp_path / "nowhere"))
    path = write_checkpoint(tmp_path / "ckpt.pt")
    done = clf("export", path, "--ema", "-o", tmp_path / "out" / "net.onnx", "--opset", "20", "--quiet")
    assert (done.code, done.stdout) == (0, f"{(tmp_path / 'out' / 'net.onnx').as_posix()}\n")
    assert done.stderr.startswith("Warning: ")
    assert "lies in no run, and no --data names images; so the file's score was not checked" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "net.labels_mapping.json", "net.onnx", "net.validation.json",
    ]  # fmt: skip


def test_no_golden_samples_is_said(run, clf, tmp_path):
    """The run's data are gone: the export goes on, with the images of an earlier one where there are any."""
    text = run.settings.read_text()
    run.settings.write_text(text.replace("discs", "gone"))
    done = clf("export", run.root)
    assert done.code == 0
    assert "gone" in done.stderr
    assert "No golden samples" in done.stderr
    assert not run.golden.exists()


class TestBadInput:
    def refused(self, done, code, *words):
        assert done.code == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        for word in words:
            assert word in done.stderr

    def test_no_such_file(self, clf, tmp_path):
        self.refused(clf("export", tmp_path / "best.ckpt"), 4, "best.ckpt")

    def test_truncated(self, clf, tmp_path):
        path = write_checkpoint(tmp_path / "ckpt.pt")
        path.write_bytes(path.read_bytes()[:5000])
        self.refused(clf("export", path), 4, "ckpt.pt", "5000 bytes")

    def test_an_image(self, clf, tmp_path):
        path = tmp_path / "ckpt.pt"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
        self.refused(clf("export", path), 4, "ckpt.pt", "PNG")

    def test_ema_of_a_checkpoint_without(self, clf, tmp_path):
        path = write_checkpoint(tmp_path / "ckpt.pt", without_ema(FACTS))
        self.refused(clf("export", path, "--ema"), 4, "--no-ema", "ckpt.pt")
        assert [file.name for file in tmp_path.iterdir()] == ["ckpt.pt"]

    def test_a_file_in_the_folders_place(self, clf, run, tmp_path):
        shutil.rmtree(run.export, ignore_errors=True)
        run.export.write_text("in the way")
        self.refused(clf("export", run.root), 6, "export", "Cannot write")
        assert run.export.read_text() == "in the way"

    def test_a_folder_as_output(self, clf, run, tmp_path):
        self.refused(clf("export", run.root, "-o", tmp_path), 2, "is a folder")

    def test_data_that_are_asked_for_must_be_there(self, clf, run, tmp_path):
        self.refused(clf("export", run.root, "--data", tmp_path / "nowhere"), 3, "nowhere")
        assert not run.onnx.exists()

    @pytest.mark.parametrize(("opset", "code"), [("16", 2), ("99", 5)])
    def test_opset(self, clf, run, opset, code):
        self.refused(clf("export", run.root, "--opset", opset), code, "opset", opset)
        assert not run.onnx.exists()


def test_help_line():
    assert export.__doc__ == "Write a checkpoint as an ONNX file and check it."
