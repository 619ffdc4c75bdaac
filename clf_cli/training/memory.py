"""Running out of memory, told with the flag to lower."""

from collections.abc import Callable

import torch

from clf_cli.errors import RunError


def told_memory(train: Callable[[], object], device: str, batch_size: int) -> None:
    """Runs `train`; running out of memory becomes a RunError (exit 6) that names the flag to lower, and so does a batch
    too small for batch normalisation."""
    message = f"Out of memory on {device} at batch size {batch_size}."
    hint = "Lower --batch-size (--accumulate keeps the effective one), --image-size or --workers."
    try:
        train()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunError(message, hint) from error
    except RuntimeError as error:  # what torch's CPU allocator raises
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        raise RunError(message, hint) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise RunError(
            f"This network's batch normalisation cannot learn from {batch_size} image at a time.",
            "Raise --batch-size or --image-size.",
        ) from error
