"""What a training run costs besides its epochs, and what its first step does: CPU seconds, all sides in turns.

    uv run python benchmarks/fixed_cost.py [--data DIR] [--rounds 3] [--timm-train FILE] [--environments DIR]
    uv run python benchmarks/fixed_cost.py --table

Runs: resnet18 at 96 px from random weights, batch 32, one math thread, one process that reads, on 64 train and 16 val
JPEG files of 400 px that the script draws. Each program trains 1 and 3 epochs; the straight line through the least CPU
times of the whole process tree is its cost per epoch, and its start is what is fixed. clf has its default settings,
`--precision auto` and its probe included, with everything on and without export, pictures and reports. timm's train
script is in no package on PyPI: --timm-train names the file, and without it a bare run (bare_run.py) stands in for it,
which the lines call so. --environments is the folder of benchmarks/peers.py, whose peers then take part.

First step: from the start of `clf train` to the optimiser's first step inside Lightning's loop, with a warm scan cache
and with none, and importing torch, timm and lightning and building the network (without wandb, which timm imports
where it is installed), each in a process of its own that ends at once. Scan: of --data with no cache, and decoding
every file once with Pillow. Folder: MB of a run of 5 epochs on --data but for checkpoints/ and export/, of a small
network.

Every measurement is a JSON line, appended at once; those that are there are skipped, so the script can be cut at any
moment.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from machine import load, machine
from peers import BATCH, Case, cpu_seconds, draw_data, fastai, from_random_weights, python_of, timm, ultralytics

EPOCHS, PX, IMAGES = (1, 3), 96, (64, 16)
STAND_IN, TIMM = "bare run in timm's place", "timm"
BARE = "clf, without export and pictures"
WITHOUT = (
    "--no-export", "--pictures", "last", "--no-report", "--no-history", "--no-confusion", "--no-samples",
    "--no-sampler-stats", "--no-dataset-stats", "--no-model-info",
)  # fmt: skip
IMPORTS = """
import os, sys
sys.modules["wandb"] = None
import torch, timm, lightning.pytorch
timm.create_model("resnet18", num_classes=10)
os._exit(0)
"""
FIRST_STEP = """
import os, sys
from importlib.util import find_spec
class Finder:
    def find_spec(self, name, path, target=None):
        if name != "lightning.pytorch.loops.optimization.automatic":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        run = spec.loader.exec_module
        def watched(module):
            run(module)
            step = module._AutomaticOptimization._optimizer_step
            def first(*arguments):
                step(*arguments)
                os._exit(0)
            module._AutomaticOptimization._optimizer_step = first
        spec.loader.exec_module = watched
        return spec
sys.meta_path.insert(0, Finder())
from clf_cli.__main__ import main
sys.argv = ["clf", *sys.argv[1:]]
sys.exit(main() or 70)
"""
SCAN = """
import json, resource, sys
from pathlib import Path
from PIL import Image
from clf_cli.data.dataset import load_dataset
from clf_cli.settings.sections import DataSection
from clf_cli.values.progress import silent
def cpu():
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
root = Path(sys.argv[1])
import clf_cli.data.quality, numpy
for number, path in enumerate(path for path in root.rglob("*") if path.suffix in (".jpg", ".png")):
    path.read_bytes()  # from the disk once
    if number < 20:
        Image.open(path).convert("RGB")  # Pillow's readers are imported
start = cpu()
data = load_dataset(DataSection(root=root), 0, 1, silent, True)
cold = cpu()
load_dataset(DataSection(root=root), 0, 1, silent, True)
warm = cpu()
for path in data.files:
    with Image.open(root / path) as image:
        image.convert("RGB")
print(json.dumps([cold - start, warm - cold, cpu() - warm, len(data.files)]))
"""

Program = Callable[[Case], list[str]]


def clf(flags: tuple[str, ...], case: Case) -> list[str]:
    return [
        *(sys.executable, "-m", "clf_cli", "train", "--data", str(case.data), "--out", str(case.out), "--name", "run"),
        *("--arch", "resnet18", "--no-pretrained", "--image-size", str(case.px), "--batch-size", str(BATCH)),
        *("--epochs", str(case.epochs), "--workers", "1", "--threads", "1", "--device", "cpu", "--quiet", *flags),
    ]


def stand_in(case: Case) -> list[str]:
    script = Path(__file__).with_name("bare_run.py")
    return [sys.executable, *map(str, (script, case.data, case.px, case.epochs, BATCH, case.out))]


def programs(environments: Path | None, timm_train: Path | None) -> dict[str, Program | str]:
    """How each is run, or why it is not."""
    found: dict[str, Program | str] = {BARE: partial(clf, WITHOUT), "clf": partial(clf, ()), STAND_IN: stand_in}
    found[TIMM] = "timm's train.py is in no package on PyPI, and --timm-train does not name it"
    if environments is None:
        return found
    makers: dict[str, Callable[[Path], Program]] = {
        "ultralytics": lambda python: partial(ultralytics, python, from_random_weights(python)),
        "fastai": lambda python: partial(fastai, python),
    }
    if timm_train is not None:
        makers[TIMM] = lambda python: partial(timm, python, timm_train)
    for name, make in makers.items():
        try:
            found[name] = make(python_of(environments, name))
        except (subprocess.CalledProcessError, OSError, StopIteration) as error:
            said = str(getattr(error, "stderr", None) or error).strip()
            found[name] = f"not installed: {said.splitlines()[-1] if said else type(error).__name__}"
    return found


def timed_run(program: Program, data: Path, epochs: int, scratch: Path) -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        try:
            return {"cpu_s": round(cpu_seconds(program(Case(data, PX, epochs, Path(out))), scratch), 2)}
        except subprocess.CalledProcessError as error:
            last = [*filter(None, (error.stderr or error.stdout or "").strip().splitlines())][-1:]
            return {"failed": (last or [str(error.returncode)])[0][:300]}


def fixed_costs(lines: list[dict[str, object]]) -> dict[str, dict[str, float]]:
    """`fixed` and `epoch` CPU seconds of each program that was measured at both lengths."""
    found = {}
    runs = [line for line in lines if line["case"] == "run" and "cpu_s" in line]
    for name in dict.fromkeys(str(line["program"]) for line in runs):
        of = [line for line in runs if line["program"] == name]
        times = [[float(str(line["cpu_s"])) for line in of if line["epochs"] == epochs] for epochs in EPOCHS]
        if all(times):
            first, last = (min(values) for values in times)
            slope = (last - first) / (EPOCHS[1] - EPOCHS[0])
            found[name] = {"fixed": first - EPOCHS[0] * slope, "epoch": slope}
    return found


def first_step(data: Path, cold: bool, scratch: Path) -> float:
    """CPU seconds to the first step; `cold` without what was learnt of the data before."""
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        cache = Path(out) / "cache" if cold else scratch / "clf"
        words = clf(("--workers", "0"), Case(data, PX, 1, Path(out)))[3:]
        return cpu_seconds(["env", f"CLF_CACHE_DIR={cache}", sys.executable, "-c", FIRST_STEP, *words], scratch)


def scan(data: Path, scratch: Path) -> dict[str, object]:
    """CPU seconds of one core: a scan with no cache, one with it, and decoding every file once."""
    with tempfile.TemporaryDirectory(dir=scratch) as cache:
        environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "CLF_CACHE_DIR": cache}
        only = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
        words = [*only, sys.executable, "-c", SCAN, str(data)]
        done = subprocess.run(words, env=environment, cwd=scratch, check=True, capture_output=True, text=True)
        cold, warm, decoded, files = json.loads(done.stdout)
    seconds = {"cold_s": cold, "warm_s": warm, "decoding_s": decoded}
    return {name: round(value, 3) for name, value in seconds.items()} | {"files": files}


def folder_size(data: Path, scratch: Path) -> dict[str, object]:
    """MB of a run of 5 epochs, but for checkpoints/ and export/, and of its largest parts."""
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        case = Case(data, PX, 5, Path(out))
        cpu_seconds(clf(("--arch", "test_resnet", "--image-size", "96", "--no-export"), case), scratch)
        run, parts, seen = case.out / "run", dict[str, int](), set[int]()
        for file in sorted(path for path in run.rglob("*") if path.is_file()):
            part, number = file.relative_to(run).parts[0], file.stat().st_ino
            if part not in ("checkpoints", "export") and number not in seen:
                seen.add(number)  # a file may have two names
                parts[part] = parts.get(part, 0) + file.stat().st_size
    largest = sorted(parts, key=lambda part: -parts[part])[:3]
    return {
        "megabytes": round(sum(parts.values()) / 1e6, 2),
        "largest": {part: round(parts[part] / 1e6, 2) for part in largest},
    }


def least(lines: list[dict[str, object]], key: str, **wanted: object) -> float | None:
    found = [line[key] for line in lines if key in line and all(line.get(name) == v for name, v in wanted.items())]
    return min(float(str(value)) for value in found) if found else None


def table(lines: list[dict[str, object]]) -> str:
    """What was measured, as the page shows it."""
    costs = fixed_costs(lines)
    base = (costs.get(TIMM) or costs.get(STAND_IN) or {}).get("fixed")
    text = ["| program | fixed, CPU s | ratio | an epoch, CPU s |", "|---|---|---|---|"]
    for name, cost in costs.items():
        ratio = "" if base is None else f"{cost['fixed'] / base:.2f}"
        text.append(f"| {name} | {cost['fixed']:.2f} | {ratio} | {cost['epoch']:.2f} |")
    told = {str(line["program"]): str(line.get("missing") or line.get("failed")) for line in lines if "program" in line}
    text += [f"| {name} | {reason} | | |" for name, reason in told.items() if name not in costs]
    warm, cold = (least(lines, "cpu_s", case="first step", scan=kind) for kind in ("warm", "cold"))
    imports = least(lines, "cpu_s", case="imports")
    if warm is not None and cold is not None and imports is not None:
        text.append(f"\nfirst step: {warm:.2f} warm, {cold:.2f} cold, {imports:.2f} imports: {warm / imports:.2f}")
    scanned, decoded = least(lines, "cold_s", case="scan"), least(lines, "decoding_s", case="scan")
    if scanned is not None and decoded is not None:
        text.append(f"scan: {scanned:.2f}, decoding {decoded:.2f}: {scanned / decoded:.2f}")
    text += [f"folder: {line['megabytes']} MB, {line['largest']}" for line in lines if line["case"] == "run folder"]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timm-train", type=Path, help="timm's train.py")
    parser.add_argument("--environments", type=Path, help="of benchmarks/peers.py: its peers take part")
    parser.add_argument("--data", type=Path, help="images of the first step, the scan and the folder; default: drawn")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/fixed_cost.jsonl"))
    parser.add_argument("--table", action="store_true", help="print what is there, and stop")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    if arguments.table:
        print(table(lines))
        return
    done = {_key(line) for line in lines if "failed" not in line}

    def keep(head: dict[str, object], measure: Callable[[], dict[str, object]]) -> None:
        if _key(head) in done:
            return
        line = json.dumps(head | measure() | {"load": load(), "machine": machine()})
        with arguments.out.open("a") as file:
            file.write(line + "\n")
        print(re.sub(r', "machine".*', "}", line), flush=True)

    ways = programs(arguments.environments and arguments.environments.absolute(), arguments.timm_train)
    with tempfile.TemporaryDirectory() as name:
        scratch, shapes = Path(name), Path(name) / "shapes"
        draw_data(shapes, IMAGES)
        data = shapes if arguments.data is None else arguments.data.absolute()
        first = {"data": "drawn" if arguments.data is None else data.name}
        warm = {
            _key({"case": "first step", **first, "round": n, "scan": "warm"}) for n in range(1, arguments.rounds + 1)
        }
        if warm - done:
            first_step(data, False, scratch)  # fills the cache
        for number in range(1, arguments.rounds + 1):
            head = first | {"round": number}
            keep({"case": "imports", **head}, lambda: {"cpu_s": round(_imports(scratch), 2)})
            for kind in ("warm", "cold"):
                step = partial(first_step, data, kind == "cold", scratch)
                keep({"case": "first step", **head, "scan": kind}, lambda step=step: {"cpu_s": round(step(), 2)})
            keep({"case": "scan", **head}, lambda: scan(data, scratch))
            for epochs in EPOCHS:
                for program, way in ways.items():
                    case = {"case": "run", "program": program, "epochs": epochs, "round": number}
                    if isinstance(way, str):
                        if (number, epochs) == (1, EPOCHS[0]):
                            keep(case, lambda way=way: {"missing": way})
                        continue
                    keep(case, lambda way=way, epochs=epochs: timed_run(way, shapes, epochs, scratch))
        keep({"case": "run folder", **first}, lambda: folder_size(data, scratch))
    print(table([json.loads(line) for line in arguments.out.read_text().splitlines()]))


def _imports(scratch: Path) -> float:
    return cpu_seconds([sys.executable, "-c", IMPORTS], scratch)


def _key(line: dict[str, object]) -> tuple[object, ...]:
    return tuple(line.get(name) for name in ("case", "data", "program", "epochs", "scan", "round"))


if __name__ == "__main__":
    main()
