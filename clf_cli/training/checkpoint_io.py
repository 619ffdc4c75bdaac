"""Checkpoints that are whole or absent, and the previous `last` kept beside the new one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clf_cli.models.torch_files import load_torch, save_torch
from clf_cli.training.finite import require_finite
from clf_cli.training.lightning_door import TorchCheckpointIO
from clf_cli.training.second_name import link_into_place
from clf_cli.values.run_dir import RunDir


class AtomicCheckpointIO(TorchCheckpointIO):
    """What Lightning's `save_checkpoint` writes through; rotates last.ckpt to prev.ckpt.

    Lightning 2.6.6 writes to $TMPDIR and copies over the destination when that is another filesystem: a kill or a full
    disk then destroys the old checkpoint.
    """

    def __init__(self, run: RunDir) -> None:
        super().__init__()
        self._run = run

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        require_finite(checkpoint)
        path = Path(path)
        rotates = path == self._run.last and path.exists()
        save_torch(checkpoint, path, _keep(path, self._run.previous) if rotates else None)

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Lightning asks for weights_only=False where nobody says otherwise; here nothing of a file is ever run."""
        loaded: dict[str, Any] = load_torch(Path(path), "checkpoint", mapped=False)
        return loaded


def _keep(path: Path, previous: Path) -> Callable[[], object] | None:
    """Gives `path` a second name, so that a whole checkpoint exists at every moment.

    Where there are no hard links it returns what is to be done once the new file is whole: `path` moves aside, and for
    a moment `previous` is the newest.
    """
    return None if link_into_place(path, previous) else lambda: path.replace(previous)
