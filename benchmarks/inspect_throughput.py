"""The scan of clf inspect-dataset, and all of that command, against decoding every image once and against cleanvision.

    python benchmarks/inspect_throughput.py --data DIR [--threads 1 2] [--rounds 5] [--side 0]
        [--cleanvision PYTHON] [--out benchmarks/results/inspect_throughput.jsonl]

The sides of a case take turns on the same number of cores: decoding in so many threads of this process, the scan in
this process and those that it starts, the command in a process of its own, with its start. The ratio is the median of
the rounds', of wall time and of CPU seconds, which other work on the machine disturbs less. --side 1152 enlarges the
images to that longer side first, in a temporary folder. --cleanvision names a Python that has cleanvision: it looks
through the same folder, then clf does, each in a process of its own; what both found stands side by side. Every case is
one JSON line; a case that the file already holds is skipped.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from clf_cli.data.images import SUFFIXES, open_image
from clf_cli.data.near_duplicates import find_near_duplicates
from clf_cli.data.scan import CHUNK, scan_files

FEW = 100  # images of an enlarged case
CLEANVISION = """
import json, sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(n_jobs=int(sys.argv[2]), verbose=False)
counts = {name[3:-6]: int(lab.issues[name].sum()) for name in lab.issues if name.startswith("is_")}
sets = {kind: [sorted(each) for each in lab.info[kind]["sets"]] for kind in ("exact_duplicates", "near_duplicates")}
print(json.dumps({"counts": counts, "sets": sets}))
"""


def main() -> None:
    """Measures the cases that the file does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--cleanvision", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/inspect_throughput.jsonl"))
    options = parser.parse_args()
    known = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        root = enlarged(options.data, Path(folder), options.side) if options.side else options.data
        for threads in options.threads:
            for case, measure in cases(options, root.resolve(), threads):
                if any(case.items() <= row.items() for row in known):
                    continue
                row = case | measure()
                options.out.parent.mkdir(parents=True, exist_ok=True)
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


def cases(
    options: argparse.Namespace, root: Path, threads: int
) -> list[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]:
    """What to measure, and how."""
    shared = {"data": options.data.name, "side": options.side, "threads": threads}
    paths = images(root)
    work = {
        "scan": lambda: scan_files(root, paths, threads),
        "command": lambda: child(*command(root, threads)),
    }
    found = [
        (shared | {"case": name}, lambda name=name: row_of(root, paths, threads, name, work[name], options.rounds))
        for name in work
    ]
    if options.cleanvision:
        row = lambda: cleanvision_row(root, threads, options.cleanvision)  # noqa: E731 - beside its like
        found.append((shared | {"case": "cleanvision"}, row))
    return found


def enlarged(data: Path, folder: Path, side: int) -> Path:
    """FEW of the images of `data`, as JPEG files of that longer side."""
    for index, path in enumerate(images(data)[:FEW]):
        image = open_image(data / path)
        scale = side / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image.resize(size, Image.Resampling.BICUBIC).save(folder / f"{index:04}.jpg", quality=85)
    return folder


def images(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)


def row_of(
    root: Path, paths: list[str], threads: int, name: str, work: Callable[[], Any], rounds: int
) -> dict[str, Any]:
    """Decoding alone and `work`, in turn."""
    sides: dict[str, Callable[[], Any]] = {"decode": lambda: decode(root, paths, threads), name: work}
    for turn in sides.values():
        turn()  # imports, and the files come into the page cache
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, turn in sides.items():
            wall, cpu = time.perf_counter(), cpu_seconds()
            turn()
            taken[side].append((time.perf_counter() - wall, cpu_seconds() - cpu))
    pairs = list(zip(*taken.values(), strict=True))
    row: dict[str, Any] = {"images": len(paths), "load": round(os.getloadavg()[0], 1)}
    for side, values in taken.items():
        wall, cpu = (statistics.median(column) / len(paths) for column in zip(*values, strict=True))
        row |= {f"{side}_us": round(1e6 * wall, 1), f"{side}_cpu_us": round(1e6 * cpu, 1)}
    row["ratio"] = round(statistics.median(ours[0] / plain[0] for plain, ours in pairs), 2)
    row["cpu_ratio"] = round(statistics.median(ours[1] / plain[1] for plain, ours in pairs), 2)
    return row


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def decode(root: Path, paths: list[str], threads: int) -> None:
    """Every image once; nothing is kept."""
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]

    def open_all(chunk: list[str]) -> None:
        for path in chunk:
            open_image(root / path)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(open_all, chunks))


def cleanvision_row(root: Path, threads: int, python: Path) -> dict[str, Any]:
    """Wall and CPU seconds of both, with all that they found."""
    theirs, their_cost = child([str(python), "-c", CLEANVISION, str(root), str(threads)])
    ours, our_cost = child(*command(root, threads))
    paths = images(root)
    clusters = find_near_duplicates(root, scan_files(root, paths, threads).files, paths, threads).clusters
    sets = [{Path(path).relative_to(root).as_posix() for path in each} for each in theirs["sets"]["near_duplicates"]]
    pairs, their_pairs = pairs_of(clusters), pairs_of(sets)
    return {
        "images": len(paths), "load": round(os.getloadavg()[0], 1), "clf": our_cost, "cleanvision": their_cost,
        "cpu_ratio": round(our_cost["cpu_s"] / their_cost["cpu_s"], 2),
        "ratio": round(our_cost["wall_s"] / their_cost["wall_s"], 2),
        "clf_found": Counter(finding["code"] for finding in ours["findings"]),
        "cleanvision_found": theirs["counts"],
        "near_pairs": {
            "both": len(pairs & their_pairs), "clf": len(pairs - their_pairs), "cleanvision": len(their_pairs - pairs)
        },
        "cleanvision_alone": sorted(their_pairs - pairs)[:20],
    }  # fmt: skip


def command(root: Path, threads: int) -> tuple[list[str], dict[str, str]]:
    """The whole command and its environment."""
    asked = ["inspect-dataset", str(root), "--no-scan-cache", "--json", "--fail-on", "none"]
    return [sys.executable, "-m", "clf_cli", *asked], os.environ | {"CLF_COMPUTE__WORKERS": str(threads)}


def pairs_of(clusters: Any) -> set[tuple[str, str]]:
    """Every two of a cluster."""
    return {(one, other) for cluster in clusters for one in cluster for other in cluster if one < other}


def child(command: list[str], environment: dict[str, str] | None = None) -> tuple[Any, dict[str, float]]:
    """The JSON that a process prints last, and what it took."""
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = done.stdout if command[-1] == "none" else done.stdout.splitlines()[-1]
    return json.loads(text), {"wall_s": round(time.perf_counter() - wall, 2), "cpu_s": round(cpu, 2)}


if __name__ == "__main__":
    main()
