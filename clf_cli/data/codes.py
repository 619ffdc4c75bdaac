"""Every kind of finding about data, under a code that never changes: gates, baselines and CI systems name it."""

from dataclasses import dataclass
from typing import Literal

Category = Literal[
    "unreadable", "manifest", "outside", "conflict", "unknown-class", "classes", "split", "naming", "leak", "duplicate",
    "balance", "quality", "litter", "suspect",
]  # fmt: skip
Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Code:
    """One kind of finding; `severity` holds unless a policy changes it, `fix` is the next step to take or to type."""

    code: str
    category: Category
    severity: Severity
    title: str
    fix: str


_SKIP = "Replace the file, or leave it out and count it: --on-bad-image skip."
_COPY = "Copy the file into the data folder, or name the folder that holds all files with --data."
_LINE = "Correct this line of the manifest."
_SAME_LABEL = "Keep the right label, or --on-label-conflict keep|drop, or let clf clean write a manifest without them."
_DEDUPE = "clf dedupe writes a manifest with one copy of each."
_SPLIT = "clf split writes splits that keep such images on one side."
_RENAME = "Rename it."
_LOOK = "Look at them, and let clf clean write a manifest without those that you name."

CODES: dict[str, Code] = {
    code.code: code
    for code in (
        Code("CLF101", "unreadable", "error", "file is missing", _SKIP),
        Code("CLF102", "unreadable", "error", "file is empty", _SKIP),
        Code("CLF103", "unreadable", "error", "image is cut off or broken", _SKIP),
        Code("CLF104", "unreadable", "error", "not an image of a known format", _SKIP),
        Code("CLF105", "unreadable", "error", "file cannot be read", "Check its permissions, or --on-bad-image skip."),
        Code("CLF106", "unreadable", "error", "image is too large", _SKIP),
        Code("CLF107", "unreadable", "error", "folder cannot be read", "Check its permissions."),
        Code("CLF108", "unreadable", "error", "pixels have no fixed range", "Save it with 8 or 16 bits a channel."),
        Code("CLF111", "outside", "error", "path leaves the data folder", _COPY),
        Code("CLF201", "manifest", "error", "manifest line cannot be read", _LINE),
        Code("CLF202", "manifest", "error", "manifest line lacks a key", _LINE),
        Code("CLF203", "manifest", "error", "label is not a string", 'Write labels in quotes: "label": "7".'),
        Code("CLF204", "manifest", "error", "value of a manifest line cannot be used", _LINE),
        Code("CLF205", "manifest", "error", "manifest cannot be read", "Check the file and its permissions."),
        Code(
            "CLF206",
            "split",
            "error",
            "split is unclear",
            "Keep one source for each split, and say it in all rows or in none.",
        ),
        Code(
            "CLF207",
            "litter",
            "info",
            "image that no manifest names",
            "Add it to a manifest, or leave it: it is not read.",
        ),
        Code(
            "CLF208",
            "litter",
            "info",
            "images outside the splits",
            "Move them into a split, or leave them: they are not read.",
        ),
        Code(
            "CLF209",
            "litter",
            "info",
            "manifest that is not read",
            "Name it with --data, if its labels are those that count, or leave it.",
        ),
        Code("CLF301", "conflict", "error", "one image under two labels", _SAME_LABEL),
        Code("CLF302", "conflict", "warning", "the same pixels under two labels", _SAME_LABEL),
        Code("CLF303", "conflict", "warning", "near duplicates under two labels", _LOOK),
        Code("CLF401", "leak", "warning", "one image in two splits", _SPLIT),
        Code("CLF402", "leak", "warning", "near duplicates in two splits", _SPLIT),
        Code("CLF411", "duplicate", "warning", "one image more than once", _DEDUPE),
        Code("CLF412", "duplicate", "warning", "near duplicates", _DEDUPE),
        Code(
            "CLF413",
            "duplicate",
            "warning",
            "manifest row repeats",
            "Remove the row, or let clf dedupe write a manifest without it.",
        ),
        Code(
            "CLF501",
            "unknown-class",
            "error",
            "class unknown to train",
            "Add train images of it, or --on-unknown-class skip.",
        ),
        Code(
            "CLF502",
            "classes",
            "error",
            "too few classes",
            "A classifier needs images of at least two classes in train.",
        ),
        Code("CLF503", "balance", "warning", "class lost all its train images", "Repair the files that are left out."),
        Code("CLF504", "balance", "warning", "class folder without images", "Fill it or remove it."),
        Code(
            "CLF505", "balance", "info", "class missing from a split", "Its accuracy there is not measured: add images."
        ),
        Code("CLF506", "balance", "info", "few images in a class", "Add images, or --balance loss|sampler."),
        Code(
            "CLF507",
            "balance",
            "info",
            "classes are imbalanced",
            "--balance loss|sampler, or more images of the rare ones.",
        ),
        Code(
            "CLF601",
            "naming",
            "warning",
            "class names differ only by case, Unicode form or space",
            "Merge the classes, or rename one.",
        ),
        Code("CLF602", "naming", "warning", "name holds invisible characters", _RENAME),
        Code("CLF603", "naming", "error", "name is not valid Unicode", _RENAME),
        Code(
            "CLF604",
            "naming",
            "info",
            "suffix is of another format",
            "Nothing breaks: content decides. Rename it for other tools.",
        ),
        Code(
            "CLF605",
            "naming",
            "warning",
            "images in no class folder",
            "Move them into a class folder: they are not read.",
        ),
        Code(
            "CLF701",
            "quality",
            "info",
            "EXIF turns the image",
            "clf turns it; check that the service that will use the model does.",
        ),
        Code(
            "CLF702",
            "quality",
            "info",
            "unusual mode or depth",
            "clf converts it to RGB with 8 bits: check that nothing is lost.",
        ),
        Code("CLF703", "quality", "info", "extreme aspect ratio", _LOOK),
        Code("CLF704", "quality", "info", "tiny image", _LOOK),
        Code("CLF705", "quality", "info", "near-constant image", _LOOK),
        Code("CLF706", "quality", "info", "dark image", _LOOK),
        Code("CLF707", "quality", "info", "blurred image", _LOOK),
        Code("CLF801", "litter", "info", "hidden files, passed over", "Nothing to do; they are never read."),
        Code(
            "CLF802",
            "litter",
            "info",
            "files of other kinds, passed over",
            "Convert those that are images, to JPEG or PNG for example.",
        ),
        Code(
            "CLF901",
            "suspect",
            "info",
            "the model disputes the label",
            "Look at them, the first ones first: correct the labels that are wrong. Many may be right.",
        ),
    )
}

CATEGORIES: tuple[Category, ...] = tuple(dict.fromkeys(code.category for code in CODES.values()))
WORDS: tuple[str, ...] = (*SEVERITIES, *CATEGORIES, *CODES)  # that --fail-on and --warn-on take
