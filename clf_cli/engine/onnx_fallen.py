"""What was tried and not kept."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Fallen:
    """A tool, or a way to use one, whose file was not kept. `reason` is a clause: `it did not finish within 600 s`."""

    rung: str
    reason: str

    @property
    def line(self) -> str:
        return f"{self.rung} was passed over: {self.reason}."

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
