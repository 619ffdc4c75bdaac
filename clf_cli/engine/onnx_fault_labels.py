"""Columns of answers that stand under other names than their own, found by what they say."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clf_cli.values.labels import Labels, shown
from clf_cli.values.predictions import FloatArray

_TOLD = 5
IntOrder = npt.NDArray[np.intp]


def best_order(expected: FloatArray, found: FloatArray) -> IntOrder | None:
    """(C,) the column of `found` (N, C) that is nearest to each one of `expected`; None unless that is another order.

    A column is used once: where two want it the nearer one gets it.
    """
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return None
    ours, theirs = expected.astype(np.float64), found.astype(np.float64)
    apart = (ours**2).sum(axis=0)[:, None] + (theirs**2).sum(axis=0)[None] - 2 * ours.T @ theirs
    if (apart.argmin(axis=1) == np.arange(len(apart))).all():
        return None
    order = np.full(len(apart), -1, dtype=np.intp)
    free = np.ones(len(apart), dtype=np.bool_)
    for cell in np.argsort(apart, axis=None, kind="stable"):
        row, column = divmod(int(cell), len(apart))
        if order[row] < 0 and free[column]:
            order[row], free[column] = column, False
    return None if (order == np.arange(len(order))).all() else order


def in_words(contract: Labels, reference: Labels, order: IntOrder) -> tuple[str, str]:
    """The labels of the contract and those that its columns really answer for, where the two differ."""
    real = list(contract)
    for row, column in enumerate(order):
        real[contract.indices[reference.names[column]]] = reference.names[row]
    moved = [position for position, name in enumerate(contract) if real[position] != name]
    return _listed(contract.names, moved), _listed(real, moved)


def sorted_as(names: Sequence[str]) -> str | None:
    """`text` or `numbers`, where the names are in that order and not in the other one too."""
    as_text, as_numbers = sorted(names), sorted(names, key=natural)
    if as_text == as_numbers:
        return None
    return "text" if list(names) == as_text else "numbers" if list(names) == as_numbers else None


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key in which `class10` comes after `class9`."""
    parts = [part.lstrip("0") if part.isdecimal() else part for part in re.findall(r"\d+|\D+", name)]
    return [(0, len(part), part) if not part or part.isdecimal() else (1, 0, part) for part in parts]


def _listed(names: Sequence[str], positions: Sequence[int]) -> str:
    told = [f"{position}: {shown(names[position])}" for position in positions[:_TOLD]]
    order = sorted_as(names)
    more = [f"and {len(positions) - _TOLD} more"] if len(positions) > _TOLD else []
    return ", ".join([*told, *more]) + (f" (sorted as {order})" if order else "")
