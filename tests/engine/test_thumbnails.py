import numpy as np
import pytest
from PIL import Image

from clf_cli.engine.thumbnails import kept_preprocess, thumbnails
from clf_cli.errors import DataError
from clf_cli.values.preprocess import Preprocess, resize
from clf_cli.values.run_dir import RunDir


def test_an_image_as_the_network_sees_it_upright_and_at_its_size(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "x.png", exif=exif)
    preprocess = Preprocess(16, 24, resize_mode="letterbox")
    (shown,) = thumbnails(tmp_path, ["x.png"], preprocess)
    assert np.array_equal(shown, resize(image.transpose(Image.Transpose.ROTATE_270), preprocess))
    assert shown.shape == (16, 24, 3)


def test_a_file_that_went_away_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read a/b\.png"):
        thumbnails(tmp_path, ["a/b.png"], Preprocess(8, 8))


def test_how_a_run_sees_an_image_without_opening_its_network(tiny_run, tmp_path):
    preprocess = kept_preprocess(tiny_run)
    assert preprocess is not None
    assert (preprocess.height, preprocess.width) == (32, 32)
    run = RunDir(tmp_path)
    assert kept_preprocess(run) is None
    for broken in ("", "[]", "{}", '{"contract": {"version": 99}}'):
        run.labels_mapping.write_text(broken)
        assert kept_preprocess(run) is None
