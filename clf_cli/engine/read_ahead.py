"""Images that threads read one batch ahead of the network."""

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

import numpy as np
from PIL import Image

from clf_cli.data.images import UnreadableImageError
from clf_cli.values.predictions import EVAL_BATCH
from clf_cli.values.preprocess import InputArray, Preprocess, preprocess_image

Item = TypeVar("Item")
Read = TypeVar("Read")


@dataclass(frozen=True)
class InputBatch(Generic[Item]):
    """Items in their order, why each could not be read (None: it was), and the inputs of those that were."""

    items: tuple[Item, ...]
    reasons: tuple[UnreadableImageError | None, ...]
    inputs: InputArray  # (n, ...); its memory is used again for the batch after the next one


class _Memory:
    """Two arrays in turn, for the batch that is worked on and the one that is read: fresh ones cost page faults."""

    def __init__(self, preprocess: Preprocess) -> None:
        self._shape = preprocess.input_shape
        self._dtype = np.uint8 if preprocess.normalized_in_graph else np.float32
        self._arrays: list[InputArray] = [np.empty((0, *self._shape), self._dtype)] * 2

    def next(self, count: int) -> InputArray:
        """Room for so many inputs, in the array that was not given last."""
        self._arrays.reverse()
        if len(self._arrays[0]) < count:
            self._arrays[0] = np.empty((count, *self._shape), self._dtype)
        return self._arrays[0][:count]


def inputs_ahead(
    items: Iterable[Item | None], opened: Callable[[Item], Image.Image], preprocess: Preprocess, workers: int
) -> Generator[InputBatch[Item], None, None]:
    """The network's inputs of what `opened` makes of each item, by `batches_of`, each batch in one array.

    An item on which `opened` raises UnreadableImageError has no input. `workers` threads read one batch ahead.
    """
    memory = _Memory(preprocess)
    given: list[InputArray] = []  # the rooms of the batches on their way

    def placed(batch: list[Item]) -> list[tuple[Item, InputArray]]:
        if not batch:
            return []
        given.append(memory.next(len(batch)))
        return list(zip(batch, given[-1], strict=True))

    def read(place: tuple[Item, InputArray]) -> tuple[Item, UnreadableImageError | None]:
        item, room = place
        try:
            preprocess_image(opened(item), preprocess, room)
        except UnreadableImageError as error:
            return item, error
        return item, None

    for found in read_ahead(map(placed, batches_of(items)), read, workers):
        done, reasons = zip(*found, strict=True)
        inputs = given.pop(0)
        if any(reasons):
            inputs = inputs[[reason is None for reason in reasons]]
        yield InputBatch(done, reasons, inputs)


def batches_of(items: Iterable[Item | None]) -> Generator[list[Item], None, None]:
    """The items by EVAL_BATCH, in order.

    A None among them says that the next one may take long: what is there is handed over, and an empty batch after it,
    so that `read_ahead` gives everything that it holds.
    """
    batch: list[Item] = []
    for item in items:
        if item is None:
            yield from (batch, []) if batch else ([],)
            batch = []
            continue
        batch.append(item)
        if len(batch) == EVAL_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def read_ahead(
    batches: Iterable[Sequence[Item]], read: Callable[[Item], Read], workers: int
) -> Generator[list[Read], None, None]:
    """`read` of every item, batch by batch in order, empty ones left out; `workers` threads read the next batch
    while the caller works on one, so that two are in memory. What `read` raises is raised here."""
    pool = ThreadPoolExecutor(max(1, workers))
    ahead: list[Future[Read]] = []
    try:
        for batch in chain(batches, ((),)):
            done = [future.result() for future in ahead]
            ahead = [pool.submit(read, item) for item in batch]
            if done:
                yield done
    finally:
        pool.shutdown(cancel_futures=True)  # who leaves early waits for the files in hand only
