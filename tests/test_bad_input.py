"""Bad input through the real command line: what is said, with which code, and that nothing is left behind.

Every refusal is one message with the thing, the place and the next step; never a traceback, never half a run.
"""

import csv
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clf_cli.values.run_dir import RunDir
from tests.running import COLORS, TINY_ARCH, draw_disc, draw_discs, train_arguments

BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion", "--epochs", "1")


@pytest.fixture
def data(tmp_path):
    """A small sound data set that a test may spoil."""
    return draw_discs(tmp_path / "data", {"train": 4, "val": 2, "test": 2})


@pytest.fixture
def refused(clf, tmp_path):
    """Runs a command that must say no: with this code and these words, on stderr only."""

    def run(code, arguments, *words):
        done = clf(*arguments)
        assert done.code == code, done.stdout + done.stderr
        assert done.stdout == ""
        return said(done.stderr, words)

    return run


def said(text, words):
    assert "Traceback" not in text
    assert "bug in clf" not in text
    for word in words:
        assert word in text, text
    return text


@pytest.fixture
def no_training(refused, tmp_path):
    """`clf train` refuses the data before the first step and leaves no run."""

    def run(data, code, *words, flags=()):
        text = refused(code, train_arguments(data, tmp_path / "runs", "run", *BARE, *flags), *words)
        assert "epoch 1" not in text
        assert not (tmp_path / "runs" / "run").exists()
        return text

    return run


@pytest.fixture
def no_inspection(clf):
    """`clf inspect-dataset` says no: 3 where there is nothing to show, 1 below the table of what there is."""

    def run(data, code, *words):
        done = clf("inspect-dataset", data)
        assert done.code == code, done.stderr
        assert bool(done.stdout) == (code == 1)
        said(done.stdout + done.stderr, words)

    return run


def write_rows(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))


def spoil(path, kind):
    whole = path.read_bytes()
    path.write_bytes({"corrupt": b"\x89PNG\r\n" + bytes(200), "truncated": whole[: len(whole) // 2], "zero": b""}[kind])


# Nothing to train on


class TestNoData:
    def test_no_data_named(self, refused, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        text = refused(2, ["train", "--arch", TINY_ARCH, "--no-pretrained"], "No data")
        for way in ("--data", "CLF_DATA__ROOT", "clf.toml"):
            assert way in text
        assert not (tmp_path / "runs").exists()

    def test_no_such_folder(self, no_training, no_inspection, tmp_path):
        no_training(tmp_path / "nowhere", 3, "No such folder", str(tmp_path / "nowhere"), "--data")
        no_inspection(tmp_path / "nowhere", 3, "No such folder", "nowhere")

    @pytest.mark.parametrize("folders", [(), ("train",), ("train/a", "train/b", "val/a")])
    def test_an_empty_folder(self, no_training, no_inspection, tmp_path, folders):
        (tmp_path / "data").mkdir()
        for name in folders:
            (tmp_path / "data" / name).mkdir(parents=True)
        no_training(tmp_path / "data", 3, "No images in", "data", "Expected")
        no_inspection(tmp_path / "data", 3, "No images in")

    def test_no_images_among_other_files(self, no_training, tmp_path):
        write_rows(tmp_path / "data" / "train" / "cat" / "notes.txt", "hello\n")
        no_training(tmp_path / "data", 3, "No images in")

    def test_a_file_that_is_no_manifest(self, no_training, no_inspection, tmp_path):
        write_rows(tmp_path / "data.txt", "hello\n")
        no_training(tmp_path / "data.txt", 3, "data.txt", "manifest", ".jsonl")
        no_inspection(tmp_path / "data.txt", 3, "manifest")

    def test_one_class(self, no_training, no_inspection, data):
        for name in ("green", "red"):
            for path in data.rglob(f"{name}/*.png"):
                path.unlink()
        no_training(data, 3, "only one class", "blue", "two classes")
        no_inspection(data, 1, "only one class")

    def test_images_beside_the_class_folders_only(self, no_training, tmp_path):
        (tmp_path / "data" / "train").mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(tmp_path / "data" / "train" / "a.png")
        no_training(tmp_path / "data", 3)

    def test_no_train_split(self, no_training, data):
        for path in (data / "train").rglob("*.png"):
            path.unlink()
        no_training(data, 3, "train")


class TestClasses:
    def test_a_class_without_images_is_said_and_is_no_class(self, clf, data, tmp_path):
        (data / "train" / "yellow").mkdir()
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE))
        assert done.code == 0, done.stderr
        assert "train/yellow: a class folder without images." in done.stderr
        assert json.loads(RunDir(tmp_path / "runs" / "run").labels_mapping.read_text())["num_classes"] == 3
        assert "yellow" in clf("inspect-dataset", data).stdout

    @pytest.mark.parametrize("split", ["val", "test"])
    def test_a_class_that_train_lacks(self, clf, no_training, no_inspection, data, tmp_path, split):
        (data / split / "yellow").mkdir()
        draw_disc((250, 250, 0), np.random.default_rng(9)).save(data / split / "yellow" / "0.png")
        no_training(data, 3, '"yellow" is not a class of train', f"1 in {split}", "--on-unknown-class skip")
        no_inspection(data, 1, "yellow")
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE, "--on-unknown-class", "skip"))
        assert done.code == 0, done.stderr
        kind = "metrics" if split == "val" else "metrics-test"
        counted = json.loads(RunDir(tmp_path / "runs" / "run").report(kind).read_text())["data"]
        assert (counted["images"], counted["skipped"]) == (6, 1)


# Images that cannot be read


class TestBadImages:
    @pytest.mark.parametrize("split", ["train", "val"])
    @pytest.mark.parametrize("kind", ["corrupt", "truncated", "zero"])
    def test_they_stop_training_before_it_starts(self, no_training, no_inspection, data, split, kind):
        spoil(data / split / "red" / "01.png", kind)
        reason = "empty file" if kind == "zero" else ""
        no_training(data, 3, f"{split}/red/01.png: {reason}", "--on-bad-image skip")
        no_inspection(data, 1, f"{split}/red/01.png")

    def test_all_are_listed_with_path_and_reason(self, no_training, data):
        bad = [("train/red/00.png", "zero"), ("train/blue/03.png", "truncated"), ("val/green/01.png", "corrupt")]
        for name, kind in bad:
            spoil(data / name, kind)
        text = no_training(data, 3, "3 problems")
        reasons = [line.partition(": ")[2] for name, _ in bad for line in text.splitlines() if name in line]
        assert len(reasons) == len(set(reasons)) == 3

    def test_skipping_counts_them_and_no_denominator_holds_them(self, clf, data, tmp_path):
        spoil(data / "train" / "red" / "00.png", "truncated")
        spoil(data / "train" / "blue" / "01.png", "zero")
        spoil(data / "val" / "red" / "00.png", "corrupt")
        spoil(data / "test" / "blue" / "00.png", "corrupt")
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE, "--on-bad-image", "skip"))
        assert done.code == 0, done.stderr
        assert "Left out: 4 images (2 in train, 1 in val, 1 in test)." in done.stderr
        run = RunDir(tmp_path / "runs" / "run")
        for kind, images, skipped in (("metrics", 5, 1), ("metrics-test", 5, 1)):
            document = json.loads(run.report(kind).read_text())
            assert (document["data"]["images"], document["data"]["skipped"]) == (images, skipped)
            assert sum(row["support"] for row in document["result"]["per_class"]) == images
        with run.metrics.open(newline="") as file:
            assert next(csv.DictReader(file))["images"] == "10"
        counted = json.loads(clf("confusion", run.root, "--json").stdout)
        assert (counted["data"]["images"], counted["data"]["skipped"]) == (5, 1)
        assert np.sum(counted["result"]["counts"]) == 5
        looked = json.loads(clf("inspect-dataset", data, "--on-bad-image", "skip", "--json").stdout)
        assert (looked["data"]["images"], looked["data"]["skipped"]) == (20, 4)

    def test_an_image_that_went_bad_after_training_stops_the_scoring(self, clf, tmp_path, data):
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE))
        assert done.code == 0, done.stderr
        spoil(data / "val" / "red" / "01.png", "truncated")
        run = tmp_path / "runs" / "run"
        done = clf("confusion", run)
        assert (done.code, done.stdout) == (3, "")
        said(done.stderr, ["val/red/01.png", "--on-bad-image skip"])
        done = clf("confusion", run, "--on-bad-image", "skip", "--json")
        assert json.loads(done.stdout)["data"]["skipped"] == 1

    def test_a_class_whose_only_images_are_bad(self, clf, data, tmp_path):
        (data / "train" / "yellow").mkdir()
        (data / "train" / "yellow" / "0.png").touch()
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE, "--on-bad-image", "skip"))
        assert done.code == 0, done.stderr
        assert 'class "yellow" has no image left in train' in done.stderr

    def test_not_one_image_that_can_be_read(self, no_training, tmp_path):
        for name in ("train/a/0.png", "train/b/0.png", "val/a/0.png"):
            (tmp_path / "data" / name).parent.mkdir(parents=True)
            (tmp_path / "data" / name).touch()
        for flags in ((), ("--on-bad-image", "skip")):
            no_training(tmp_path / "data", 3, "train/a/0.png: empty file", flags=flags)

    def test_a_val_split_of_bad_images_only(self, no_training, data):
        for path in (data / "val").rglob("*.png"):
            path.write_bytes(b"")
        no_training(data, 3, "no val images", "--no-val", flags=("--on-bad-image", "skip"))


# Manifests


@pytest.fixture
def manifest(data):
    """JSON lines beside the images, all of them sound."""
    rows = [
        {"image": f"{color}/{i:02d}.png", "label": color} for color in COLORS for i in range(4)
    ]  # fmt: skip
    for split in ("val", "test"):
        write_rows(
            data / split / "annotations.jsonl", *({**row} for row in rows if row["image"][-6:-4] in ("00", "01"))
        )
    write_rows(data / "train" / "annotations.jsonl", *rows)
    return data / "train" / "annotations.jsonl"


def append(manifest, *rows):
    text = manifest.read_text()
    write_rows(manifest, text, *rows)
    return text.count("\n") + 1


class TestManifests:
    def test_a_sound_one_trains(self, clf, manifest, data, tmp_path):
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE))
        assert done.code == 0, done.stderr

    def test_bad_lines_are_named_all_at_once(self, no_training, no_inspection, manifest, data):
        line = append(manifest, "{oops\n", "\n", '["a", "list"]\n', {"label": "red"}, {"image": "red/00.png"}, "\n")
        lines = [f"train/annotations.jsonl:{line + number}" for number in (0, 2, 3, 4)]
        no_training(data, 3, "4 problems", *lines, "not JSON", "not a JSON object", 'no "image"', 'no "label"')
        no_inspection(data, 1, *lines)

    def test_labels_that_are_no_strings(self, no_training, manifest, data):
        values = [1, 0.5, True, None, ["red"], {"a": 1}]
        line = append(manifest, *({"image": "red/00.png", "label": value} for value in values))
        text = no_training(data, 3, f"{len(values)} problems", "labels are strings")
        for number, word in enumerate(("a number (1)", "a number (0.5)", "a boolean", "null", "a list", "an object")):
            assert any(f"annotations.jsonl:{line + number}: " in row and word in row for row in text.splitlines()), word

    @pytest.mark.parametrize("path", ["../../outside.png", "/etc/passwd", "red/../../../outside.png"])
    def test_a_path_that_leaves_the_folder(self, no_training, no_inspection, manifest, data, tmp_path, path):
        Image.new("RGB", (9, 9)).save(tmp_path / "outside.png")
        line = append(manifest, {"image": path, "label": "red"})
        words = (f"train/annotations.jsonl:{line}", path, "leaves the data folder")
        no_training(data, 3, *words)
        no_training(data, 3, *words, flags=("--on-bad-image", "skip"))
        no_inspection(data, 1, *words)

    def test_a_link_that_leaves_the_folder(self, no_training, data, tmp_path):
        Image.new("RGB", (9, 9)).save(tmp_path / "outside.png")
        (data / "train" / "red" / "link.png").symlink_to(tmp_path / "outside.png")
        no_training(data, 3, "train/red/link.png", "links out of the data folder")

    def test_one_image_under_two_labels(self, clf, no_training, no_inspection, manifest, data, tmp_path):
        line = append(manifest, {"image": "red/00.png", "label": "blue"})
        words = ('"blue"', f"train/annotations.jsonl:{line}", '"red"', "train/annotations.jsonl:9")
        no_training(data, 3, *words, "--on-label-conflict")
        no_inspection(data, 1, *words)
        for policy, images in (("keep", "13"), ("drop", "11")):
            done = clf(*train_arguments(data, tmp_path / policy, "run", *BARE, "--on-label-conflict", policy))
            assert done.code == 0, done.stderr
            with RunDir(tmp_path / policy / "run").metrics.open(newline="") as file:
                assert next(csv.DictReader(file))["images"] == images

    def test_a_missing_image(self, no_training, manifest, data):
        line = append(manifest, {"image": "red/99.png", "label": "red"})
        no_training(data, 3, "train/red/99.png", "no such file", f"annotations.jsonl:{line}")

    def test_two_kinds_of_manifest_for_one_split(self, no_training, manifest, data):
        write_rows(data / "train.jsonl", {"image": "train/red/00.png", "label": "red"})
        no_training(data, 3, "train.jsonl: more than one source for the split train: also train")

    def test_a_csv_without_the_columns(self, no_training, no_inspection, tmp_path):
        write_rows(tmp_path / "all.csv", "file,class\na.png,x\n")
        no_training(tmp_path / "all.csv", 3, "all.csv:1", "image or path", "label")
        no_inspection(tmp_path / "all.csv", 3, "all.csv:1")

    def test_a_csv_with_a_row_too_short(self, no_training, data):
        write_rows(data / "all.csv", "path,label,split\ntrain/red/00.png,red,train\ntrain/red/01.png,red\n")
        no_training(data / "all.csv", 3, "all.csv:3", "2 values for 3 columns")


# Models


class Malicious:
    """Would touch a file if its pickle were loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class TestModels:
    def test_an_unknown_architecture(self, no_training, data):
        no_training(data, 2, "resnet180", "resnet18", flags=("--arch", "resnet180"))

    @pytest.mark.parametrize("command", ["train", "export", "confusion", "validate-onnx"])
    @pytest.mark.parametrize("kind", ["missing", "zero", "truncated", "image", "text", "evil", "evil-zip", "foreign"])
    def test_checkpoints_that_are_none(self, refused, data, tiny_run, tmp_path, command, kind):
        path, trace = tmp_path / "model.ckpt", tmp_path / "trace"
        if kind == "zero":
            path.touch()
        elif kind == "truncated":
            path.write_bytes(tiny_run.best.read_bytes()[:-5000])
        elif kind == "image":
            Image.new("RGB", (9, 9)).save(path, format="PNG")
        elif kind == "text":
            path.write_text("hello")
        elif kind == "evil":
            path.write_bytes(pickle.dumps(Malicious(trace), protocol=2))
        elif kind == "evil-zip":
            torch.save({"state_dict": {}, "hook": Malicious(trace)}, path)
        elif kind == "foreign":
            torch.save({"state_dict": {"fc.weight": torch.zeros(2, 2)}}, path)
        arguments = {
            "train": train_arguments(data, tmp_path / "runs", "run", *BARE, "--init-from", str(path)),
            "export": ["export", path],
            "confusion": ["confusion", path, "--data", data],
            "validate-onnx": ["validate-onnx", tiny_run.onnx, "--against", path],
        }[command]
        before = set(tmp_path.rglob("*"))
        text = refused(4, arguments, "model.ckpt")
        if kind.startswith("evil"):
            assert "refused" in text
        assert not trace.exists()
        assert {file for file in set(tmp_path.rglob("*")) - before if file.name != "runs"} == set()

    @pytest.mark.parametrize("kind", ["evil", "evil-zip", "truncated", "image"])
    def test_weights_that_are_none(self, no_training, data, tiny_run, tmp_path, kind):
        path, trace = tmp_path / "weights.pth", tmp_path / "trace"
        if kind == "evil":
            path.write_bytes(pickle.dumps(Malicious(trace), protocol=2))
        elif kind == "evil-zip":
            torch.save({"fc.weight": Malicious(trace)}, path)
        elif kind == "truncated":
            path.write_bytes(tiny_run.best.read_bytes()[:3000])
        else:
            Image.new("RGB", (9, 9)).save(path, format="PNG")
        no_training(data, 4, "weights.pth", flags=("--weights", str(path)))
        assert not trace.exists()

    def test_weights_of_another_architecture(self, no_training, data, tmp_path):
        torch.save({"conv9.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "other.pth")
        no_training(data, 4, "other.pth", flags=("--weights", str(tmp_path / "other.pth")))

    def test_a_checkpoint_of_another_architecture(self, no_training, data, tiny_run):
        flags = ("--init-from", str(tiny_run.best), "--arch", "test_efficientnet")
        no_training(data, 4, "best.ckpt", f"--arch {TINY_ARCH}", flags=flags)

    @pytest.mark.parametrize("kind", ["missing", "zero", "truncated", "text", "checkpoint"])
    def test_onnx_files_that_are_none(self, refused, data, tiny_run, tmp_path, kind):
        path = tmp_path / "model.onnx"
        content = {"zero": b"", "text": b"hello", "truncated": tiny_run.onnx.read_bytes()[:5000]}
        if kind in content:
            path.write_bytes(content[kind])
        if kind == "checkpoint":
            path.write_bytes(tiny_run.best.read_bytes())
        refused(4, ["validate-onnx", path, "--data", data], "model.onnx")
        if kind != "checkpoint":
            refused(4, ["confusion", path, "--data", data], "model.onnx")

    @pytest.mark.parametrize("command", ["export", "confusion", "validate-onnx"])
    def test_a_folder_that_is_no_run(self, refused, tmp_path, command):
        (tmp_path / "folder").mkdir()
        refused(4, [command, tmp_path / "folder"], "folder")

    def test_other_data_of_other_classes(self, clf, refused, data, tiny_run):
        (data / "val" / "red").rename(data / "val" / "pink")
        arguments = ["confusion", tiny_run.root, "--data", data]
        refused(3, arguments, '"pink" is not a class of the model', "--on-unknown-class skip")
        done = clf(*arguments, "--on-unknown-class", "skip", "--json")
        assert json.loads(done.stdout)["data"]["skipped"] == 2, "the hint can be followed"

    def test_published_weights_without_a_network(self, data, tmp_path):
        """The default of a new user without a network: a way out in seconds, not a minute of retries."""
        arguments = [a for a in train_arguments(data, tmp_path / "runs", "run", *BARE) if a != "--no-pretrained"]
        closed = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hub")}
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "clf_cli", *arguments],
            env={**os.environ, **closed}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 4, done.stderr
        assert time.monotonic() - began < 60, "imports included, on a busy machine"
        said(
            done.stderr, [TINY_ARCH, "model.safetensors", "--weights", "--no-pretrained", "127.0.0.1 cannot be reached"]
        )
        assert not (tmp_path / "runs" / "run").exists()


# Output


class TestOutput:
    @pytest.fixture
    def blocked(self, tmp_path):
        """A file in the folder's place: that stops root, too."""
        (tmp_path / "file").write_text("in the way")
        return tmp_path / "file"

    def test_train(self, refused, data, blocked):
        refused(6, train_arguments(data, blocked, "run", *BARE), f"Cannot write {blocked}", "--out")
        refused(6, train_arguments(data, blocked / "deeper", "run", *BARE), "Cannot write", "--out")
        assert blocked.read_text() == "in the way"

    def test_export(self, refused, tiny_run, blocked):
        refused(6, ["export", tiny_run.best, "-o", blocked / "model.onnx"], "Cannot write", str(blocked))

    def test_confusion(self, clf, tiny_run, blocked):
        done = clf("confusion", tiny_run.root, "--out", blocked / "deeper")
        assert done.code == 6, done.stderr
        said(done.stderr, ["Cannot write", str(blocked)])

    def test_synth(self, refused, blocked):
        refused(6, ["synth", "--out", blocked / "numbers", "--images", "60"], "Cannot write", str(blocked))

    def test_a_name_that_is_taken(self, refused, data, tmp_path):
        (tmp_path / "runs" / "run").mkdir(parents=True)
        refused(2, train_arguments(data, tmp_path / "runs", "run", *BARE), "run", "--name", "no run.json")
        assert list((tmp_path / "runs" / "run").iterdir()) == []

    def test_a_cache_that_cannot_be_written_is_a_line(self, clf, data, tmp_path, blocked, monkeypatch):
        monkeypatch.setenv("CLF_CACHE_DIR", str(blocked / "cache"))
        done = clf(*train_arguments(data, tmp_path / "runs", "run", *BARE))
        assert done.code == 0, done.stderr
        assert str(blocked) in done.stderr


def test_nothing_of_this_reads_like_a_bug():
    """The words that `said` looks for are the ones that a bug prints."""
    source = (Path(__file__).parents[1] / "clf_cli" / "__main__.py").read_text(encoding="utf-8")
    assert "bug in clf" in source
    assert "traceback.print_exc" in source
