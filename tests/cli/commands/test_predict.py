"""clf predict: the same answers from run, checkpoint and ONNX file, line by line, whatever the images are like."""

import csv
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.dataset import load_dataset
from clf_cli.engine.predict_split import predict_split
from clf_cli.models.classifier import open_classifier
from clf_cli.settings.sections import DataSection
from tests.onnx_models import CONTRACT, LABELS, linear, write_onnx_file
from tests.running import TORCH, command_without

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file names and pipes")


@pytest.fixture
def photos(tiny_dataset, tmp_path, monkeypatch):
    """Three readable images, and all that can be wrong with one."""
    monkeypatch.chdir(tmp_path)
    folder = Path("photos")
    folder.mkdir()
    for number, name in ((2, "blue"), (10, "green"), (1, "red")):
        shutil.copy(tiny_dataset / "val" / name / "00.png", folder / f"{number}.png")
    whole = (folder / "1.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no image")
    (folder / "folder.png").mkdir()
    return folder


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """A small ONNX file beside one image."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)).save("a.png")
    return write_onnx_file(Path("by_hand.onnx"))


def lines_of(finished, code=0):
    assert finished.code == code, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def start(*arguments, **keywords):
    """`clf` in a process that can import neither torch nor what draws."""
    command = command_without([*TORCH, "matplotlib", "pandas"], *arguments)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)


# The answers


def test_run_checkpoint_and_onnx_file_agree_with_what_is_scored(clf, tiny_run, tiny_dataset):
    dataset = load_dataset(DataSection(root=tiny_dataset), seed=0)
    scored = predict_split(open_classifier(tiny_run.best), dataset, "val")
    expected = dict(zip(scored.paths, scored.predicted.tolist(), strict=True))
    confidences = dict(zip(scored.paths, scored.confidences.tolist(), strict=True))
    for model in (tiny_run.root, tiny_run.best, tiny_run.onnx):
        lines = lines_of(clf("predict", model, tiny_dataset / "val", "-r"))
        paths = [Path(line["path"]).relative_to(tiny_dataset).as_posix() for line in lines]
        assert paths == sorted(expected)
        assert [line["index"] for line in lines] == [expected[path] for path in paths]
        assert [line["label"] for line in lines] == [scored.labels.names[expected[path]] for path in paths]
        assert [line["probability"] for line in lines] == pytest.approx([confidences[path] for path in paths], abs=1e-5)


def test_lines_hold_the_contract_and_follow_the_order_of_the_names(clf, tiny_run, photos):
    finished = clf("predict", tiny_run.root, "photos/10.png", "./photos/2.png", "photos/1.png", "photos/10.png")
    lines = lines_of(finished)
    assert [line["path"] for line in lines] == ["photos/10.png", "./photos/2.png", "photos/1.png", "photos/10.png"]
    assert lines[0] == lines[3]
    for line in lines:
        assert list(line) == ["path", "label", "index", "probability", "top", "error"]
        assert line["top"][0] == {"label": line["label"], "probability": line["probability"]}
        assert sum(one["probability"] for one in line["top"]) == pytest.approx(1)
    assert finished.stderr.splitlines()[-1].startswith("4 images · ")


def test_an_image_is_turned_as_its_exif_data_say(clf, tiny_run, photos):
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(photos / "1.png") as image:
        image.transpose(Image.Transpose.ROTATE_180).save("turned.png", exif=exif)
    plain, turned = lines_of(clf("predict", tiny_run.root, "photos/1.png", "turned.png"))
    assert turned == {**plain, "path": "turned.png"}


# Formats


def test_csv(clf, tiny_run, photos):
    finished = clf("predict", tiny_run.root, "photos/1.png", "gone.png", "--format", "csv", "--top", "2")
    assert finished.code == 3
    header, good, bad = csv.reader(io.StringIO(finished.stdout))
    assert header[:5] == ["path", "label", "index", "probability", "error"]
    assert header[5:] == ["top1_label", "top1_probability", "top2_label", "top2_probability"]
    assert good[1] == good[5] != good[7]
    assert good[3] == good[6]
    assert bad == ["gone.png", "", "", "", "no such file", "", "", "", ""]


def test_a_table_for_people(clf, tiny_run, photos, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    finished = clf("predict", tiny_run.root, "photos/1.png", "photos/2.png", "--format", "table")
    assert finished.code == 0
    assert "photos/1.png" in finished.stdout
    assert " %" in finished.stdout
    assert max(map(len, finished.stdout.splitlines())) <= 70


def test_json_is_one_document_of_the_same_lines(clf, tiny_run, photos):
    lines = lines_of(clf("predict", tiny_run.root, "photos"), code=3)
    finished = clf("predict", tiny_run.root, "photos", "--json")
    report = json.loads(finished.stdout)
    assert finished.code == 3
    assert (report["kind"], report["model"]["path"], report["data"]) == ("predictions", "checkpoints/best.ckpt", None)
    assert report["result"]["predictions"] == lines
    assert [report["result"][name] for name in ("images", "abstained", "unreadable")] == [7, 0, 4]


def test_quiet_leaves_warnings_and_errors_only(clf, tiny_run, photos):
    assert clf("predict", tiny_run.root, "photos/1.png", "--quiet").stderr == ""
    said = clf("predict", tiny_run.root, "photos/1.png", "gone.png", "--quiet").stderr
    assert said.splitlines()[0] == "Warning: gone.png: no such file"
    assert "1 of 2 images cannot be read" in said


# Images that are none


def test_it_goes_on_past_unreadable_images_and_ends_with_exit_3(clf, tiny_run, photos):
    finished = clf("predict", tiny_run.root, "photos")
    lines = lines_of(finished, code=3)
    assert [line["path"].removeprefix("photos/") for line in lines] == [
        "1.png", "2.png", "10.png", "cut.png", "empty.png", "folder.png", "text.png",
    ]  # fmt: skip
    for line in lines[3:]:
        assert {**line, "path": "", "error": ""} == {
            "path": "", "label": None, "index": None, "probability": None, "top": [], "error": "",
        }  # fmt: skip
        assert f"{line['path']}: {line['error']}" in finished.stderr
    assert [line["error"] for line in lines[4:]] == [
        "empty file (0 bytes)", "not a regular file", "not an image of a known format",
    ]  # fmt: skip
    assert all(line["error"] is None for line in lines[:3])
    assert "4 of 7 images cannot be read" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_skip_makes_them_no_failure(clf, tiny_run, photos, monkeypatch):
    loud = clf("predict", tiny_run.root, "photos")
    finished = clf("predict", tiny_run.root, "photos", "--on-bad-image", "skip")
    assert finished.code == 0
    assert finished.stdout == loud.stdout
    assert "4 unreadable" in finished.stderr
    monkeypatch.setenv("CLF_DATA__ON_BAD_IMAGE", "skip")
    assert clf("predict", tiny_run.root, "photos").code == 0


@posix
def test_names_of_any_characters(clf, tiny_run, photos):
    names = ["grün 🍎.png", "two\nlines.png", "-dash.png", 'qu"ote,.png']
    for name in names:
        shutil.copy(photos / "1.png", name)
    lines = lines_of(clf("predict", tiny_run.root, "--", *names))
    assert [line["path"] for line in lines] == names
    assert len({json.dumps({**line, "path": ""}) for line in lines}) == 1


# Abstaining


@pytest.fixture
def calibrated(by_hand):
    """The same model with a temperature; only `grün` may be answered, and only when it is quite sure."""
    thresholds = tuple(0.9 if name == "grün" else None for name in LABELS)
    write_onnx_file(Path("calibrated.onnx"), linear(), replace(CONTRACT, temperature=2.0, thresholds=thresholds))
    return Path("calibrated.onnx")


def test_a_calibrated_model_abstains(clf, by_hand, calibrated):
    (plain,) = lines_of(clf("predict", by_hand, "a.png"))
    finished = clf("predict", calibrated, "a.png")
    (line,) = lines_of(finished)
    assert (line["label"], line["index"], line["error"]) == (None, None, None)
    assert line["probability"] == line["top"][0]["probability"] < plain["probability"]
    assert [one["label"] for one in line["top"]] == [one["label"] for one in plain["top"]]
    assert "1 not sure enough" in finished.stderr
    assert lines_of(clf("predict", calibrated, "a.png", "--no-calibration")) == [plain]
    report = json.loads(clf("predict", calibrated, "a.png", "--json").stdout)["result"]
    assert (report["abstained"], report["calibrated"]) == (1, True)


# Streams


@posix
def test_lines_come_while_stdin_goes_on_and_torch_is_not_needed(by_hand):
    process = start("predict", by_hand, "-", "--quiet", stdin=subprocess.PIPE)
    try:
        for path in ("a.png", "./a.png"):
            process.stdin.write(f"{path}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["path"] == path  # stdin is still open
        rest, said = process.communicate(b"a.png\n" * 200, timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said.decode()
    assert len(rest.splitlines()) == 200
    assert said == b""


@posix
def test_a_reader_that_leaves_early_ends_it_quietly(by_hand):
    process = start("predict", by_hand, *["a.png"] * 1000, "--quiet")
    first = process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(timeout=60) == 141
    process.stderr.close()
    assert json.loads(first)["path"] == "a.png"
    assert said == b""


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "No model is named"),
        (("RUN",), 2, "No images are named. Name files and folders after MODEL"),
        (("RUN", "-", "-"), 2, "stdin can be read once"),
        (("RUN", "photos/1.png", "--null"), 2, "--null is about the paths on stdin"),
        (("RUN", "photos/1.png", "--json", "--format", "csv"), 2, "--json is one document"),
        (("RUN", "photos/1.png", "--format", "xml"), 2, "'xml'"),
        (("RUN", "photos/1.png", "--top", "0"), 2, "--top"),
        (("RUN", "photos/1.png", "--device", "cuda:9"), 2, "cuda:9"),
        (("RUN", "nowhere.png"), 3, "nothing to predict. nowhere.png: no such file"),
        (("RUN", "nowhere", "nor/here"), 3, "nor/here: no such file"),
        (("RUN", "bare"), 3, "bare: a folder without images"),
        (("RUN", "nested"), 3, "-r looks into the folders"),
        (("RUN", ""), 3, "an empty path"),
        (("nowhere", "photos/1.png"), 4, "There is no nowhere. Expected a run folder"),
        (("photos/1.png", "photos/2.png"), 4, "is not a checkpoint"),
        (("photos", "photos/2.png"), 4, "not a run"),
    ],
)
def test_mistakes_are_named_with_their_codes(clf, tiny_run, photos, arguments, code, says):
    Path("bare").mkdir()
    shutil.copytree(photos, Path("nested") / "photos")
    finished = clf("predict", *(tiny_run.root if name == "RUN" else name for name in arguments))
    assert finished.code == code, finished.stderr
    assert says in " ".join(finished.stderr.replace("│", " ").split())
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr


def test_a_model_without_labels_is_refused(clf, photos):
    write_onnx_file(Path("bare.onnx"), contract=None)
    finished = clf("predict", "bare.onnx", "photos/1.png")
    assert finished.code == 4
    assert "was not exported by clf" in finished.stderr


def test_what_the_model_decides_is_left_aside_and_said(clf, tiny_run, photos, monkeypatch):
    monkeypatch.setenv("CLF_MODEL__IMAGE_SIZE", "64")
    finished = clf("predict", tiny_run.root, "photos/1.png")
    assert finished.code == 0
    assert "Not used: model.image_size = 64" in finished.stderr


def test_it_writes_no_files(clf, tiny_run, photos):
    def files():
        return {path: path.stat().st_mtime_ns for path in (*Path().rglob("*"), *tiny_run.root.rglob("*"))}

    before = files()
    clf("predict", tiny_run.root, "photos")
    assert files() == before
