"""The class table comes first, findings after it, and no label is taken for markup."""

import io

import numpy as np
from rich.console import Console

from clf_cli.data.samples import Finding
from clf_cli.engine.crop_loss import crop_loss
from clf_cli.engine.dataset import USUAL_INPUT, DatasetResult, Spread
from clf_cli.engine.pixel_statistics import PixelStatistics
from clf_cli.engine.size_counts import SizeCount
from clf_cli.render.dataset import CLASSES_SHOWN, FINDINGS_SHOWN, header, rows, table
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
        crop=crop_loss(labels, rows, sizes, preprocess),
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
    many = result([f"c{i:04}" for i in range(count)], [(i + 1, 1) for i in range(count)],
                  [Finding.of("CLF401", f"{i}.jpg", "twice") for i in range(FINDINGS_SHOWN + 3)])  # fmt: skip
    shown = text(many)
    assert "… 7 classes between" in shown
    assert f"c{count - 1:04}" in shown
    assert "c0000" in shown
    assert "… and 3 more" in shown


def test_csv_rows():
    lines = [header(result()), *rows(result())]
    assert lines[0] == ("index", "class", "train", "train_share", "val", "val_share")
    assert lines[1] == (0, "", 3, 0.3, 1, 1 / 3)
    assert all(len(line) == len(lines[0]) for line in lines)
