"""The other keys of manifest rows, by name: `metadata.camera.id` is a key inside an object inside an object."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clf_cli.data.dataset import Dataset
from clf_cli.data.layout import read_layout
from clf_cli.data.samples import Sample, printable
from clf_cli.errors import UsageError
from clf_cli.settings.nearest import near_word

LISTED = 20


def with_metadata(dataset: Dataset, data: Path) -> tuple[Dataset, int]:
    """The rows with the keys that they have in the manifests of `data`, and how many rows are no longer there.

    For the rows of a run's splits.csv, which carries none. Rows are matched by path and label; of rows that repeat an
    image, the first gets the first one's keys.
    """
    listed: dict[tuple[str, str], deque[Sample]] = defaultdict(deque)
    for row in read_layout(data).samples:
        listed[row.path, row.label].append(row)
    samples = tuple(_filled(row, listed[row.path, row.label]) for row in dataset.samples)
    lost = sum(row is filled for row, filled in zip(dataset.samples, samples, strict=True))
    return replace(dataset, samples=samples), lost


def keys_and_values(row: Sample) -> Iterator[tuple[str, Any]]:
    """Every key of a row but image, label and split, dotted where it lies inside another, with its value."""
    return _leaves(_keys_of(row))


def values_of(samples: Iterable[Sample], key: str) -> tuple[Any, ...]:
    """(N,) what each row has under a dotted key: text, a number, a boolean, a list; None where it has none."""
    return tuple(dict(_leaves(_keys_of(row))).get(key) for row in samples)


def keys_of(samples: Iterable[Sample]) -> list[str]:
    """Every key that a row has, in order of appearance."""
    return list(dict.fromkeys(key for row in samples for key, _ in keys_and_values(row)))


def require_keys(dataset: Dataset, keys: Iterable[str]) -> None:
    """Raises UsageError (exit 2) for a key that no row has, naming those that there are."""
    known = keys_of(dataset.samples)
    for key in keys:
        if not known:
            raise UsageError(
                f"--by {key}: the images of {dataset.root} have no keys but their label.",
                'Slices need a manifest whose rows say more, such as "metadata": {"camera": "a"}; folders have none.',
            )
        if key not in known:
            raise no_such_key("--by", key, known)


def no_such_key(flag: str, key: str, known: Sequence[str], others: str = "") -> UsageError:
    """What to say of a key that is none of `known`; `others` is what the flag takes too."""
    near = printable(near_word(key, known))
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return UsageError(
        f"{flag} {printable(key)}: no image has this key{f'; {near}' if near else '.'}",
        f"The keys are {', '.join(printable(name) for name in known[:LISTED])}{more}{others}.",
    )


def _filled(row: Sample, listed: deque[Sample]) -> Sample:
    if not listed:
        return row
    found = listed.popleft()
    return replace(row, metadata=found.metadata, group=found.group)


def _keys_of(row: Sample) -> Mapping[str, Any]:
    return row.metadata if row.group is None else {**row.metadata, "group": row.group}


def _leaves(keys: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Everything that is no object, under its dotted name."""
    for key, value in keys.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
