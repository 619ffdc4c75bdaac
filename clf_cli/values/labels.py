"""Class names and their order: the one place where a name becomes an index."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

EMPTY_SHOWN = "(empty)"


@dataclass(frozen=True)
class Labels:
    """The classes of a model; the position of a name is its logit's index. Names are unique and may be empty."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError("class names repeat")

    @classmethod
    def of(cls, labels: Iterable[str]) -> "Labels":
        """The distinct labels in code-point order."""
        return cls(tuple(sorted(set(labels))))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.indices

    @cached_property
    def indices(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    @property
    def shown(self) -> tuple[str, ...]:
        """Names as tables and pictures show them."""
        return tuple(shown(name) for name in self.names)


def shown(name: str) -> str:
    """A label for people: the empty string becomes `(empty)`."""
    return name or EMPTY_SHOWN
