"""Which images belong together: the folder of the file, a pattern of its path, or a key of its manifest row."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from clf_cli.data.metadata import keys_of, no_such_key, values_of
from clf_cli.data.samples import Sample, printable
from clf_cli.errors import UsageError

PARENT = "parent"
PATTERN = "path:"


def grouped(samples: Sequence[Sample], by: str) -> tuple[Sample, ...]:
    """The rows with the group that `by` gives them, None where it says nothing of a row.

    `parent` is the folder that holds the file; `path:REGEX` what the first group of the expression, or without one all
    of it, matches in the path; anything else is a key of the rows, dotted where it lies in an object. Raises UsageError
    (exit 2) for an expression that is none, and where no row gets a group.
    """
    if by == PARENT:
        groups: list[str | None] = [PurePosixPath(row.path).parent.as_posix() for row in samples]
    elif by.startswith(PATTERN):
        groups = _matched(samples, by.removeprefix(PATTERN))
    else:
        groups = [_text(value) for value in values_of(samples, by)]
        if all(group is None for group in groups):
            raise _no_groups(by, keys_of(samples))
    return tuple(replace(row, group=group) for row, group in zip(samples, groups, strict=True))


def _matched(samples: Sequence[Sample], expression: str) -> list[str | None]:
    try:
        pattern = re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(
            f"--group-by {PATTERN}{printable(expression)}: {error}.",
            r"An example: --group-by 'path:^(game_\d+)/' groups the images of each game.",
        ) from error
    found = [pattern.search(row.path) for row in samples]
    if not any(found):
        raise UsageError(
            f"--group-by {PATTERN}{printable(expression)} matches no path.",
            f"The first path is {printable(samples[0].path)}.",
        )
    return [match and (match[1] if pattern.groups else match[0]) for match in found]


def _text(value: Any) -> str | None:
    """Text as it is, so that `7` and `"7"` are one group; an empty one is none."""
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "backslashreplace").decode()


def _no_groups(by: str, known: Sequence[str]) -> UsageError:
    if known:
        return no_such_key("--group-by", by, known, "; others are parent and path:REGEX")
    return UsageError(
        f"--group-by {printable(by)}: the images have no keys but their label.",
        "Folders have none: say --group-by parent, or --group-by 'path:REGEX'.",
    )
