"""What a model says of one image, as `clf predict` and `load_model` tell it (docs/design.md, schemas)."""

from dataclasses import dataclass, field
from typing import Any

from clf_cli.values.predictions import FloatArray


@dataclass(frozen=True)
class Candidate:
    """A class and its probability, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The answer for one image, or why there is none.

    Where the model abstains, `label` and `index` are None and `probability` is that of the best candidate. Where the
    image cannot be read, `error` says why, everything else is None and `top` is empty.
    """

    path: str | None  # as it was named; None for pixels that came from no file
    label: str | None = None
    index: int | None = None  # of the label in the model's labels
    probability: float | None = None
    top: tuple[Candidate, ...] = ()  # most probable first
    error: str | None = None
    logits: FloatArray | None = field(default=None, repr=False, compare=False)  # (C,) as the network gave them

    @property
    def abstained(self) -> bool:
        """Whether the image was read and no class was probable enough."""
        return self.error is None and self.index is None

    def to_json(self) -> dict[str, Any]:
        """A prediction line, version 1; logits stay out of it."""
        return {
            "path": self.path,
            "label": self.label,
            "index": self.index,
            "probability": self.probability,
            "top": [{"label": one.label, "probability": one.probability} for one in self.top],
            "error": self.error,
        }
