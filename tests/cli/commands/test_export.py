"""clf export: what it prints and where it writes, for a run and for a checkpoint under any name; and bad input."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from clf_cli.cli.commands.export import export
from clf_cli.engine.onnx_golden import read_golden
from clf_cli.models.checkpoint import read_checkpoint
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
    stored = read_checkpoint(run.best).score
    said = f"It scores val/acc_top1 {100 * stored.value:.1f} %, the stored score (12 images, 0 ties)."
    assert said in done.stderr
    assert read_contract(run.onnx).score == replace(stored, rescored=True)
    checked = json.loads(run.validation.read_text())
    assert checked["data"]["images"] == 12
    assert checked["result"]["score"]["now"] == stored.value
    assert checked["result"]["golden"]["from_images"]["images"] == 8
    assert sorted(path.name for path in run.export.iterdir()) == [
        "golden", "labels_mapping.json", "model.onnx", "validation.json",
    ]  # fmt: skip
    golden = read_golden(run.golden)
    assert {image.source.partition("/")[0] for image in golden.images} == {"val"}
    assert len(golden) == 8

    (tmp_path / "discs").mkdir()
    again = clf("export", run.best, "--no-ema", "--json")
    assert "never validated" not in again.stderr, "they get a score"
    assert "; these weights had no score before." in again.stderr
    report = json.loads(again.stdout)
    assert report["kind"] == "onnx_export"
    assert report["model"] == {
        "path": "export/model-live.onnx", "arch": "test_efficientnet", "weights": "live", "run_id": "0123456789ab",
    }  # fmt: skip
    assert report["result"]["golden"] == 8
    score = read_contract(run.export / "model-live.onnx").score
    assert (score.weights, score.metric, score.rescored) == ("live", "val/acc_top1", True)
    assert report["result"]["score"] == {
        "metric": "val/acc_top1", "split": "val", "value": score.value, "stored": None, "torch": score.value,
        "compared_with": "torch", "images": 12, "ties": 0, "rescored": True,
    }  # fmt: skip
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


def rewritten(run, change):
    """The run's best checkpoint with something else inside."""
    data = torch.load(run.best, weights_only=True)
    change(data)
    torch.save(data, run.best)


class TestAScoreThatIsNotProved:
    """Nothing is published that is not the model that scored; where that cannot be known, it is said."""

    def published_before(self, run):
        for path, text in ((run.onnx, "old"), (run.validation, "old too")):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return sorted(run.export.iterdir())

    def refused(self, clf, run, *words):
        files = self.published_before(run)
        done = clf("export", run.root)
        assert done.code == 5, done.stderr
        assert done.stdout == ""
        for word in words:
            assert word in done.stderr
        assert sorted(run.export.iterdir()) == files
        assert [path.read_text() for path in (run.onnx, run.validation)] == ["old", "old too"]

    def test_a_score_that_was_edited(self, clf, run):
        def lie(data):
            data["clf"]["score"]["value"] += 0.25

        rewritten(run, lie)
        self.refused(clf, run, "but its weights score", "Nothing was published", "clf evaluate")

    def test_weights_that_were_swapped(self, clf, run):
        loss = json.loads(clf("evaluate", run.root, "--json").stdout)["result"]["loss"]

        def swap(data):
            data["clf"]["score"] |= {"metric": "val/loss", "value": loss}
            data["state_dict"], data["current_model_state"] = data["current_model_state"], data["state_dict"]

        rewritten(run, swap)
        self.refused(clf, run, "but its weights score", "Nothing was published")

    def test_data_that_are_gone(self, run, clf):
        """No earlier golden samples either."""
        run.settings.write_text(run.settings.read_text().replace("discs", "gone"))
        refused = clf("export", run.root, "--require-rescore")
        assert (refused.code, refused.stdout, run.onnx.exists()) == (3, "", False)
        assert "gone" in refused.stderr
        assert "--data DIR" in refused.stderr
        done = clf("export", run.root, "--quiet", "--json")
        assert done.code == 0
        assert done.stderr.startswith("Warning: The data that the run was trained on are gone")
        assert done.stderr.endswith(
            "so the file's score was not checked, and its contract says score.rescored false.\n"
        )
        score = read_contract(run.onnx).score
        assert score == replace(read_checkpoint(run.best).score, rescored=False)
        result = json.loads(done.stdout)["result"]
        assert (result["score"], result["golden"]) == (None, 0)
        assert "are gone" in result["unscored"]
        assert not run.golden.exists()

    def test_one_image_that_is_missing(self, run, clf, tmp_path, made):
        data = shutil.copytree(made.root.parents[1] / "discs", tmp_path / "discs")
        run.settings.write_text(run.settings.read_text().replace(str(made.root.parents[1]), str(tmp_path)))
        lost = next((data / "val" / "red").iterdir())
        lost.unlink()
        assert clf("export", run.root, "--require-rescore").code == 3
        done = clf("export", run.root)
        assert done.code == 0
        assert "so the file's score was not checked" in done.stderr
        assert read_contract(run.onnx).score.rescored is False

    def test_other_data(self, run, clf, tmp_path):
        other = draw_discs(tmp_path / "others", {"train": 1, "val": 2}, seed=9)
        refused = clf("export", run.root, "--data", other, "--require-rescore")
        assert refused.code == 3
        assert "are not those that the checkpoint was validated on" in refused.stderr
        done = clf("export", run.root, "--data", other, "--json")
        assert done.code == 0
        assert "as torch does (6 images" in done.stderr
        assert "its contract says score.rescored false" in done.stderr
        result = json.loads(done.stdout)["result"]["score"]
        assert (result["images"], result["compared_with"], result["rescored"]) == (6, "torch", False)
        assert read_contract(run.onnx).score == read_checkpoint(run.best).score


def test_training_ships_the_model_that_scored(tiny_run):
    """In every run; what was seen in training is compared image by image."""
    score = read_contract(tiny_run.onnx).score
    assert score == replace(read_checkpoint(tiny_run.best).score, rescored=True)
    assert json.loads(tiny_run.export_labels_mapping.read_text())["contract"]["score"]["rescored"] is True


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

    def test_data_that_are_asked_for_and_not_there(self, clf, run, tmp_path):
        """The file is made, its score is not proved, and both are said; --require-rescore does not accept that."""
        asked = ("export", run.root, "--data", tmp_path / "nowhere")
        self.refused(clf(*asked, "--require-rescore"), 3, "nowhere")
        assert not run.onnx.exists()
        done = clf(*asked)
        assert done.code == 0
        assert "nowhere" in done.stderr
        assert "score.rescored false" in done.stderr
        score = read_contract(run.onnx).score
        assert score is not None
        assert not score.rescored

    @pytest.mark.parametrize("opset", ["16", "99"])
    def test_opset(self, clf, run, opset):
        self.refused(clf("export", run.root, "--opset", opset), 2, "pset", opset)
        assert not run.onnx.exists()


def test_help_line():
    assert export.__doc__ == "Write a checkpoint as an ONNX file and check it."
