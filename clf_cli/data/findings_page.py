"""docs/findings.md: `python -m clf_cli.data.findings_page > docs/findings.md` writes it, a test compares it."""

import sys
from itertools import groupby

from clf_cli.data.codes import CODES, Code

_HEAD = """# Findings

Written by `python -m clf_cli.data.findings_page` from the declarations in `clf_cli/data/codes.py`; do not edit.

What [`clf inspect-dataset`](commands/inspect-dataset.md) can find in a data set. A code keeps its meaning for ever.
Training stops at errors, and so does the gate, unless `--fail-on` names other severities, categories or codes;
`--warn-on` takes the same words.

- `--on-bad-image skip`, `--on-label-conflict keep|drop` and `--on-unknown-class skip` turn the errors that they allow
  into warnings; `--max-imbalance` and `--min-per-class` turn CLF507 and CLF506 into errors where they are crossed.
- CLF302, CLF303, CLF402 and CLF412 compare images by their pixels; `--no-near-duplicates` leaves them out.
- CLF704 and CLF703 follow `--min-side` and `--max-aspect`. CLF705: in every channel the standard deviation is below 5
  of 255; CLF706: 99 % of the values are below 80; CLF707: at 64 pixels a side, the centre of an image that has so many
  is as smooth as a blur of 1/64 of the shorter side makes it. 6,524 sound photos and crops have none of them.
- CLF901 is looked for where `--model MODEL` names a model.
- A place is a file, a folder or a line of a manifest, relative to the data folder; a manifest that lies far from it
  is named by its whole path.
"""
_GROUPS = {
    "1": "Files that cannot be used",
    "2": "Manifests and splits",
    "3": "One image under two labels",
    "4": "Leaks and duplicates",
    "5": "Classes and their sizes",
    "6": "Names",
    "7": "Unusual images",
    "8": "Litter",
    "9": "Labels that a model disputes",
}


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    for hundred, codes in groupby(CODES.values(), key=lambda code: code.code[3]):
        head = ["| code | what | category | severity | the next step |", "|---|---|---|---|---|"]
        parts.append("\n".join([f"## {_GROUPS[hundred]}", "", *head, *map(_row, codes), ""]))
    return "\n".join(parts)


def _row(code: Code) -> str:
    cells = (code.code, code.title, code.category, code.severity, code.fix)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # a text file, unless replaced
    sys.stdout.write(page())
