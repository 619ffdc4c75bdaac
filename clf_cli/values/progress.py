"""How long work tells how far it is, without knowing who watches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Opens a bar with a description and a total, None where nobody knows it; the block advances it by counts."""

    def __call__(self, description: str, total: int | None) -> AbstractContextManager[Advance]: ...


@contextmanager
def silent(description: str, total: int | None) -> Iterator[Advance]:
    """The progress that nobody watches."""
    yield lambda count: None
