"""`clf predict` on ONNX files: a folder against the limits of decoding and of ONNX Runtime, one image against imports.

    uv run python benchmarks/onnx_predict.py [--rounds 3] [--seconds 2] [--out benchmarks/results/onnx_predict.jsonl]
    uv run python benchmarks/onnx_predict.py --page

resnet18 with random weights, fp32 and int8, at 224 and 96 px, on 1 and on 2 cores; 400 px JPEG files drawn here. In
each round the sides take turns on the same cores, each in processes of its own. `decode` opens and resizes each file
with Pillow as evaluation does, in a bare loop, one process per core. `onnxruntime` runs batches that lie in memory,
with the batch size and the kind of threads that were fastest before. `predict` is what an image more costs
`clf predict FOLDER`: the slope between two folders. The limit of both on the same cores is the sum of their times.
`one image` is the whole process, against importing onnxruntime, numpy and Pillow and opening the same session with
one thread; these cases come first. One JSON line per case is appended; cases that are there are skipped.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RESULTS = Path(__file__).parent / "results" / "onnx_predict.jsonl"
ARCH = "resnet18"
SIZES = (224, 96)
CORES = (1, 2)
SIDE = 400  # of the JPEG files
BATCHES = (1, 8, 16, 32, 64)
FEW, MOST = 64, 832  # images of the small folder; of the large one at most
SEED = 0
Sample = dict[str, float]  # wall and CPU seconds of an image


def draw(folder: Path, count: int) -> None:
    """Smooth colours with texture: 20 to 50 kB a file, like photographs."""
    rng = np.random.default_rng(SEED)
    folder.mkdir()
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize((SIDE, SIDE), 3)
        texture = Image.fromarray(rng.integers(0, 256, (SIDE // 3, SIDE // 3, 3), dtype=np.uint8)).resize((SIDE, SIDE))
        Image.blend(coarse, texture, 0.12).save(folder / f"{number:04}.jpg", quality=90)


def write_models(folder: Path, size: int) -> dict[str, Path]:
    """fp32 and int8 files of one network, by precision."""
    from export_sweep import write_checkpoint

    from clf_cli.engine.checkpoint_forms import onnx_forms, shipped_files
    from clf_cli.models.checkpoint import read_checkpoint
    from clf_cli.models.compute import Compute

    folder.mkdir()
    write_checkpoint(ARCH, folder / "best.ckpt", size)
    checkpoint = read_checkpoint(folder / "best.ckpt")
    compute = Compute("cpu", 1, 0, "fp32", 0, channels_last=True, deterministic=False)
    forms, notes = onnx_forms(checkpoint, shipped_files(checkpoint), compute, folder)
    assert not notes, notes
    return {form.name.removeprefix("onnx "): folder / form.file for form in forms}


# The sides, each a process


def decode_side(model: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Pillow, and the evaluation's resize; no tensor is made of the pixels."""
    from clf_cli.models.onnx import read_contract
    from clf_cli.values.preprocess import resize

    preprocess = read_contract(model).preprocess

    def one(file: Path) -> None:
        with Image.open(file) as image:
            resize(image.convert("RGB"), preprocess)

    one(files[0])
    return timed(lambda: [one(file) for file in files], len(files))


def runtime_side(model: Path, cores: int, seconds: float, chosen: str) -> dict[str, Any]:
    """Batches in memory, all of them the same. `chosen` is `N xB`: N threads of ONNX Runtime's, or N callers of one
    thread each (`callers`); empty: the fastest is looked for first."""
    import onnxruntime as ort

    def session(threads: int) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def calls(way: str) -> tuple[Callable[[], object], int]:
        kind, _, size = way.partition(" x")
        opened = session(cores if kind == "threads" else 1)
        node = opened.get_inputs()[0]
        batch = np.random.default_rng(SEED).standard_normal((int(size), *node.shape[1:]), dtype=np.float32)

        def call() -> None:
            opened.run(None, {node.name: batch})

        def together() -> None:
            callers = [threading.Thread(target=call) for _ in range(cores)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()

        return (call, int(size)) if kind == "threads" else (together, int(size) * cores)

    def rate(way: str, least: float) -> dict[str, Any]:
        call, images = calls(way)
        call()
        number = 1
        while True:
            found = timed(lambda number=number: [call() for _ in range(number)], images * number)
            if found["wall"] * images * number >= least:
                return found
            number *= 2

    ways = [f"{kind} x{size}" for kind in ("threads", "callers")[:cores] for size in BATCHES]
    chosen = chosen or min(ways, key=lambda way: rate(way, 0.3)["wall"])
    return {**rate(chosen, seconds), "way": chosen}


def timed(work: Callable[[], object], images: int) -> dict[str, Any]:
    """Seconds of an image; of CPU those of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": (time.perf_counter() - wall) / images, "cpu": (time.process_time() - cpu) / images}


# The parent


def child(words: Sequence[str], cores: Sequence[int]) -> subprocess.Popen[str]:
    """A process that may use these cores only."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(
        [sys.executable, *words],
        env=environment | {"OMP_NUM_THREADS": "1"} if len(cores) == 1 else environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 - no other threads run here
    )


def asked(words: Sequence[str], cores: Sequence[int]) -> dict[str, Any]:
    """The JSON that a side prints."""
    found: dict[str, Any] = json.loads(answer(child([__file__, *words], cores)))
    return found


def answer(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate()
    assert process.returncode == 0, process.args
    return out


def whole(words: Sequence[str], cores: Sequence[int]) -> dict[str, float]:
    """Wall and CPU seconds of a process that is started now."""
    begun = time.perf_counter()
    process = child(words, cores)
    assert process.stdout is not None
    process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, words
    process.returncode = 0
    took = time.perf_counter() - begun
    return {"wall": took, "cpu": used.ru_utime + used.ru_stime}


def decoded(model: Path, folder: Path, cores: Sequence[int]) -> Sample:
    """A process per core, each with its share of the images."""
    words = [[__file__, "--side", "decode", str(model), str(folder), f"{n}/{len(cores)}"] for n in range(len(cores))]
    processes = [child(one, [core]) for one, core in zip(words, cores, strict=True)]
    found = [json.loads(answer(process)) for process in processes]
    wall = 1 / sum(1 / one["wall"] for one in found)
    return {"wall": wall, "cpu": statistics.mean(one["cpu"] for one in found)}


def folder_case(model: Path, folder: Path, cores: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over the rounds, milliseconds of an image, and the ratios of each round."""
    own = sorted(os.sched_getaffinity(0))[:cores]
    files = sorted(folder.glob("*.jpg"))
    look = asked(["--side", "runtime", str(model), str(cores), "0.3", ""], own)
    expected = look["wall"] + decoded(model, folder, own)["wall"]
    count = FEW + max(1, min((MOST - FEW) // FEW, round(seconds / expected / FEW))) * FEW
    names = {number: folder.parent / f"{number} images" for number in (FEW, count)}
    for number, place in names.items():
        if not place.exists():
            place.mkdir()
            for file in files[:number]:
                os.link(file, place / file.name)
    samples: list[dict[str, Any]] = []
    for _ in range(rounds):
        runs = [whole(["-m", "clf_cli", "predict", str(model), str(names[n])], own) for n in (FEW, count)]
        samples.append({
            "decode": decoded(model, names[FEW], own),
            "onnxruntime": asked(["--side", "runtime", str(model), str(cores), str(seconds / 3), look["way"]], own),
            "predict": {kind: (runs[1][kind] - runs[0][kind]) / (count - FEW) for kind in ("wall", "cpu")},
        })  # fmt: skip
    return {"images": [FEW, count], "way": look["way"], **summary(samples)}


def summary(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`of_min` is the rate against the slower limit alone, `of_sum` against both limits on the same cores."""
    found: dict[str, Any] = {}
    for kind in ("wall", "cpu"):
        times = {side: [one[side][kind] for one in samples] for side in ("decode", "onnxruntime", "predict")}
        rows = list(zip(*times.values(), strict=True))
        found[f"{kind}_ms"] = {side: round(1e3 * statistics.median(values), 3) for side, values in times.items()}
        found[f"{kind}_of_min"] = round(statistics.median(max(d, o) / p for d, o, p in rows), 3)
        found[f"{kind}_of_sum"] = round(statistics.median((d + o) / p for d, o, p in rows), 3)
    return found


def one_case(model: Path, image: Path, rounds: int) -> dict[str, Any]:
    """CPU seconds of whole processes; the bare one also with ONNX Runtime's own number of threads."""
    bare = "import numpy, onnxruntime, PIL.Image\noptions = onnxruntime.SessionOptions()\n"
    opens = f"onnxruntime.InferenceSession({str(model)!r}, options, providers=['CPUExecutionProvider'])"
    words = {
        "bare": ["-c", f"{bare}options.intra_op_num_threads = 1\n{opens}"],
        "bare, default threads": ["-c", f"{bare}{opens}"],
        "predict": ["-m", "clf_cli", "predict", str(model), str(image)],
    }
    cores = sorted(os.sched_getaffinity(0))
    times: dict[str, list[float]] = {name: [] for name in words}
    for _ in range(rounds + 1):  # the first writes bytecode
        for name, one in words.items():
            times[name].append(whole(one, cores)["cpu"])
    least = {name: min(values[1:]) for name, values in times.items()}
    return {
        "cpu_s": {name: round(value, 3) for name, value in least.items()},
        "ratio": round(least["predict"] / least["bare"], 2),
        "ratio_default_threads": round(least["predict"] / least["bare, default threads"], 2),
    }


def measure(arguments: argparse.Namespace) -> None:
    """The cases that the file does not hold yet."""
    known = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    cores = [count for count in CORES if count <= len(os.sched_getaffinity(0))]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        keys: list[dict[str, Any]] = [
            {"case": "one image", "px": size, "precision": p} for size in SIZES for p in ("fp32", "int8")
        ] + [
            {"case": "folder", "px": size, "precision": p, "cores": count}
            for count in cores
            for size in SIZES
            for p in ("fp32", "int8")
        ]
        missing = [key for key in keys if not any(key.items() <= line.items() for line in known)]
        draw(scratch / "images", MOST if any(key["case"] == "folder" for key in missing) else 1)
        models: dict[int, dict[str, Path]] = {}
        for key in missing:
            size = key["px"]
            if size not in models:
                models[size] = write_models(scratch / f"{size} px", size)
            model, load = models[size][key["precision"]], round(os.getloadavg()[0], 1)
            if key["case"] == "folder":
                rest = folder_case(model, scratch / "images", key["cores"], arguments.rounds, arguments.seconds)
            else:
                rest = one_case(model, scratch / "images" / "0000.jpg", 3 * arguments.rounds)
            line = json.dumps({**key, "arch": ARCH, **rest, "load": load})
            with arguments.out.open("a") as file:
                file.write(line + "\n")
            print(line, flush=True)


def page(lines: Sequence[dict[str, Any]]) -> str:
    """Two Markdown tables."""
    rows = [["px", "precision", "cores", "decode, ms", "onnxruntime, ms", "clf predict, ms", "of min", "of the sum"]]
    rows.append(["---"] * len(rows[0]))
    for line in lines:
        if line["case"] == "folder":
            kind = "cpu" if line["cores"] == 1 else "wall"
            ms = line[f"{kind}_ms"]
            ratios = (f"{line[f'{kind}_of_{which}']:.2f}" for which in ("min", "sum"))
            head = (str(line["px"]), line["precision"], str(line["cores"]))
            rows.append([*head, *(f"{ms[side]:.2f}" for side in ms), *ratios])
    shown = [["px", "precision", "imports and session, CPU s", "clf predict, CPU s", "ratio"], ["---"] * 5]
    for line in lines:
        if line["case"] == "one image":
            cpu = line["cpu_s"]
            shown.append(
                [
                    str(line["px"]),
                    line["precision"],
                    f"{cpu['bare']:.2f}",
                    f"{cpu['predict']:.2f}",
                    f"{line['ratio']:.2f}",
                ]
            )
    return "\n\n".join("\n".join(f"| {' | '.join(row)} |" for row in table) for table in (rows, shown))


def side(words: Sequence[str]) -> dict[str, Any]:
    """What a child measures."""
    if words[0] == "decode":
        number, _, of = words[3].partition("/")
        return decode_side(Path(words[1]), sorted(Path(words[2]).glob("*.jpg"))[int(number) : 400 : int(of)])
    return runtime_side(Path(words[1]), int(words[2]), float(words[3]), words[4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each side in a round, about")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="print what is there as tables, and measure nothing")
    parser.add_argument("--side", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(side(arguments.side)))
    elif arguments.page:
        print(page([json.loads(line) for line in arguments.out.read_text().splitlines()]))
    else:
        measure(arguments)


if __name__ == "__main__":
    main()
