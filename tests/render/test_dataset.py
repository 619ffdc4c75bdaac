"""The class table comes first, findings after it, and no label is taken for markup."""

import io
from dataclasses import replace

import numpy as np
from rich.console import Console

from clf_cli.data.samples import Finding, Sample
from clf_cli.engine.crop_loss import crop_loss
from clf_cli.engine.dataset import USUAL_INPUT, DatasetResult, Spread
from clf_cli.engine.metadata_counts import DISTINCT, metadata_counts
from clf_cli.engine.pixel_statistics import PixelStatistics
from clf_cli.engine.size_counts import SizeCount
from clf_cli.render.dataset import CLASSES_SHOWN, header, rows, table
from clf_cli.values.labels import Labels


def result(
    names=("", "00", "[bold]x"), counts=((3, 1), (1, 0), (6, 2)), findings=(), skipped=(0, 0), metadata=(),
    preprocess=USUAL_INPUT,
) -> DatasetResult:  # fmt: skip
    spread, labels = Spread(3, 4.5, 6), Labels(tuple(names))
    rows = [name for name, of_splits in zip(names, counts, strict=True) for _ in range(sum(of_splits))]
    sizes = [(100, 50 if name else 100) for name in rows]
    pixels = PixelStatistics(13, (0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    return DatasetResult(
        labels=labels, splits=("train", "val"), counts=np.array(counts), skipped=skipped, width=spread, height=spread,
        aspect=Spread(1, 2, 2), sizes=(SizeCount(100, 50, (7, 2)), SizeCount(100, 100, (3, 1))),
        total_bytes=2_500_000, formats={"JPEG": 13}, modes={"RGB": 12, "L": 1}, rotated=2, duplicates=1,
        pixels=pixels, split_pixels=(pixels, pixels), metadata=metadata,
        crop=crop_loss(labels, zip(rows, sizes, strict=True), preprocess),
        findings=tuple(findings),
    )  # fmt: skip


def text(shown: DatasetResult) -> str:
    console = Console(file=io.StringIO(), width=160, no_color=True)
    console.print(table(shown))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_classes_counts_and_shares():
    shown = text(result(skipped=(0, 4)))
    lines = {line.split()[3]: line for line in shown.splitlines() if line.startswith("│")}
    assert "13 images, 3 classes" in shown
    assert "30.0 %" in lines["(empty)"]
    assert "–" in lines["00"]
    assert "[bold]x" in lines
    assert "left out" in shown
    assert "Largest class over smallest: 6.0" in shown
    assert "3, 4.5, 6" in shown
    assert "RGB 12, L 1; 2.5 MB" in shown
    assert "Without val images: 00" in shown
    assert "L 1; 60.1 kB" in text(replace(result(), total_bytes=60_100))


def test_findings_follow_by_severity_and_control_characters_are_escaped():
    found = [
        Finding.of("CLF401", "a.jpg", "twice"),
        Finding.of("CLF102", "b\x1b[31m.jpg", "empty [red]file"),
    ]
    shown = text(result(findings=found))
    assert shown.index("classes") < shown.index("b\\x1b[31m.jpg") < shown.index("a.jpg")
    assert "\x1b[31m" not in shown
    assert "empty [red]file" in shown


def test_long_lists_are_cut_and_say_so():
    count = CLASSES_SHOWN + 7
    many = result([f"c{i:04}" for i in range(count)], [(i + 1, 1) for i in range(count)])
    shown = text(many)
    assert "… 7 classes between" in shown
    assert f"c{count - 1:04}" in shown
    assert "c0000" in shown


def test_csv_rows():
    lines = [header(result()), *rows(result())]
    assert lines[0][:6] == ("index", "class", "train", "train_share", "val", "val_share")
    assert lines[0][6:] == ("cut_pixels", "cut_side", "enlarged", "stretched", "bars")
    assert lines[1][:6] == (0, "", 3, 0.3, 1, 1 / 3)
    assert lines[1][6:8] == (0, 0)
    assert all(len(line) == len(lines[0]) for line in lines)


def test_a_label_is_no_formula_in_a_spreadsheet():
    names = [row[1] for row in rows(result(names=("-1", "=1+1", "@x")))]
    assert names == ["-1", "'=1+1", "'@x"]


def test_pixels_and_what_the_model_is_fed():
    shown = text(result())
    assert "mean 0.50 0.40 0.30, deviation 0.20 0.20 0.10" in shown
    assert "normalised for the model: mean 0.07 -0.25 -0.47, deviation 0.87 0.89 0.44" in shown


def test_the_transform_says_what_it_does_to_the_images():
    shown = text(result())
    assert "Resized by squash to 224 x 224 px: nothing cut off, enlarged 3.2 times, stretched 2.0 times" in shown
    assert "What would keep more" not in shown
    assert "What would keep the shape: --resize-mode letterbox, nothing cut off, enlarged 2.2 times, 34.6 %" in shown
    assert "the shape" not in text(result(names=("", "b"), counts=((3, 1), (1, 0))))  # most are square
    assert "Cut off" not in shown


def test_classes_that_lose_most_are_told_and_the_mode_that_keeps_more():
    shown = text(result(preprocess=replace(USUAL_INPUT, resize_mode="crop")))
    assert "Resized by crop to 224 x 224 px: 34.6 % cut off" in shown
    assert "--resize-mode letterbox: nothing cut off, enlarged 2.2 times, 34.6 % bars" in shown
    losing = shown[shown.index("Cut off by") :].splitlines()[4:6]
    assert ["00" in losing[0], "[bold]x" in losing[1]] == [True, True]
    assert all("50.0 %" in line for line in losing)
    assert "--crop-share" not in shown


def test_a_centre_that_is_cut_out_has_a_flag():
    assert "--crop-share 1: cuts no centre out" in text(result(preprocess=replace(USUAL_INPUT, crop_share=0.5)))


def test_keys_of_the_rows():
    shown = text(result(metadata=metadata_counts([
        Sample("a", "x", metadata={"camera": camera, "[red]id": f"\x1b[31m{number}", "at": number, "empty": ""})
        for number, camera in enumerate("aababcd")
    ])))  # fmt: skip
    lines = {line.split("│")[1].strip(): line.split("│")[2:] for line in shown.splitlines() if line.count("│") == 5}
    assert [cell.strip() for cell in lines["camera"][:3]] == ["7", "4", "a (3), b (2), c (1), …"]
    assert "each once, such as \\x1b[31m0" in lines["[red]id"][2]
    assert "0 to 6" in lines["at"][2]
    assert '"" (7)' in lines["empty"][2]
    assert "\x1b" not in shown


def test_values_that_were_not_told_apart_are_not_said_to_stand_once():
    rows = [Sample(f"{i}.png", "a", metadata={"id": f"x{i}" if i < DISTINCT else "again"}) for i in range(DISTINCT + 9)]
    assert "each once" not in text(result(metadata=metadata_counts(rows)))
    assert "each once" in text(result(metadata=metadata_counts(rows[:DISTINCT])))


def test_eighty_columns_hold_a_long_name():
    names = ("a class of a long name, such as people give", "b", "c")
    console = Console(file=io.StringIO(), width=80, no_color=True)
    console.print(table(result(names=names, preprocess=replace(USUAL_INPUT, resize_mode="crop"))))
    assert isinstance(console.file, io.StringIO)
    assert max(map(len, console.file.getvalue().splitlines())) <= 80
