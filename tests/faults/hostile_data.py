"""Data sets, manifests, images, settings and answers that a stranger may send."""

import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from clf_cli.values.run_dir import RunDir
from tests.faults.hostile_case import DATA, FOUND, RIGHT, USAGE, Build, Case
from tests.faults.hostile_onnx import images

SOUND = [{"image": f"{name}{number}.png", "label": name} for name in ("a", "b") for number in range(3)]


def sound(folder: Path) -> Path:
    """Six images of two classes, beside each other."""
    folder.mkdir(exist_ok=True)
    for number, row in enumerate(SOUND):
        Image.new("RGB", (40, 40), (number * 40, 255 - number * 40, number * 13)).save(folder / row["image"])
    return folder


def jsonl(*lines: Any, name: str = "train.jsonl") -> Build:
    """The sound rows of a manifest, then these; `inspect-dataset` looks at the folder."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        data = sound(folder / "data")
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in (*SOUND, *lines)]
        (data / name).write_bytes(b"\n".join(texts) + b"\n")
        return ["inspect-dataset", data]

    return build


def csv(content: bytes, name: str = "train.csv") -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        data = sound(folder / "data")
        rows = "".join(f"{row['image']},{row['label']}\n" for row in SOUND).encode()
        (data / name).write_bytes(b"image,label\n" + rows + content)
        return ["inspect-dataset", data]

    return build


def row(path: str, label: Any = "a") -> Build:
    return jsonl({"image": path, "label": label})


def manifest_that_is(make: Callable[[Path, Path], object]) -> Build:
    """train.jsonl is made of (its path, a folder outside the data with a secret manifest)."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        data = sound(folder / "data")
        (folder / "secret").mkdir()
        (folder / "secret" / "s.jsonl").write_text('{"image": "a0.png", "label": "secret"}\n')
        make(data / "train.jsonl", folder / "secret")
        return ["inspect-dataset", data]

    return build


def header(root: Any) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        data = sound(folder / "data")
        rows = "".join(json.dumps(row) + "\n" for row in SOUND)
        (data / "m.jsonl").write_text(json.dumps({"root": root}) + "\n" + rows)
        return ["inspect-dataset", data / "m.jsonl"]

    return build


def classes(*names: str) -> Build:
    """Class folders of these names; every output of the command is written."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        for number, name in enumerate(("plain", *names)):
            (folder / "data" / name).mkdir(parents=True)
            for other in range(3):
                color = (number * 9 % 256, other * 80, 255 - number * 7 % 256)
                Image.new("RGB", (40, 40), color).save(folder / "data" / name / f"{number}-{other}.png")
        out = folder / "out"
        files = ("--html", out / "a.html", "--sarif", out / "a.sarif", "--junit", out / "a.xml")
        return ["inspect-dataset", folder / "data", "--out", out, *files]

    return build


def link(target: str, name: str = "a9.png") -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        arguments = row(name)(folder, run)
        Image.new("RGB", (40, 40)).save(folder / "secret.png")
        (folder / "data" / name).symlink_to(target)
        return arguments

    return build


def data_file(name: str, content: bytes) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        (folder / name).write_bytes(content)
        return ["inspect-dataset", folder / name]

    return build


def settings(content: bytes) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        (folder / "x.toml").write_bytes(content)
        return ["config", "show", "--config", folder / "x.toml"]

    return build


def settings_that_are(make: Callable[[Path], object]) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        make(folder / "x.toml")
        return ["config", "show", "--config", folder / "x.toml"]

    return build


def predict(run: RunDir, name: Any) -> list[Any]:
    return ["predict", run.onnx, name, images(run)[0], "--on-bad-image", "skip", "--json"]


def image(content: bytes, name: str = "x.png") -> Build:
    """`predict` on the file and on a sound one: that one is answered, the other is counted."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        (folder / name).write_bytes(content)
        return predict(run, folder / name)

    return build


def told(flag: str, name: str, content: bytes) -> Build:
    """A file beside a model that `validate-onnx` or the gate reads."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        (folder / name).write_bytes(content)
        if flag == "--baseline":
            return ["inspect-dataset", sound(folder / "data"), flag, folder / name]
        data = json.loads(run.report("dataset").read_text())["data"]["path"]
        return ["validate-onnx", run.onnx, "--data", data, flag, folder / name]

    return build


# Images


def png(width: int, height: int, *chunks: bytes, pixels: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join((chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), chunk(b"IEND")))


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def pixels(width: int, height: int) -> bytes:
    return zlib.compress(bytes(height * (1 + 3 * width)))


def tiff(*tags: tuple[int, int, int, int]) -> bytes:
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def saved(kind: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    content = io.BytesIO()
    (picture or Image.new("RGB", (40, 30), (200, 40, 40))).save(content, kind, **options)
    return content.getvalue()


def text_bomb() -> bytes:
    told = PngImagePlugin.PngInfo()
    told.add_text("x", "y" * (70 << 20), zip=True)
    return saved("PNG", pnginfo=told)


def exif(value: int) -> bytes:
    found = Image.Exif()
    found[274] = value
    return saved("JPEG", exif=found)


def archive(kind: str) -> bytes:
    content = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("../../x.png", bytes(1 << 20))
    else:
        with tarfile.open(fileobj=content, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("../../x.png"))
    return content.getvalue() if kind in ("zip", "tar") else gzip.compress(content.getvalue())


SKIPPED = '"error":'  # what `predict` says of an image that it cannot read
DEEP = 100_000
LABELS = (
    "\x1b]0;x\x07",
    "\u202egnp",
    "[red]x",
    "=1+1",
    "@SUM(A1)",
    "<b>x",
    "$x_1^2$",
    "$\\frac",
    "a\nb",
    "%s{0}",
    "-rf",
)

DATASETS: dict[str, Case] = {
    **{
        f"manifest: the path {path[:30]!r}": Case(row(path), FOUND, words)
        for path, words in (
            ("../../etc/passwd", "leaves the data folder"),
            ("/etc/passwd", "leaves the data folder"),
            ("a/../../x.png", "leaves the data folder"),
            (".", "the data folder itself"),
            ("http://host/x.png", "is an address"),
            ("s3://bucket/x.png", "is an address"),
            ("file:///etc/passwd", "is an address"),
            ("\\\\host\\share\\x.png", "no such file"),
            ("C:\\x.png", "no such file"),
            ("a\0.png", "path is"),
            ("\ud800.png", "not valid Unicode"),
            ("x" * 5000, "4,096 at most"),
            ("x" * 4000, "CLF105"),
            ("\x1b[2J.png", "no such file"),
            ("\u202egnp.exe", "no such file"),
            ("~root/x.png", "no such file"),
            ("-rf", "no such file"),
        )
    },
    "manifest: a label that is a number": Case(row("a0.png", 7), FOUND, "labels are strings"),
    "manifest: a label that is NaN": Case(jsonl(b'{"image": "a0.png", "label": NaN}'), FOUND, "labels are strings"),
    "manifest: a label of 100,000 letters": Case(row("a0.png", "x" * 10**5), FOUND, "1,000 at most"),
    "manifest: half a letter as label": Case(row("a0.png", "\ud800"), FOUND, "not valid Unicode"),
    "manifest: nested 100,000 deep": Case(jsonl(b"[" * DEEP), FOUND, "not JSON"),
    "manifest: objects 100,000 deep": Case(jsonl(b'{"a":' * DEEP), FOUND, "not JSON"),
    "manifest: 51 deep": Case(
        jsonl(b'{"image": "a0.png", "label": "a", "m": ' + b"[" * 60 + b"]" * 60 + b"}"), FOUND, "deep"
    ),
    "manifest: a number of 5,000 digits": Case(
        jsonl(b'{"image": "a0.png", "label": "a", "n": ' + b"1" * 5000 + b"}"), FOUND, "not JSON"
    ),
    "manifest: a line of 17 MB": Case(jsonl(b'"' + b"x" * (17 << 20)), FOUND, "16 MiB"),
    "manifest: a key twice": Case(jsonl(b'{"image": "a0.png", "label": "a", "label": "b"}'), FOUND, "twice"),
    "manifest: UTF-16": Case(manifest_that_is(lambda path, _: path.write_text("{}", "utf-16")), DATA, "UTF-16"),
    "manifest: no UTF-8": Case(jsonl(b'{"image": "\xff"}'), FOUND, "not UTF-8"),
    "manifest: zero bytes": Case(jsonl(bytes(100)), FOUND, "not JSON"),
    "manifest: a terabyte of holes": Case(
        manifest_that_is(lambda path, _: (path.touch(), os.truncate(path, 1 << 40))), DATA, "1 GiB"
    ),
    "manifest: a pipe": Case(manifest_that_is(lambda path, _: os.mkfifo(path)), DATA, "regular file"),
    "manifest: a device": Case(manifest_that_is(lambda path, _: path.symlink_to("/dev/zero")), DATA, "regular file"),
    "manifest: a link out of the data": Case(
        manifest_that_is(lambda path, secret: path.symlink_to(secret / "s.jsonl")), DATA, "links out"
    ),
    "manifest: a link in a circle": Case(
        manifest_that_is(lambda path, _: path.symlink_to(path)), DATA, "cannot be read"
    ),
    "manifest: a folder that is not there": Case(header("../nowhere"), DATA, "no folder"),
    "manifest: a folder with a zero byte": Case(header("a\0b"), DATA, "no folder"),
    "manifest: a folder of 100,000 letters": Case(header("x" * 10**5), DATA, "names the folder"),
    "manifest: a folder at an address": Case(header("http://host/x"), DATA, "no folder"),
    "CSV: a field of 200,000 letters": Case(csv(b"a0.png," + b"x" * 200_000 + b"\n"), FOUND, "field"),
    "CSV: a quote without an end": Case(csv(b'"a0.png,a\n'), FOUND, "not CSV"),
    "CSV: a line of 17 MB": Case(csv(b"x" * (17 << 20)), FOUND, "16 MiB"),
    "CSV: a zero byte": Case(csv(b"a\0.png,a\n"), FOUND, ""),
    "CSV: too many values": Case(csv(b"a0.png,a,b,c\n"), FOUND, "4 values for 2 columns"),
    "CSV: no UTF-8": Case(csv(b"\xff\xfe.png,a\n"), FOUND, "not UTF-8"),
    "CSV: a formula for a path": Case(csv(b"=1+1,a\n"), FOUND, "no such file"),
    "CSV: a path out of the data": Case(csv(b"../x.png,a\n"), FOUND, "leaves the data folder"),
    "labels that steer, run or deface": Case(classes(*LABELS), RIGHT, "11"),
    "a label of 200 letters and one of spaces": Case(classes("x" * 200, "   "), RIGHT, ""),
    "an image that links out of the data": Case(link("../secret.png"), FOUND, "links out"),
    "an image that links to a device": Case(link("/dev/zero"), FOUND, "links out"),
    "an image that links to itself": Case(link("a9.png"), FOUND, ""),
    "data: a zip file": Case(data_file("d.zip", archive("zip")), DATA, "is a zip archive"),
    "data: a tar file": Case(data_file("d.tar", archive("tar")), DATA, "is a tar archive"),
    "data: a tar.gz file": Case(data_file("d.tar.gz", archive("tgz")), DATA, "is a gzip archive"),
    "data: a zip file called a manifest": Case(data_file("d.jsonl", archive("zip")), DATA, "not UTF-8"),
    "data: an address": Case(lambda folder, run: ["inspect-dataset", "https://host/data"], DATA, "is an address"),
    "data: a bucket": Case(lambda folder, run: ["inspect-dataset", "s3://bucket/data"], DATA, "is an address"),
}

_TOML = b"[optim]\nlr = "
SETTINGS: dict[str, Case] = {
    "settings: 2 MB": Case(settings(b"#" * (2 << 20)), USAGE, "1 MiB"),
    "settings: nested 100,000 deep": Case(settings(b"a = " + b"[" * DEEP), USAGE, "too deep"),
    "settings: tables 10,000 deep": Case(settings(b"[" + b".".join([b"a"] * 10_000) + b"]"), USAGE, "no such section"),
    "settings: a number of 5,000 digits": Case(settings(_TOML + b"1" * 5000), USAGE, "not valid TOML"),
    "settings: NaN": Case(settings(_TOML + b"nan"), USAGE, "optim.lr"),
    "settings: infinity": Case(settings(_TOML + b"inf"), USAGE, "optim.lr"),
    "settings: a number beyond all floats": Case(settings(b"[optim]\nepochs = 1" + b"0" * 400), USAGE, "optim.epochs"),
    "settings: no UTF-8": Case(settings(b"\xff\xfe"), USAGE, "not UTF-8"),
    "settings: zero bytes": Case(settings(bytes(100)), USAGE, "not valid TOML"),
    "settings: a zero byte in a path": Case(settings(b'[data]\nroot = "a\\u0000b"'), USAGE, "cannot be saved"),
    "settings: a key that steers a terminal": Case(settings(b'"\\u001b[2J" = 1'), USAGE, "no such section"),
    "settings: a date": Case(settings(_TOML + b"1979-05-27"), USAGE, "optim.lr"),
    "settings: a table for a number": Case(settings(b"[optim.lr]\nx = 1"), USAGE, "optim.lr"),
    "settings: a section twice": Case(settings(b"[optim]\n[optim]\n"), USAGE, "not valid TOML"),
    "settings: an architecture of a hub": Case(settings(b'[model]\narch = "hf-hub:owner/name"'), RIGHT, "hf-hub"),
    "settings: training with an architecture of a hub": Case(
        lambda folder, run: ["train", "--data", sound(folder / "data"), "--arch", "hf-hub:owner/name"],
        USAGE,
        "architecture",
    ),
    "settings: a pipe": Case(settings_that_are(os.mkfifo), USAGE, "egular file"),
    "settings: a device": Case(settings_that_are(lambda path: path.symlink_to("/dev/zero")), USAGE, "egular file"),
    "settings: a folder": Case(settings_that_are(Path.mkdir), USAGE, "Cannot read"),
    "baseline: nested": Case(told("--baseline", "b.json", b"[" * DEEP), USAGE, "not JSON"),
    "baseline: no object": Case(told("--baseline", "b.json", b"[]"), USAGE, "no baseline"),
    "baseline: an unknown code": Case(
        told(
            "--baseline", "b.json", b'{"kind": "baseline", "schema_version": 1, "accepted": [{"code": "\\u001b[2J"}]}'
        ),
        USAGE,
        "no known code",
    ),
    "answers: nested": Case(told("--answers", "a.jsonl", b"[" * DEEP), DATA, "not JSON"),
    "answers: a path out of the data": Case(
        told("--answers", "a.jsonl", b'{"path": "../../etc/passwd", "label": "red"}'), DATA, "no such image"
    ),
    "answers: a path of 100,000 letters": Case(
        told("--answers", "a.jsonl", b'{"path": "' + b"x" * DEEP + b'", "label": "red"}'), DATA, "no such image"
    ),
    "answers: a path that is half a letter": Case(
        told("--answers", "a.jsonl", b'{"path": "\\ud800", "label": "red"}'), DATA, ""
    ),
    "answers: a number of 5,000 digits": Case(
        told("--answers", "a.jsonl", b'{"path": "x", "logits": [' + b"1" * 5000 + b"]}"), DATA, "not JSON"
    ),
    "answers: a number beyond all floats": Case(
        told("--answers", "a.jsonl", b'{"path": "x", "logits": [1' + b"0" * 400 + b"]}"), DATA, "not JSON"
    ),
}

IMAGES: dict[str, Case] = {
    f"image: {name}": Case(image(content, file), RIGHT, words, skipped=code == FOUND)
    for name, file, content, code, words in (
        ("a PNG of 10^10 pixels", "x.png", png(100_000, 100_000), FOUND, "pixels"),
        ("a PNG of 2^31 pixels a side", "x.png", png(2**31 - 1, 2**31 - 1), FOUND, SKIPPED),
        ("a PNG of no pixels", "x.png", png(0, 0), FOUND, SKIPPED),
        ("a PNG of one row of 10,000", "x.png", png(10_000, 1, pixels=pixels(10_000, 1)), FOUND, "times the other"),
        ("a PNG whose pixels inflate", "x.png", png(4, 4, pixels=zlib.compress(bytes(1 << 26))), RIGHT, '"label"'),
        ("a PNG without pixels", "x.png", png(40, 40), FOUND, SKIPPED),
        ("a PNG with 70 MB of text", "x.png", text_bomb(), FOUND, SKIPPED),
        (
            "a PNG with a profile that inflates",
            "x.png",
            png(4, 4, chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1 << 26))), pixels=pixels(4, 4)),
            FOUND,
            SKIPPED,
        ),
        ("a PNG that is a zip file too", "x.png", saved("PNG") + archive("zip"), RIGHT, '"label"'),
        ("a JPEG that ends in script", "x.jpg", saved("JPEG") + b"<script>alert(1)</script>", RIGHT, '"label"'),
        ("a JPEG with an EXIF turn of 2^16", "x.jpg", exif(65535), RIGHT, '"label"'),
        ("a JPEG cut in half", "x.jpg", saved("JPEG")[:300], FOUND, SKIPPED),
        ("a JPEG called PNG", "x.png", saved("JPEG"), RIGHT, '"label"'),
        (
            "a GIF of 500 frames",
            "x.gif",
            saved(
                "GIF", save_all=True, append_images=[Image.new("RGB", (9, 9), (n % 256, n // 2, 0)) for n in range(500)]
            ),
            RIGHT,
            '"label"',
        ),
        ("a TIFF of 2^32 pixels a side", "x.tif", tiff((256, 4, 1, 2**32 - 1), (257, 4, 1, 2**32 - 1)), FOUND, SKIPPED),
        (
            "a TIFF with a tag of 2^32 values",
            "x.tif",
            tiff((256, 3, 1, 9), (257, 3, 1, 9), (273, 4, 2**32 - 1, 8)),
            FOUND,
            SKIPPED,
        ),
        (
            "a TIFF that begins anew for ever",
            "x.tif",
            b"II*\0\x08\0\0\0\x01\0\0\x01\x03\0\x01\0\0\0\x09\0\0\0\x08\0\0\0",
            FOUND,
            SKIPPED,
        ),
        ("PostScript", "x.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n", FOUND, "PostScript"),
        ("PostScript called PNG", "x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", FOUND, "PostScript"),
        ("Photoshop", "x.psd", b"8BPS" + bytes(100), FOUND, "Photoshop"),
        ("FITS", "x.fits", b"SIMPLE  =                    T" + bytes(100), FOUND, SKIPPED),
        (
            "SVG with script",
            "x.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            FOUND,
            "XML",
        ),
        ("XML that doubles", "x.svg", b"<!DOCTYPE x [<!ENTITY a 'aa'>]><x>&a;</x>", FOUND, "XML"),
        ("PDF", "x.pdf", b"%PDF-1.7", FOUND, "PDF"),
        ("a zip file", "x.png", archive("zip"), FOUND, "a zip archive"),
        ("a tar file", "x.png", archive("tar"), FOUND, "a tar archive"),
        ("a pickle", "x.png", b"\x80\x02}.", FOUND, SKIPPED),
        ("an icon", "x.ico", saved("ICO"), FOUND, SKIPPED),
        ("a PPM of 10^12 pixels", "x.ppm", b"P6 1000000 1000000 255\n", FOUND, SKIPPED),
        (
            "a BMP of -2^31 rows",
            "x.bmp",
            b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 9, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0),
            FOUND,
            SKIPPED,
        ),
        (
            "a QOI of 2^32 pixels a side",
            "x.qoi",
            b"qoif" + struct.pack(">II", 2**32 - 1, 2**32 - 1) + b"\x03\0",
            FOUND,
            SKIPPED,
        ),
        ("WebP cut in its header", "x.webp", saved("WEBP")[:20], FOUND, SKIPPED),
        ("zero bytes", "x.jpg", bytes(1000), FOUND, "zero bytes"),
        ("an empty file", "x.jpg", b"", FOUND, "empty"),
    )
}
IMAGES |= {
    f"image: {name}": Case(build, RIGHT, words, skipped=True)
    for name, build, words in (
        (
            "a pipe",
            lambda folder, run: (os.mkfifo(folder / "p.png"), predict(run, folder / "p.png"))[1],
            "regular file",
        ),
        ("a device", lambda folder, run: predict(run, "/dev/zero"), "regular file"),
        ("an address", lambda folder, run: predict(run, "http://host/x.png"), "no such file"),
        ("a name that steers a terminal", lambda folder, run: predict(run, "\x1b[2J\x9b2J\u202e.png"), "no such file"),
        ("a name of 100,000 letters", lambda folder, run: predict(run, "x" * 100_000), SKIPPED),
    )
}
