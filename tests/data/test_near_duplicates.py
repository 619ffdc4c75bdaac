"""Near duplicates are what a person calls the same image; the order of the files and the threads play no part."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from clf_cli.data import near_duplicates
from clf_cli.data.near_duplicates import NearDuplicates, find_near_duplicates
from clf_cli.data.scan import scan_files


def photo(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Coloured blobs of several sizes, as unlike another seed's as two photos are."""
    rng = np.random.default_rng(seed)
    canvas = Image.new("RGB", size, tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(canvas)
    for _ in range(25):
        left, top = rng.integers(-20, size[0]), rng.integers(-20, size[1])
        width, height = rng.integers(8, 60, 2)
        colour = tuple(rng.integers(0, 256, 3).tolist())
        draw.ellipse((left, top, left + width, top + height), fill=colour)
    return canvas


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def search(root: Path, threads: int = 1, reverse: bool = False) -> NearDuplicates:
    paths = sorted((path.relative_to(root).as_posix() for path in root.rglob("*.*")), reverse=reverse)
    return find_near_duplicates(root, scan_files(root, paths).files, paths, threads)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed in range(30):
        photo(seed).save(tmp_path / f"{seed:02}.png")
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda image: recompressed(image, 90),
        lambda image: recompressed(image, 30),
        lambda image: image.resize((60, 45), Image.Resampling.LANCZOS),
        lambda image: image.resize((333, 250), Image.Resampling.BICUBIC),
        lambda image: ImageEnhance.Brightness(image).enhance(0.8),
        lambda image: ImageEnhance.Contrast(image).enhance(0.7),
        lambda image: image.crop((1, 1, 119, 89)),
    ],
    ids=["quality 90", "quality 30", "half", "three times", "darker", "paler", "trimmed"],
)
def test_a_changed_copy_is_found_and_nothing_else(root, change):
    change(photo(7)).save(root / "copy.png")
    assert search(root) == NearDuplicates((("07.png", "copy.png"),), ())


def test_different_images_are_not_alike(root):
    assert search(root) == NearDuplicates((), ())


@pytest.mark.parametrize(("one", "other"), [("5", "6"), ("3", "8"), ("15", "16"), ("10", "18"), ("0", "00")])
def test_numbers_in_one_font_are_not_alike(tmp_path, one, other):
    font = ImageFont.load_default(30)
    for text in (one, other):
        canvas = Image.new("RGB", (48, 52), (20, 30, 120))
        ImageDraw.Draw(canvas).text((24, 26), text, fill="white", font=font, anchor="mm")
        canvas.save(tmp_path / f"{text}.png")
    assert search(tmp_path).clusters == ()


def test_a_small_thing_that_differs_parts_two_images(root):
    changed = photo(7)
    ImageDraw.Draw(changed).ellipse((40, 30, 60, 50), fill="white", outline="black")
    changed.save(root / "changed.png")
    assert search(root).clusters == ()


def test_equal_bytes_alone_are_no_cluster_but_join_one(root):
    shutil.copy(root / "03.png", root / "equal.png")
    assert search(root).clusters == ()
    recompressed(photo(3), 80).save(root / "copy.png")
    assert search(root).clusters == (("03.png", "copy.png", "equal.png"),)


def test_equal_pixels_in_other_bytes(root):
    photo(4).save(root / "same.bmp")
    nearly = photo(5)
    nearly.putpixel((0, 0), (1, 2, 3))
    nearly.save(root / "nearly.png")
    found = search(root)
    assert found.same_pixels == (("04.png", "same.bmp"),)
    assert found.clusters == (("04.png", "same.bmp"), ("05.png", "nearly.png"))


def test_flat_images_are_alike_only_when_they_are_equal(tmp_path):
    for level in range(100, 140, 4):
        Image.new("RGB", (40, 40), (level, level, level)).save(tmp_path / f"{level}.png")
    Image.new("RGB", (40, 40), (100, 100, 100)).save(tmp_path / "equal.bmp")
    assert search(tmp_path) == NearDuplicates((("100.png", "equal.bmp"),), (("100.png", "equal.bmp"),))


def test_threads_order_and_blocks_change_nothing(root, monkeypatch):
    for seed in (1, 5, 9, 14):
        for quality in (85, 60, 40):
            recompressed(photo(seed), quality).save(root / f"{seed:02}-{quality}.png")
    whole = search(root)
    assert [len(cluster) for cluster in whole.clusters] == [4, 4, 4, 4]
    assert search(root, threads=4, reverse=True) == whole
    monkeypatch.setattr(near_duplicates, "BLOCK", 3)
    assert search(root) == whole


def test_a_file_that_is_gone_has_no_duplicates(root):
    recompressed(photo(3), 80).save(root / "copy.png")
    paths = [path.name for path in root.iterdir()]
    files = scan_files(root, paths).files
    (root / "copy.png").unlink()
    assert find_near_duplicates(root, files, paths).clusters == ()


def test_bad_files_are_passed_over(root):
    (root / "bad.png").write_text("not an image")
    assert search(root).clusters == ()
    assert find_near_duplicates(root, {}, []) == NearDuplicates((), ())
