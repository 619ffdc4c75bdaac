"""Running out of memory, told with the batch size that fits and the flag to lower."""

import traceback
from collections.abc import Callable

from clf_cli.errors import RunError
from clf_cli.training.probe import give_back, is_out_of_memory

HINT = "Lower --batch-size (--batch-size auto makes up for it with --accumulate), --image-size or --workers."
Search = Callable[[int], str]  # batch size -> what is known of those that fit, in a sentence


def told_memory(train: Callable[[], object], device: str, batch_size: int, search: Search) -> None:
    """Runs `train`. Running out of memory becomes a RunError (exit 6) that names the largest batch that fits and the
    flag to lower; so does a batch too small for batch normalisation."""
    try:
        train()
        return
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold the step's tensors
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise RunError(
            "This network's batch normalisation cannot learn from one image at a time.",
            "Raise --batch-size or --image-size.",
        ) from error
    give_back()
    raise RunError(f"Out of memory on {device} at batch size {batch_size}. {search(batch_size)}".strip(), HINT)
