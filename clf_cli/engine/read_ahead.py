"""Images that threads read one batch ahead of the network."""

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

from clf_cli.values.predictions import EVAL_BATCH

Item = TypeVar("Item")
Read = TypeVar("Read")


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
