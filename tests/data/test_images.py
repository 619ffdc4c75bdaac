"""Every image arrives as the same thing: RGB, 8 bits, upright, or a reason why not."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.images import MAX_PIXELS, UnreadableImageError, open_image, open_with_facts, upright_rgb
from clf_cli.values.preprocess import BACKGROUND


def corners() -> Image.Image:
    """6 x 4, a different colour in each corner, so that every turn shows."""
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
    return Image.fromarray(pixels)


def saved(image: Image.Image, format_: str, **options) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, format_, **options)
    stream.seek(0)
    return stream


def reason(source) -> str:
    with pytest.raises(UnreadableImageError) as error:
        open_image(source)
    return str(error.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(orientation, format_):
    as_stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    upright = corners()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format_ == "WEBP" else {}
    stored = upright if as_stored is None else upright.transpose(as_stored)
    opened = open_image(saved(stored, format_, exif=exif, **options))
    assert opened.size == upright.size
    assert np.array_equal(np.asarray(opened), np.asarray(upright))


def test_the_facts_say_what_the_file_was():
    exif = Image.Exif()
    exif[0x0112] = 6
    facts = open_with_facts(saved(corners().convert("L"), "JPEG", exif=exif))
    assert (facts.format, facts.mode, facts.rotated, facts.image.size) == ("JPEG", "L", True, (4, 6))
    assert not open_with_facts(saved(corners(), "BMP")).rotated


def test_16_bit_grey_is_scaled():
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    opened = open_image(saved(Image.fromarray(values), "PNG"))
    assert np.asarray(opened)[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]
    assert np.ptp(np.asarray(opened), axis=2).max() == 0


def test_pixels_without_a_range_are_refused():
    assert "no fixed range" in reason(saved(Image.fromarray(np.full((2, 2), 0.5, np.float32)), "TIFF"))
    assert "no fixed range" in reason(saved(Image.fromarray(np.full((2, 2), 70_000, np.int32)), "TIFF"))


def test_transparency_is_composited_on_the_background():
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 0] = 200
    pixels[0, :, 3] = (0, 255, 128)
    opened = np.asarray(open_image(saved(Image.fromarray(pixels), "PNG")))[0]
    assert tuple(opened[0]) == BACKGROUND
    assert tuple(opened[1]) == (200, 0, 0)
    assert 160 <= opened[2][0] <= 168
    assert 62 <= opened[2][1] <= 66


def test_a_palette_with_a_transparent_colour_is_composited():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    opened = np.asarray(open_image(saved(image, "PNG", transparency=0)))[0]
    assert tuple(opened[0]) == BACKGROUND
    assert tuple(opened[1]) == (200, 100, 50)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(mode):
    image = Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode)
    format_ = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    opened = open_image(saved(image, format_))
    assert opened.mode == "RGB"
    assert np.asarray(opened).min() >= 250


def test_an_animation_is_its_first_frame():
    frames = [Image.new("RGB", (3, 3), color) for color in ((255, 0, 0), (0, 0, 255))]
    opened = open_image(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert np.asarray(opened)[1, 1].tolist() == [255, 0, 0]


def test_content_decides_not_the_suffix(tmp_path: Path):
    path = tmp_path / "photo.JPG"
    path.write_bytes(saved(corners(), "PNG").read())
    assert open_with_facts(path).format == "PNG"


def test_a_48_megapixel_photo_opens():
    assert open_image(saved(Image.new("1", (8000, 6000)), "PNG")).size == (8000, 6000)


@pytest.mark.parametrize("side", [10_000, 40_000])
def test_a_bomb_is_refused_by_its_header(side):
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    assert f"{MAX_PIXELS:,}" in reason(io.BytesIO(data + b"\0\0\0\0IDAT"))


def code(data: bytes) -> str:
    with pytest.raises(UnreadableImageError) as error:
        open_image(io.BytesIO(data))
    return error.value.code


def grain(side: int = 24) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_cut_file_is_broken_however_little_is_left(format_):
    data = saved(grain(), format_).read()
    for length in (16, 20, len(data) // 10, len(data) // 2, len(data) * 9 // 10):
        assert code(data[:length]) == "CLF103"


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_noise_in_the_middle_breaks_formats_with_a_sum_or_an_order(format_):
    data = bytearray(saved(grain(64), format_).read())
    data[len(data) // 2 : len(data) // 2 + 30] = np.random.default_rng(0).integers(0, 255, 30, np.uint8).tobytes()
    assert code(bytes(data)) == "CLF103"


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF"])
def test_a_file_that_goes_over_into_zero_bytes_is_broken(format_):
    """What a copy that stopped leaves behind on many file systems."""
    data = saved(grain(64), format_).read()
    half = len(data) // 2
    assert code(data[:half] + bytes(half)) == "CLF103"
    assert code(bytes(len(data))) == "CLF103"


def test_zero_bytes_after_the_end_and_a_thumbnail_inside_are_fine():
    exif = Image.Exif()
    exif[0x010E] = "a thumbnail: " + saved(grain(), "JPEG").read().decode("latin1")
    data = saved(grain(64), "JPEG", exif=exif).read()
    assert open_image(io.BytesIO(data + bytes(5000))).size == (64, 64)
    assert code(data[:-200] + bytes(5000)) == "CLF103"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"hello", ""),
        (b"\n <!DOCTYPE html><html>404", "HTML"),
        (b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg'/>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x18ftypisom", "video"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"\x93NUMPY", "NumPy"),
        (b"PK\x03\x04", "zip"),
    ],
)
def test_what_is_no_image_is_named_where_it_can_be(data, what):
    text = reason(io.BytesIO(data))
    assert "not an image of a known format" in text
    assert what in text
    assert code(data) == "CLF104"


def test_errors_of_the_disk_and_of_memory_are_not_the_files_fault(monkeypatch):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 600:
                raise OSError(5, "Input/output error")
            return super().read(size)

    data = saved(grain(64), "PNG").read()
    with pytest.raises(UnreadableImageError, match="Input/output error") as error:
        open_image(Failing(data))
    assert error.value.code == "CLF105"

    def no_memory(self):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", no_memory)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", no_memory)
    with pytest.raises(UnreadableImageError, match="memory") as error:
        open_image(io.BytesIO(data))
    assert error.value.code == "CLF106"


def test_the_bits_that_are_lost_are_told():
    rows = b"".join(b"\0" + np.arange(12, dtype=">u2").tobytes() for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    facts = open_with_facts(io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)))
    assert (facts.mode, facts.image.mode) == ("RGB;16", "RGB")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_broken_exif_is_none():
    data = saved(grain(), "JPEG").read()
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"
    broken = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    opened = open_with_facts(io.BytesIO(broken))
    assert not opened.rotated
    assert np.array_equal(np.asarray(opened.image), np.asarray(open_image(io.BytesIO(data))))


def test_every_truncation_of_a_file_is_refused():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (24, 24, 3), np.uint8))
    for format_ in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        data = saved(image, format_).read()
        for share in (0.1, 0.5, 0.9):
            assert reason(io.BytesIO(data[: int(len(data) * share)]))


def test_reasons_name_what_is_wrong(tmp_path: Path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "folder.jpg").mkdir()
    assert "empty file" in reason(tmp_path / "empty.jpg")
    assert "not an image" in reason(tmp_path / "text.jpg")
    assert "not a regular file" in reason(tmp_path / "folder.jpg")
    assert reason(tmp_path / "none.jpg") == "no such file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_does_not_block(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a regular file" in reason(tmp_path / "pipe.jpg")


def test_postscript_is_never_run():
    assert "known format" in reason(saved(Image.new("RGB", (4, 4)), "EPS"))


def test_noise_after_a_header_is_a_reason_never_a_crash():
    rng = np.random.default_rng(1)
    whole = {format_: saved(corners(), format_).read() for format_ in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")}
    for data in whole.values():
        for _ in range(60):
            broken = bytearray(data)
            for place in rng.integers(8, len(broken), 6):
                broken[place] = rng.integers(0, 256)
            with contextlib.suppress(UnreadableImageError):
                assert open_image(io.BytesIO(bytes(broken))).mode == "RGB"


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_an_image_that_is_open_becomes_what_its_file_would(mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    format_ = "TIFF" if mode == "CMYK" else "PNG"
    image = Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000) if mode == "I;16" else corners()
    stream = saved(image if mode == "I;16" else image.convert(mode), format_, exif=exif)
    from_file = open_image(stream)
    stream.seek(0)
    opened = upright_rgb(Image.open(stream))
    assert np.array_equal(np.asarray(opened), np.asarray(from_file))
    assert opened.mode == "RGB"


def test_an_open_image_that_is_cut_short_has_a_reason():
    whole = saved(corners().resize((200, 200)), "PNG").getvalue()
    with pytest.raises(UnreadableImageError):
        upright_rgb(Image.open(io.BytesIO(whole[: len(whole) // 2])))


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000 + ".png"])
def test_paths_that_the_system_refuses_are_reasons(tmp_path: Path, name):
    reason(tmp_path / name)


def test_the_common_formats_do_not_load_the_readers_of_the_others(tmp_path: Path):
    """In a fresh interpreter: this one has loaded them."""
    for suffix in ("jpg", "png", "webp", "tif"):
        Image.new("RGB", (8, 8), (90, 20, 30)).save(tmp_path / f"one.{suffix}")
    code = (
        "import sys; from pathlib import Path; from clf_cli.data.images import open_image\n"
        "for suffix, loaded in (('jpg', False), ('png', False), ('webp', True), ('tif', True)):\n"
        f"    assert open_image(Path({str(tmp_path)!r}) / f'one.{{suffix}}').size == (8, 8)\n"
        "    assert ('PIL.WebPImagePlugin' in sys.modules) is loaded, suffix\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
