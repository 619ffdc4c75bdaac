"""A run that is decided and not begun, for tests of what happens between."""

from pathlib import Path

from clf_cli.settings.load import Resolved
from clf_cli.settings.root import Settings
from clf_cli.settings.sections import ComputeSection, DataSection, ModelSection, OptimSection, TrainSection
from clf_cli.training.start import Start, fresh_start
from clf_cli.values.progress import silent
from tests.running import TINY_ARCH


def tiny_start(data: Path, out: Path, name: str | None = None) -> Start:
    """Of a run like `tiny_run`."""
    settings = Settings(
        data=DataSection(root=data),
        model=ModelSection(arch=TINY_ARCH, pretrained=False, image_size=32),
        optim=OptimSection(epochs=2, batch_size=8),
        train=TrainSection(out=out, name=name),
        compute=ComputeSection(device="cpu", threads=1, workers=0),
    )
    return fresh_start(Resolved(settings, {}), silent, ("clf", "train"), remember=False)
