"""TensorBoard: event files in RUN/tracker/tensorboard; a resumed run adds another file there."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from clf_cli.training.trackers.tracker import Ending, Plain, TrackedRun


@dataclass(frozen=True)
class TensorBoard:
    """Scalars and images at each epoch; settings as a table and for its HPARAMS page; files by their paths."""

    id: str
    where: str
    writer: SummaryWriter

    def settings(self, values: Mapping[str, Plain]) -> None:
        rows = "".join(f"| `{name}` | {'' if value is None else value} |\n" for name, value in values.items())
        self.writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}")
        named = {name: "" if value is None else value for name, value in values.items()}
        # add_hparams would start a folder of its own for each call
        for summary in hparams(named, {"val/acc_top1": 0.0, "val/loss": 0.0}):  # type: ignore[no-untyped-call]
            self.writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]
        self.writer.flush()

    def scores(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def picture(self, name: str, path: Path, epoch: int) -> None:
        with Image.open(path) as image:
            self.writer.add_image(name, np.asarray(image.convert("RGB")), epoch, dataformats="HWC")

    def file(self, path: Path, folder: str) -> None:
        self.writer.add_text(f"files/{path.name}", f"`{path.resolve().as_posix()}`")

    def close(self, ending: Ending) -> None:
        self.writer.close()

    def abandon(self) -> None:
        """There is nothing to take back."""


def open_tensorboard(run: TrackedRun) -> TensorBoard:
    folder = run.folder.tracker / "tensorboard"
    where = f"tensorboard --logdir {shlex.quote(folder.as_posix())}"
    return TensorBoard(id=run.folder.relative(folder), where=where, writer=SummaryWriter(str(folder)))
