"""One line of what `clf doctor` found."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Check:
    """`problem`: clf cannot be used as it is set up; `warning`: something is slow or missing; `hint`: the next step."""

    group: str
    name: str
    value: str
    status: Status = "ok"
    hint: str | None = None


def gigabytes(count: float) -> str:
    """Bytes as `24.1 GB`, or `64 MB` below one."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
