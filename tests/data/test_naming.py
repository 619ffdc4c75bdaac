"""Names that people take for one, characters that nobody sees, and suffixes that lie."""

from pathlib import Path

import pytest
from PIL import Image

from clf_cli.data.naming import invisible, naming_findings
from clf_cli.data.samples import Sample
from clf_cli.data.scan import FileFacts


def rows(*labels: str) -> list[Sample]:
    """One image for each."""
    return [
        Sample(f"{number}.png", label, "train", source=f"all.jsonl:{number + 1}") for number, label in enumerate(labels)
    ]


def alike(*labels: str) -> list[str]:
    return [finding.reason for finding in naming_findings(rows(*labels), {}) if finding.code == "CLF601"]


@pytest.mark.parametrize(
    ("labels", "by"),
    [
        (("Cat", "cat"), "case"),
        (("STRASSE", "straße"), "case"),
        (("cafe\u0301", "caf\u00e9"), "Unicode form"),
        (("\uff11\uff12", "12"), "Unicode form"),
        (("cat", " cat"), "space"),
        (("sour cream", "sour  cream"), "space"),
        (("sour cream", "sour\u00a0cream"), "space"),
        (("", " "), "space"),
        (("CAFE\u0301 ", "caf\u00e9"), "space and Unicode form and case"),
    ],
)
def test_names_that_are_one_to_a_person(labels, by):
    (reason,) = alike(*labels)
    assert reason.startswith(f"class names differ only by {by}: ")


@pytest.mark.parametrize(
    "labels", [("0", "00"), ("1", "01", "001"), ("5", "6"), ("a", "b"), ("a-b", "a_b", "ab"), ("", "0")]
)
def test_names_that_are_several(labels):
    assert not alike(*labels)


def test_one_finding_for_all_spellings_of_a_manifest():
    """It has no place: clf clean would leave out that row, which is no worse than the others."""
    (finding,) = naming_findings(rows("Cat", "cat", "cat", "CAT", "dog"), {})
    assert (finding.places, finding.count) == ((), 4)
    assert '"CAT", "Cat", "cat"' in finding.reason
    assert finding.severity == "warning"


def test_class_folders_are_the_places():
    samples = [Sample(f"train/{name}/1.png", name, "train", source=f"train/{name}") for name in ("Cat", "cat")]
    (finding,) = naming_findings(samples, {})
    assert finding.places == ("train/Cat", "train/cat")


@pytest.mark.parametrize(
    "text",
    [
        "a\x00",
        "a\tb",
        "a\nb",
        "\x1b[31m",
        "a\u200bb",
        "\ufeffa",
        "a\u00adb",
        "\u202egnp.exe",
        "a\u2028b",
        "a\u200d",
        "a\u200cb",
    ],
)
def test_characters_that_cannot_be_seen(text):
    assert invisible(text)


@pytest.mark.parametrize(
    "text", ["", "a b", "é", "日本語", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "👩\u200d🔬", "a\u00a0b"]
)
def test_characters_that_belong_to_the_spelling(text):
    assert not invisible(text)


def test_invisible_characters_are_named_in_labels_and_files():
    samples = [
        Sample("train/ca\u200bt/1.png", "ca\u200bt", "train", source="train/ca\u200bt"),
        Sample("train/ca\u200bt/a\u202eb.png", "ca\u200bt", "train", source="train/ca\u200bt"),
        Sample("train/dog/c\x07.png", "dog", "train", source="train/dog"),
    ]
    label, files = naming_findings(samples, {})
    assert (label.code, label.path) == ("CLF602", "train/ca\u200bt")
    assert "U+200B ZERO WIDTH SPACE" in label.reason
    assert files.places == ("train/ca\u200bt/a\u202eb.png", "train/dog/c\x07.png")
    assert "2 file names hold U+202E RIGHT-TO-LEFT OVERRIDE, U+0007" in files.reason
    assert all(char.isprintable() for char in str(label) + str(files))


def facts(format_: str, error: str | None = None) -> FileFacts:
    return FileFacts(9, 9, "RGB", format_, 1, "0", False, error)


def test_suffixes_of_another_format():
    files = {
        "a.jpg": facts("PNG"), "b.PNG": facts("JPEG"), "c.jpeg": facts("JPEG"), "d.jpg": facts("MPO"),
        "e.tif": facts("TIFF"), "f.pgm": facts("PPM"), "no-suffix": facts("PNG"), "g.photo": facts("PNG"),
        "h.jpg": facts("", "broken"), "i.bmp": facts("DIB"),
    }  # fmt: skip
    (finding,) = naming_findings([], files)
    assert (finding.code, finding.severity, finding.places) == ("CLF604", "info", ("a.jpg", "b.PNG"))
    assert finding.reason == "suffix of another format: .jpg holds PNG, .png holds JPEG"


def test_ten_thousand_classes_take_no_time():
    assert not naming_findings(rows(*(f"class {number:05d}" for number in range(10_000))), {})


def test_a_real_photo_of_a_phone_in_jpg_is_fine(tmp_path: Path):
    from clf_cli.data.scan import scan_files

    frames = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=frames[1:])
    files = scan_files(tmp_path, ["phone.jpg"]).files
    assert files["phone.jpg"].error is None
    assert not naming_findings([], files)
