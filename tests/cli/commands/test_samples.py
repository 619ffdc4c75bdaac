import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.onnx_models import CONTRACT, linear, write_onnx_file
from tests.running import TORCH, draw_discs, program_without, report_of


@pytest.fixture
def other(tmp_path):
    """A model of two nodes that knows the classes in another order, and one more."""
    from dataclasses import replace

    from clf_cli.values.labels import Labels

    labels = Labels(("red", "violet", "green", "blue"))
    return write_onnx_file(tmp_path / "other.onnx", linear(4), replace(CONTRACT, labels=labels))


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_is_what_training_wrote_for_the_best_epoch(clf, run):
    written = json.loads(run.report("samples").read_text())
    assert report_of(clf("samples", run.root, "--json")) == written
    assert (written["kind"], written["result"]["chosen"]) == ("samples", "spread")
    assert len(written["result"]["samples"]) == 16
    picture = run.report("samples", ".png")
    with Image.open(picture) as image:
        image.verify()


def test_checkpoint_and_onnx_show_the_same_and_write_nothing(clf, run):
    expected = report_of(clf("samples", run.root, "--json"))["result"]["samples"]
    before = files_in(run.root)
    for file in (run.best, run.onnx):
        found = report_of(clf("samples", file, "--json"))["result"]["samples"]
        assert [(s["path"], s["predicted"]) for s in found] == [(s["path"], s["predicted"]) for s in expected]
        assert [s["loss"] for s in found] == pytest.approx([s["loss"] for s in expected], abs=1e-4)
    assert files_in(run.root) == before


def test_count_and_seed_choose_and_a_variable_does_not(clf, run, monkeypatch):
    def paths(*more):
        report = report_of(clf("samples", run.root, "--json", "-o", "x", *more))
        return [sample["path"] for sample in report["result"]["samples"]]

    expected = paths()
    assert set(paths("--count", "4")) < set(expected)
    assert len(paths("--count", "400")) == 24
    assert paths("--seed", "3") != expected
    monkeypatch.setenv("CLF_COMPUTE__SEED", "3")
    assert paths() == expected


def test_the_default_count_is_the_runs(clf, run):
    text = run.settings.read_text()
    run.settings.write_text(text.replace("sample_count = 16", "sample_count = 5"))
    assert len(report_of(clf("samples", run.root, "--json", "-o", "x"))["result"]["samples"]) == 5


def test_the_worst_have_the_highest_loss(clf, run):
    for suffix in (".json", ".png"):
        run.report("samples-worst", suffix).unlink(missing_ok=True)
    before = files_in(run.root)
    result = report_of(clf("samples", run.root, "--worst", "-n", "24", "--json"))["result"]
    losses = [sample["loss"] for sample in result["samples"]]
    assert result["chosen"] == "worst"
    assert losses == sorted(losses, reverse=True)
    metrics = json.loads(run.report("metrics").read_text())["result"]
    assert np.mean(losses) == pytest.approx(metrics["loss"])
    assert set(files_in(run.root)) - set(before) == {f"reports/samples-worst{suffix}" for suffix in (".json", ".png")}


def test_another_split_has_files_of_its_own(clf, run):
    before = run.report("samples").read_bytes()
    report = report_of(clf("samples", run.root, "--split", "test", "--json"))
    assert report["data"]["split"] == "test"
    assert json.loads(run.report("samples-test").read_text()) == report
    assert run.report("samples").read_bytes() == before


def test_the_table_and_where_the_picture_is(clf, run):
    finished = clf("samples", run.root, "-o", "new/folder")
    assert finished.code == 0
    assert "confidence" in finished.stdout
    assert "new/folder/samples.png" in finished.stderr.replace("\\", "/")
    assert sorted(path.name for path in Path("new/folder").iterdir()) == ["samples.json", "samples.png"]
    assert clf("samples", run.root, "-q").stderr == ""
    nowhere = clf("samples", run.best)
    assert "No picture was drawn: name a folder for it with --out DIR." in nowhere.stderr


class TestFlips:
    def test_a_model_of_other_classes(self, clf, run, other):
        report = report_of(clf("samples", run.root, "--flips", other, "--json", "-n", "24"))
        result = report["result"]
        assert report["kind"] == "flips"
        assert report["model"]["path"] == "checkpoints/best.ckpt"
        assert result["other"]["name"] == other.as_posix()
        assert len(result["samples"]) == result["flips"] > 0
        assert result["images"] == 24
        assert all(sample["predicted"] != sample["other_predicted"] for sample in result["samples"])
        assert all(sample["true"] in ("blue", "green", "red") for sample in result["samples"])
        back = report_of(clf("samples", other, "--flips", run.root, "--json", "-n", "24"))
        assert back["result"]["flips"] == result["flips"]
        assert back["result"]["only_model_right"] == result["only_other_right"]
        assert json.loads(run.report("samples-flips").read_text()) == report

    @pytest.mark.parametrize("same", ["runs/tiny", "runs/tiny/export/model.onnx"])
    def test_a_model_and_itself(self, clf, run, same):
        finished = clf("samples", run.root, "--flips", same)
        assert finished.code == 0
        assert "Both models predict the same for all of 24 images" in finished.stdout
        with Image.open(run.report("samples-flips", ".png")) as image:  # an older one would say something else
            image.verify()

    def test_a_model_that_lacks_a_class(self, clf, run, tmp_path):
        from dataclasses import replace

        from clf_cli.values.labels import Labels

        contract = replace(CONTRACT, labels=Labels(("red", "blue")))
        file = write_onnx_file(tmp_path / "two.onnx", linear(2), contract)
        finished = clf("samples", run.root, "--flips", file)
        assert finished.code == 3
        assert "green" in finished.stderr
        report = report_of(clf("samples", run.root, "--flips", file, "--on-unknown-class", "skip", "--json"))
        assert report["data"]["images"] == 16


class TestAugmented:
    def test_the_runs_own_settings_and_seed(self, clf, run):
        text = run.settings.read_text()
        run.settings.write_text(text.replace('preset = "basic"', 'preset = "ocr"').replace("\nseed = 0", "\nseed = 5"))
        report = report_of(clf("samples", run.root, "--augmented", "--json"))
        assert (report["kind"], report["data"]["split"], report["data"]["images"]) == ("augmented", "train", 60)
        result = report["result"]
        assert (result["preset"], result["seed"], len(result["images"])) == ("ocr", 5, 6)
        assert all(image["path"].startswith("train/") for image in result["images"])
        assert run.report("samples-augmented", ".png").is_file()

    def test_a_flag_changes_a_knob_and_augment_starts_anew(self, clf, run, monkeypatch):
        text = run.settings.read_text()
        run.settings.write_text(text.replace("# rotate is not set", "rotate = 7.0"))
        monkeypatch.setenv("CLF_AUGMENT__PRESET", "strong")

        def settings(*more):
            finished = clf("samples", run.root, "--augmented", "--json", "-o", "x", *more)
            return report_of(finished)["result"], finished.stderr

        own, said = settings("--blur", "0.5")
        assert (own["preset"], own["settings"]["rotate"], own["settings"]["blur"]) == ("basic", 7, 0.5)
        assert "Not used: augment.preset = strong (CLF_AUGMENT__PRESET). The model has basic." in said
        other, _ = settings("--augment", "ocr")
        assert (other["preset"], other["settings"]["rotate"]) == ("ocr", 10)

    def test_data_without_a_model(self, clf, tiny_dataset, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        where = ("--data", tiny_dataset, "--augment", "ocr", "--image-size", "32")
        report = report_of(clf("samples", "--augmented", *where, "-n", "2", "-o", "x", "--json"))
        assert report["model"] is None
        assert report["data"]["split"] == "train"
        assert len(report["result"]["images"]) == 2
        with Image.open("x/samples-augmented.png") as image:
            assert image.height == 2 * (45 + 26 + 4 + 2 * (104 + 6 + 14 + 14))
        assert "No picture was drawn" in clf("samples", "--augmented", *where).stderr

    def test_numbers_are_not_flipped_and_that_is_said(self, clf, tmp_path):
        folder = draw_discs(tmp_path / "d", {"train": 2, "val": 1})
        for split in ("train", "val"):
            for number, name in enumerate(("blue", "green", "red")):
                (folder / split / name).rename(folder / split / str(number))
        finished = clf("samples", "--augmented", "--data", folder, "--image-size", "32", "--json")
        assert report_of(finished)["result"]["settings"]["flip"] is False
        assert "No flips" in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "No model is named, and none is guessed. Expected a run folder or a file. The newest runs: runs/tiny."),
        (["--worst"], 2, "No model is named"),
        (["--augmented"], 2, "Neither a model nor data are named"),
        (["runs/tiny", "--worst", "--augmented"], 2, "--worst and --augmented exclude each other"),
        (["runs/tiny", "--flips", "runs/tiny", "--worst"], 2, "--worst and --flips exclude each other"),
        (["runs/tiny", "--count", "0"], 2, "--count"),
        (["runs/tiny", "--rotate", "5"], 2, "--rotate says how training images are changed"),
        (["runs/tiny", "--augmented", "--image-size", "64"], 2, "runs/tiny decides what --image-size says"),
        (["runs/tiny", "--augmented", "--split", "val"], 2, "--split val is never augmented"),
        (["runs/tiny", "--out", "file"], 2, "--out file is a file"),
        (["nowhere"], 4, "There is no nowhere"),
        (["runs/tiny", "--flips", "nowhere"], 4, "There is no nowhere"),
        (["file"], 4, "file"),
        (["alone.ckpt"], 2, "--data"),
        (["alone.ckpt", "--augmented"], 2, "--data"),
        (["runs/tiny", "--data", "gone"], 3, "gone"),
        (["runs/tiny", "--augmented", "--data", "empty"], 3, "empty"),
        (["--augmented", "--data", "gone"], 3, "gone"),
    ],
)
def test_wrong_input_is_named(clf, run, arguments, code, says):
    Path("file").write_text("x")
    Path("empty").mkdir()
    shutil.copy(run.best, "alone.ckpt")
    finished = clf("samples", *arguments)
    assert finished.code == code, finished.stderr
    assert says in " ".join(finished.stderr.replace("│", " ").split())
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr


def test_a_split_without_images_is_exit_3(clf, run):
    rows = [line for line in run.splits.read_text().splitlines() if not line.endswith(",test")]
    run.splits.write_text("\n".join(rows) + "\n")
    finished = clf("samples", run.root, "--split", "test")
    assert finished.code == 3
    assert "no images in the split test" in finished.stderr


@pytest.mark.parametrize("mode", [(), ("--worst",), ("--flips", "runs/tiny"), ("--augmented",)])
def test_one_image(clf, run, tmp_path, mode):
    draw_discs(tmp_path / "one", {"train": 1})
    for name in ("blue", "red"):
        shutil.rmtree(tmp_path / "one" / "train" / name)
    (tmp_path / "one" / "train" / "green").rename(tmp_path / "green")
    shutil.rmtree(tmp_path / "one")
    (tmp_path / "one").mkdir()
    (tmp_path / "green").rename(tmp_path / "one" / "green")
    finished = clf("samples", run.root, "--data", "one", "-o", "x", "--json", *mode)
    report = report_of(finished)
    assert (report["data"]["split"], report["data"]["images"]) == ("all", 1)
    assert len(list(Path("x").glob("*.png"))) == 1


def test_no_torch_is_imported_for_onnx_files(run, other):
    modes = [], ["--worst"], ["--flips", other.as_posix()], ["--augmented"]
    lines = [["samples", run.onnx.as_posix(), "-o", "x", *mode] for mode in modes]
    program = f"from clf_cli.__main__ import main; sys.exit(max(main(line) for line in {lines}))"
    command = program_without(TORCH, program)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(Path("x").glob("*.png"))) == 4
