"""A checkpoint whose training state Lightning cannot take up is the file's fault and ends as such."""

from collections.abc import Callable
from pathlib import Path
from shlex import quote

from clf_cli.errors import ClfError, ModelError, first_line
from clf_cli.training.lightning_door import L
from clf_cli.training.probe import is_out_of_memory


class _Begun(L.Callback):
    """Whether everything was restored and the first epoch begins."""

    def __init__(self) -> None:
        self.seen = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seen = True


def told_checkpoint(trainer: L.Trainer, checkpoint: Path | None, fit: Callable[[], object]) -> None:
    """Runs `fit`. What Lightning raises before the first step of a run that continues becomes a ModelError (exit 4):
    weights, labels and settings were read and checked before, optimiser, loops and callbacks are its own."""
    begun = _Begun()
    trainer.callbacks.append(begun)  # type: ignore[attr-defined]  # declared where Lightning's mixins are
    try:
        fit()
    except (ClfError, MemoryError):
        raise
    except Exception as error:
        if checkpoint is None or begun.seen or is_out_of_memory(error):
            raise
        raise ModelError(
            f"{checkpoint} holds a training state that cannot be taken up: {type(error).__name__} {first_line(error)}.",
            "Continue from another checkpoint of the run, or start a new run from its weights: "
            f"--init-from {quote(str(checkpoint))}",
        ) from error
