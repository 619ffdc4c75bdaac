"""`from clf_cli import load_model`: what `clf predict` says, in Python, for people who type-check."""

import itertools
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import get_overloads

import numpy as np
import pytest
from PIL import Image

import clf_cli
from clf_cli import ClfError, Model, Prediction, load_model
from clf_cli.errors import DataError, ModelError, UsageError
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, LABELS, linear, write_onnx_file
from tests.running import TORCH, mark, program_without


@pytest.fixture
def model(tmp_path) -> Model:
    return load_model(write_onnx_file(tmp_path / "by_hand.onnx"))


def picture(seed=0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8))


# The same as the command


def test_run_checkpoint_and_onnx_file_say_what_the_command_says(clf, tiny_run, tiny_dataset):
    paths = sorted((tiny_dataset / "test").rglob("*.png"))
    for path in (tiny_run.root, tiny_run.best, str(tiny_run.onnx)):
        lines = [json.loads(line) for line in clf("predict", path, *paths).stdout.splitlines()]
        predictions = load_model(path).predict(paths)
        assert [one.to_json() for one in predictions] == lines
        assert all(one.logits.shape == (3,) and one.logits.dtype == np.float32 for one in predictions)


def test_it_knows_what_the_model_is(tiny_run):
    run, file = load_model(tiny_run.root), load_model(tiny_run.onnx)
    assert run.labels == file.labels == ("blue", "green", "red")
    assert run.preprocess == file.preprocess
    assert isinstance(run.preprocess, Preprocess)
    assert (run.preprocess.height, run.arch, run.weights) == (32, "test_resnet", "ema")
    assert run.score is not None
    assert replace(run.score, rescored=True) == file.score
    assert (run.path, file.path) == (tiny_run.best, tiny_run.onnx)
    assert repr(file) == f"Model(path={str(tiny_run.onnx)!r}, arch='test_resnet', classes=3)"


def test_either_set_of_weights(tiny_run, tiny_dataset):
    image = tiny_dataset / "val" / "red" / "00.png"
    default, average, live = (load_model(tiny_run.best, ema=ema) for ema in (None, True, False))
    assert (average.weights, live.weights) == ("ema", "live")
    assert default.predict(image) == average.predict(image) != live.predict(image)


# Images


def test_paths_images_and_arrays_are_the_same_image(model, tmp_path):
    path = tmp_path / "a.png"
    picture().save(path)
    from_path = model.predict(path)
    assert from_path.path == str(path)
    assert from_path.index == LABELS.indices[from_path.label]
    for same in (picture(), np.asarray(picture()), np.asarray(picture())[::-1][::-1], Image.open(path)):
        assert replace(model.predict(same), path=str(path)) == from_path
    assert model.predict(str(path)) == from_path


def test_an_image_that_is_open_is_turned_as_its_file_would_be(model, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    picture().convert("RGBA").save(path, exif=exif)
    with Image.open(path) as opened:
        assert model.predict(opened).top == model.predict(path).top


def test_one_image_gives_one_a_collection_a_list_an_iterator_an_iterator(model):
    pictures = [picture(seed) for seed in range(3)]
    one = model.predict(pictures[0])
    assert isinstance(one, Prediction)
    assert model.predict(pictures)[0] == one
    assert model.predict(tuple(pictures)) == model.predict(pictures)
    assert model.predict([]) == []
    lazily = model.predict(iter(pictures))
    assert next(lazily) == one
    assert list(lazily) == model.predict(pictures)[1:]


def test_an_iterator_is_read_two_batches_ahead_at_most(model):
    given = itertools.count()
    predictions = model.predict(picture(0) for _ in given)
    for _ in range(3):
        next(predictions)
    assert next(given) <= 128
    predictions.close()


def test_pixels_are_taken_when_the_iterator_gives_them(model):
    """A camera that fills one buffer again and again is no problem."""
    buffer = np.zeros((9, 7, 3), np.uint8)

    def frames():
        for seed in range(3):
            buffer[:] = np.asarray(picture(seed))
            yield buffer

    found = [one.top for one in model.predict(frames())]
    assert found == [model.predict(picture(seed)).top for seed in range(3)]


def test_top_counts_candidates(model):
    assert len(model.predict(picture(), top=2).top) == 2
    assert len(model.predict(picture(), top=99).top) == len(LABELS)
    with pytest.raises(UsageError, match="top is 0"):
        model.predict(picture(), top=0)


# What is wrong


def test_an_unreadable_image_is_an_error_or_a_prediction_that_says_so(model, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    names = [tmp_path / "gone.png", tmp_path / "text.png"]
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        model.predict(names)
    found = model.predict([*names, picture()], on_bad_image="skip")
    assert [one.error for one in found] == ["no such file", "not an image of a known format", None]
    assert model.predict(names[0], on_bad_image="skip").label is None
    with pytest.raises(DataError, match="range"):
        model.predict(Image.new("F", (4, 4)))


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (5, "type int is no image"),
        ([5], "type int is no image"),
        ([None], "type NoneType is no image"),
        (np.zeros((4, 4, 3)), "An array of float64"),
        (np.zeros((2, 4, 4, 3), np.uint8), "of several, pass a list"),
        (np.zeros((4, 4), np.uint8), "height x width x 3"),
        (np.zeros((0, 4, 3), np.uint8), "no image"),
    ],
)
def test_what_is_no_image_is_a_usage_error(model, image, says):
    with pytest.raises(UsageError) as caught:
        model.predict(image)
    assert says in f"{caught.value.message} {caught.value.hint}"


def test_what_cannot_be_opened_is_a_clf_error(tiny_run, tmp_path):
    (tmp_path / "text").write_text("no model")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "text"):
        with pytest.raises(ModelError) as caught:
            load_model(path)
        assert isinstance(caught.value, ClfError)
    with pytest.raises(ModelError, match="one set of weights"):
        load_model(tiny_run.onnx, ema=True)
    (tmp_path / "going").mkdir()
    mark(type(tiny_run)(tmp_path / "going"), "running")
    with pytest.raises(ModelError, match="still training"):
        load_model(tmp_path / "going")


@pytest.mark.parametrize(
    ("keywords", "says"),
    [({"device": "gpu"}, "device='gpu'"), ({"threads": 0}, "threads=0"), ({"device": "cuda:9"}, "cuda:9")],
)
def test_a_device_or_threads_that_cannot_be(tiny_run, keywords, says):
    with pytest.raises(UsageError, match=says):
        load_model(tiny_run.root, **keywords)


def test_an_abstaining_model(tmp_path):
    contract = replace(CONTRACT, temperature=2.0, thresholds=(None,) * len(LABELS))
    model = load_model(write_onnx_file(tmp_path / "calibrated.onnx", linear(), contract))
    one, plain = model.predict(picture()), model.predict(picture(), calibration=False)
    assert one.abstained
    assert one.top[0].label == plain.label
    assert one.probability < plain.probability
    np.testing.assert_array_equal(one.logits, plain.logits)


# The package


def test_importing_the_package_is_light_and_onnx_needs_no_torch(tmp_path):
    write_onnx_file(tmp_path / "by_hand.onnx")
    program = """
import clf_cli
print(sorted({"numpy", "PIL", "pydantic"} & set(sys.modules)))
from PIL import Image
print(clf_cli.load_model("by_hand.onnx").predict(Image.new("RGB", (5, 5))).label)
"""
    command = program_without([*TORCH, "typer", "rich", "matplotlib"], program)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    light, label = done.stdout.split("\n", 1)
    assert light == "[]"
    assert label.rstrip("\n") in LABELS


def test_names_that_the_package_promises_are_there():
    assert {name for name in clf_cli.__all__ if not hasattr(clf_cli, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        clf_cli.load_modle  # noqa: B018


def test_types_are_shipped():
    assert (Path(clf_cli.__file__).parent / "py.typed").is_file()
    assert len(get_overloads(Model.predict)) == 3
    assert load_model.__annotations__["return"] is Model
    assert all(documented.__doc__ for documented in (load_model, Model, Model.predict, Prediction))
