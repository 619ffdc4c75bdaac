"""Spoilt images are told from sound ones, whatever their size, and the worst stands first."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from clf_cli.data.quality import BLURRED, quality_findings
from clf_cli.data.scan import scan_files
from clf_cli.settings.data_sections import InspectSection
from tests.sound_data import photo

SECTION = InspectSection()
SHARED = Path(__file__).parents[3] / "shared" / "data"


def found(root: Path, section: InspectSection = SECTION) -> dict[str, tuple[str, ...]]:
    """The places of each code."""
    paths = sorted(path.name for path in root.iterdir())
    files = scan_files(root, paths).files
    findings = quality_findings(paths, files, section)
    assert all(finding.severity == "info" and finding.count == len(finding.places) for finding in findings)
    return {finding.code: finding.places for finding in findings}


@pytest.mark.parametrize("side", [64, 100, 144, 500])
def test_blur_is_told_at_every_size(tmp_path, side):
    sharp = [photo(seed, side) for seed in range(4)]
    for seed, image in enumerate(sharp):
        image.save(tmp_path / f"{seed}.png")
    assert not found(tmp_path)
    for seed, image in enumerate(sharp):
        image.filter(ImageFilter.GaussianBlur(max(side / 48, 1.5))).save(tmp_path / f"{seed}.png")
    assert len(found(tmp_path)["CLF707"]) == 4


def test_the_most_blurred_stands_first(tmp_path):
    for radius in (3, 12, 6):
        photo(1).filter(ImageFilter.GaussianBlur(radius)).save(tmp_path / f"{radius:02d}.png")
    assert found(tmp_path)["CLF707"] == ("12.png", "06.png", "03.png")


def test_a_flat_centre_a_small_image_and_noise_are_not_called_blurred(tmp_path):
    product = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(product).rectangle((0, 0, 30, 199), fill="red")
    product.save(tmp_path / "product.png")
    photo(1, 200).filter(ImageFilter.GaussianBlur(20)).resize((60, 45)).save(tmp_path / "small.png")
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert not found(tmp_path)


def test_detail_is_what_it_says(tmp_path):
    """A slope is 1/4, noise 1."""
    across = np.broadcast_to(np.linspace(0, 255, 256)[None, :, None], (256, 256, 3))
    Image.fromarray(across.astype(np.uint8)).save(tmp_path / "slope.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "noise.png")
    files = scan_files(tmp_path, ["slope.png", "noise.png"]).files
    detail = {name: facts.pixels and facts.pixels.detail for name, facts in files.items()}
    assert detail == {"slope.png": pytest.approx(0.25, abs=0.01), "noise.png": pytest.approx(1, abs=0.05)}
    assert BLURRED > 0.25


def test_one_colour_and_dark(tmp_path):
    Image.new("RGB", (90, 90), (200, 0, 0)).save(tmp_path / "red.png")  # spread over channels, none inside one
    Image.new("L", (90, 90)).save(tmp_path / "black.png")
    photo(1).point(lambda value: value // 5).save(tmp_path / "dark.png")
    photo(1).point(lambda value: value // 8).save(tmp_path / "darker.png")
    photo(1).point(lambda value: value // 2).save(tmp_path / "dim.png")
    places = found(tmp_path)
    assert places == {"CLF705": ("black.png", "red.png"), "CLF706": ("darker.png", "dark.png")}


def test_shapes_and_the_settings_that_say_what_is_extreme(tmp_path):
    for width, height in ((15, 40), (3, 3), (64, 16), (65, 16), (16, 200)):
        photo(1).resize((width, height)).save(tmp_path / f"{width}x{height}.png")
    assert found(tmp_path) == {"CLF703": ("16x200.png", "65x16.png"), "CLF704": ("3x3.png", "15x40.png")}
    assert found(tmp_path, InspectSection(min_side=1, max_aspect=100)) == {}


def test_turned_images_and_unusual_modes(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = photo(1)
    image.save(tmp_path / "turned.jpg", exif=exif)
    image.convert("CMYK").save(tmp_path / "cmyk.jpg")
    image.convert("RGBA").save(tmp_path / "alpha.png")
    for mode in ("L", "P", "1"):
        image.convert(mode).save(tmp_path / f"{mode}.png")
    Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    assert found(tmp_path) == {"CLF701": ("turned.jpg",), "CLF702": ("alpha.png", "cmyk.jpg", "deep.png")}


def test_the_cache_gives_the_same_facts(tmp_path):
    (tmp_path / "data").mkdir()
    photo(1, 100).save(tmp_path / "data" / "a.png")
    photo(1, 40).save(tmp_path / "data" / "b.png")
    scans = [scan_files(tmp_path / "data", ["a.png", "b.png"], cache=tmp_path / "scan.json").files for _ in range(2)]
    assert scans[0] == scans[1]
    details = {name: facts.pixels and facts.pixels.detail for name, facts in scans[1].items()}
    assert details["a.png"]
    assert details["b.png"] is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets in ../shared/data are not here")
def test_sound_sets_have_none():
    """Thresholds were chosen so that neither set has one: every such finding would be a false one."""
    for name in ("basketball-jersey", "grocery-coarse"):
        root = SHARED / name
        paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))[::40]
        assert quality_findings(paths, scan_files(root, paths).files, SECTION) == ()
