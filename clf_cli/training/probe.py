"""Training steps of given batch sizes, tried in a process of its own: running out of memory there costs nothing here.

`python -m clf_cli.training.probe` reads a line of JSON, what to try, then a batch size a line, and answers each with
`fits` or `too large`. It ends with its input.
"""

import contextlib
import gc
import json
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from clf_cli.child_signals import leave_to_parent
from clf_cli.models.malloc import give_back_freed_memory

if TYPE_CHECKING:
    from clf_cli.training.start import Start

READY, FITS, TOO_LARGE = "ready", "fits", "too large"
GPU_SHARE = 0.95  # of the free memory: the rest is for fragments, and for this process's context beside the run's own
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "annot allocate memory",
    "bad_alloc",
    "backend out of memory",  # MPS
    "could not create a",  # oneDNN, of a primitive or its memory
)


@dataclass(frozen=True)
class Probe:
    """What to try: a run's settings and preprocessing as plain data, its classes, and where it computes.

    `room` are bytes of main memory that it may take, None where nobody knows; `taken` are those of them that the run
    fills with other things; `validates` is whether a batch of validation is part of it, `graphs` whether the network's
    passes are CUDA graphs.
    """

    settings: dict[str, Any]
    preprocess: dict[str, Any]
    classes: int
    device: str
    precision: str
    threads: int
    room: int | None = None
    taken: int = 0
    validates: bool = False
    graphs: bool = False

    @classmethod
    def of(cls, start: "Start") -> "Probe":
        """Training alone, as the run does it."""
        return cls(
            settings=start.settings.model_dump(mode="json"),
            preprocess=start.preprocess.to_json(),
            classes=len(start.dataset.labels),
            device=start.compute.device,
            precision=start.compute.precision,
            threads=start.compute.threads,
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is what Python, torch or oneDNN raise when an allocation fails."""
    import torch  # not at the top: a child looks after its parent first

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def main() -> None:
    """The child. Its first answer is `ready` once a batch of two was trained and one of validation scored."""
    leave_to_parent()
    probe = Probe(**json.loads(sys.stdin.readline()))
    made: list[Steps] = []
    ready = _has_room(lambda: made.append(_started(probe)))
    _answer(READY if ready else TOO_LARGE)
    for line in sys.stdin:
        _answer(FITS if ready and _has_room(partial(made[0].train, int(line))) else TOO_LARGE)


def _answer(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _has_room(work: Callable[[], None]) -> bool:
    """Whether it ends without running out of memory; what it held is given back."""
    try:
        work()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        give_back()
    return True


def give_back() -> None:
    """Frees what nothing refers to any more, on a GPU too."""
    gc.collect()
    give_back_freed_memory()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _started(probe: Probe) -> "Steps":
    """Steps within the memory that the probe names, the first ones taken."""
    import torch  # seconds

    from clf_cli.data.warp import opencv
    from clf_cli.models.malloc import keep_freed_memory
    from clf_cli.training.room import limit_addresses

    opencv()  # which takes addresses of the run as well
    import_module("clf_cli.training.module")  # before the limit: what libraries map is not the step's
    torch.set_num_threads(probe.threads)
    device = torch.device(probe.device)
    if device.type == "cpu":
        keep_freed_memory()
        limit_addresses(probe.room, probe.taken)
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        torch.cuda.set_per_process_memory_fraction(GPU_SHARE * free / total, device)
    steps = Steps(probe)
    steps.begin()
    return steps


class Steps:
    """A run's network and optimiser in memory, without its loaders, its callbacks and Lightning's loop."""

    def __init__(self, probe: Probe) -> None:
        from clf_cli.settings.root import Settings
        from clf_cli.values.preprocess import Preprocess

        settings = Settings.model_validate(probe.settings)
        preprocess = Preprocess.from_json(probe.preprocess)
        import torch  # seconds

        from clf_cli.models.build import build_network
        from clf_cli.training.module import ClassifierModule

        self.probe = probe
        self.device = torch.device(probe.device)
        self.size = (preprocess.height, preprocess.width)
        network = build_network(settings.model.arch, probe.classes, settings.model.drop_rate, image_size=self.size)
        self.module = ClassifierModule(network, _step_settings(probe, settings, preprocess), ()).to(self.device)
        self.optimizer = self.module.configure_optimizers()["optimizer"]
        self.averages = settings.ema.enabled

    def begin(self) -> None:
        """All that is in memory from the second step on, the average too."""
        self.average = deepcopy(self.module.network) if self.averages else None
        self.train(2)
        if self.probe.validates:
            self.validate()

    def train(self, images: int, precision: str | None = None) -> None:
        """One step of so many images, in the run's precision or another."""
        import torch

        pixels = torch.randint(256, (images, 3, *self.size), dtype=torch.uint8).to(self.device)
        targets = (torch.arange(images) % self.probe.classes).to(self.device)
        self.optimizer.zero_grad(set_to_none=True)
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision or self.probe.precision)
        mixed = contextlib.nullcontext() if half is None else torch.autocast(self.device.type, half)
        self.module.train()
        with mixed:
            loss = self.module.loss_of(pixels, targets)[0]
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        self.optimizer.step()

    def validate(self) -> None:
        """One batch of validation, in fp32."""
        import torch

        from clf_cli.values.predictions import EVAL_BATCH

        with torch.no_grad():
            images, nothing = torch.zeros(EVAL_BATCH, 3, *self.size, device=self.device), torch.empty(0)
            self.module.eval().validation_step((images, nothing, nothing), 0)


def _step_settings(probe: Probe, settings: Any, preprocess: Any) -> Any:
    from clf_cli.training.module import StepSettings
    from clf_cli.training.schedule import schedule_of

    return StepSettings(
        optim=settings.optim,
        augment=settings.augment,
        preprocess=preprocess,
        schedule=schedule_of(settings.optim, 1, {}),
        classes=probe.classes,
        channels_last=settings.compute.channels_last,
        fused_optimizer=probe.device.partition(":")[0] in ("cpu", "cuda") and probe.precision != "fp16",
        class_weights=None,
        graphs=probe.graphs,
    )


if __name__ == "__main__":
    main()
