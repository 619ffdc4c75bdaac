"""`--compile auto`: whether compiled training steps save more than compiling takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from statistics import median

from clf_cli.models.compute import Compilation, apply
from clf_cli.render.text import counted
from clf_cli.settings.resolved import Resolved, sources
from clf_cli.training.start import Start

# resnet18 at 224 px and batch 256 in bf16 on an H200: 18,000 images a second against 13,300, after 16 seconds.
SAVED = 0.26  # of a step that is no CUDA graph
SECONDS = 16.0  # of compiling
TENSORS = 62  # of that network's parameters; compiling others is taken to grow with theirs
WORTH = 2.0  # times the seconds of compiling: what must be saved, for SAVED was measured with one network
TIMED = 3  # steps, after two that choose kernels


@dataclass(frozen=True)
class StepTimes:
    """Seconds of a training step on a GPU, called plainly and as the run calls it (a CUDA graph where it may), and the
    network's parameter tensors."""

    plain: float
    own: float
    tensors: int


def with_compilation(start: Start, resolved: Resolved) -> Start:
    """The same start with `on` or `off` in the place of `auto`. On a GPU a few steps are timed; on a CPU, where it
    lost, and with `--deterministic` nothing is."""
    section = start.settings.compute
    if section.compile != "auto":
        return start
    decided, why = _decided(start)
    settings = start.settings.model_copy(update={"compute": section.model_copy(update={"compile": decided})})
    return replace(
        start,
        record=replace(start.record, compile=decided),
        settings=settings,
        settings_toml=Resolved(settings, sources(resolved)).to_toml(),
        compute=replace(start.compute, compile=decided),
        notes=(*start.notes, f"--compile auto: {decided}, {why}."),
    )


def pays(steps: int, times: StepTimes) -> tuple[bool, float, float]:
    """Whether it does, seconds saved by `steps` compiled steps, and seconds of compiling; both are estimates.

    A step that is shorter as a CUDA graph is held against that: compiled ones are launched one by one.
    """
    saved = steps * (times.own - (1 - SAVED) * times.plain)
    cost = SECONDS * max(1.0, times.tensors / TENSORS)
    return saved >= WORTH * cost, saved, cost


def _decided(start: Start) -> tuple[Compilation, str]:
    if not start.compute.device.startswith("cuda"):
        return "off", f"compiled steps were not faster on a {start.compute.device.partition(':')[0].upper()}"
    if start.compute.deterministic:
        return "off", "as --deterministic asks"
    if find_spec("triton") is None:
        return "off", "Triton is not installed"
    steps = planned_steps(start)
    times = step_times(start)
    if times is None:
        return "off", "memory ran out while steps were timed"
    yes, saved, cost = pays(steps, times)
    what = f"{counted(steps, 'step')} of {1000 * times.own:.1f} ms would save about {max(saved, 0):.0f} s"
    return "on" if yes else "off", f"{what}, and compiling takes about {cost:.0f}"


def planned_steps(start: Start) -> int:
    """Batches of the whole run, without early stopping."""
    optim = start.settings.optim
    return optim.epochs * -(-len(start.dataset.split("train")) // optim.images_per_batch)


def step_times(start: Start) -> StepTimes | None:
    """Steps of whole batches of the run's network on its device; None where memory runs out. torch's generator is as
    before afterwards."""
    import torch  # seconds, which a run that decides nothing spends later

    from clf_cli.training.probe import give_back, is_out_of_memory

    apply(start.compute)
    optim, alone = start.settings.optim, []
    devices = [torch.device(start.compute.device)] if start.compute.device.startswith("cuda") else []
    graphs = (False, True) if devices and optim.accumulate == 1 and optim.freeze_epochs == 0 else (False,)
    with torch.random.fork_rng(devices=devices):
        for graph in graphs:
            try:
                alone.append(_timed(start, graph))
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                return None
            finally:
                give_back()
    return StepTimes(alone[0][0], min(seconds for seconds, _ in alone), alone[0][1])


def _timed(start: Start, graphs: bool) -> tuple[float, int]:
    """Seconds of a step, and the network's parameter tensors."""
    from clf_cli.training.probe import Probe, Steps

    steps = Steps(replace(Probe.of(start), graphs=graphs))
    images = min(start.settings.optim.images_per_batch, len(start.dataset.split("train")))

    def step() -> None:
        steps.train(max(2, images))
        if steps.device.type == "cuda":
            import torch

            torch.cuda.synchronize(steps.device)

    for _ in range(2):
        step()
    return median(seconds_of(step) for _ in range(TIMED)), len(list(steps.module.network.parameters()))


def seconds_of(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
