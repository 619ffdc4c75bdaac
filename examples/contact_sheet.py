"""A contact sheet of a split in the JSONL layout: python examples/contact_sheet.py FOLDER SHEET.png [COLUMNS ROWS]."""

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw

CELL, CAPTION = 64, 12
PAPER, INK = (24, 24, 28), (220, 220, 225)


def contact_sheet(folder: Path, columns: int, rows: int) -> Image.Image:
    """The first images of `folder`/annotations.jsonl at their own size, each above its label."""
    with (folder / "annotations.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file][: columns * rows]
    sheet = Image.new("RGB", (columns * CELL, rows * (CELL + CAPTION)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, line in enumerate(lines):
        left, top = index % columns * CELL, index // columns * (CELL + CAPTION)
        with Image.open(folder / line["image"]) as image:
            image.thumbnail((CELL - 4, CELL - 4))
            sheet.paste(image, (left + (CELL - image.width) // 2, top + CELL - image.height))
        draw.text((left + CELL / 2, top + CELL + CAPTION / 2), line["suffix"] or "(empty)", fill=INK, anchor="mm")
    return sheet


if __name__ == "__main__":
    columns, rows = (int(number) for number in (*sys.argv[3:5], "12", "6")[:2])
    sheet = contact_sheet(Path(sys.argv[1]), columns, rows)
    sheet.quantize(128).save(sys.argv[2], optimize=True)
    print(f"{sys.argv[2]}: {sheet.width} x {sheet.height} pixels")
