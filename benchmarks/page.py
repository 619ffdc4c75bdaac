"""The goals of docs/performance.md against what was measured: a table, and a picture of every ratio.

    uv run python benchmarks/page.py [--results benchmarks/results] [--page docs/performance.md] [--picture FILE]

Reads the results that the other scripts wrote, writes the table between the two marks of the page, and draws each
measured value as a share of its goal: right of the line is better. Rows that nothing was measured for are in the table
alone. Values are medians over rounds; the machine is the one that the newest line with a header names.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fixed_cost import BARE as WITHOUT_EXPORT
from fixed_cost import STAND_IN, TIMM, fixed_costs, least
from machine import PACKAGES

MARKS = ("<!-- goals: benchmarks/page.py -->", "<!-- end of goals -->")
Line = dict[str, Any]
Lines = list[Line]


@dataclass(frozen=True)
class Goal:
    """A row: `value` makes a number of the lines of `results`, None where they hold none."""

    what: str
    goal: float
    at_least: bool
    results: str
    value: Callable[[Lines], float | None]
    unit: str = "times"

    def reached(self, value: float) -> float:
        """From 1 on the goal is met."""
        return value / self.goal if self.at_least else self.goal / max(value, 1e-9)


def of(key: str, **wanted: object) -> Callable[[Lines], float | None]:
    """The median of `key` over the lines with these values."""

    def value(lines: Lines) -> float | None:
        found = [line[key] for line in lines if wanted.items() <= line.items() and line.get(key) is not None]
        return median(map(float, found)) if found else None

    return value


def worst(key: str, chosen: Callable[[Line], bool]) -> Callable[[Lines], float | None]:
    """The largest of `key` over those lines."""
    return lambda lines: max((float(line[key]) for line in lines if chosen(line) and key in line), default=None)


def against_the_best_peer(px: int, own: str) -> Callable[[Lines], float | None]:
    """Of medians over rounds; clf at its own precision, or at fp32."""

    def value(lines: Lines) -> float | None:
        names = {line["program"] for line in lines}
        rates = {name: of("images_per_cpu_s", px=px, program=name)(lines) for name in names}
        peers = [rate for name, rate in rates.items() if not name.startswith("clf") and rate is not None]
        ours = rates.get(own)
        return None if ours is None or not peers else ours / max(peers)

    return value


def beside_the_loop(px: int, own: str) -> Callable[[Lines], float | None]:
    """The peak of `clf train` over that of the bare loop and its cache."""

    def value(lines: Lines) -> float | None:
        peak, bare = (of("peak_mib", px=px, side=side)(lines) for side in (own, "bare"))
        kept = of("cache_mib", px=px)(lines)
        return None if peak is None or bare is None or kept is None else peak / (bare + kept)

    return value


def fixed_over_bare(program: str) -> Callable[[Lines], float | None]:
    """What a run of it costs besides its epochs, over timm's train script, or a bare run in its place."""

    def value(lines: Lines) -> float | None:
        costs = fixed_costs(lines)
        base = costs.get(TIMM) or costs.get(STAND_IN)
        return None if base is None or program not in costs else costs[program]["fixed"] / base["fixed"]

    return value


def first_step_over_imports(lines: Lines) -> float | None:
    step, imports = least(lines, "cpu_s", case="first step", scan="warm"), least(lines, "cpu_s", case="imports")
    return None if step is None or imports is None else step / imports


def scan_over_decoding(lines: Lines) -> float | None:
    cold, decoded = (least(lines, key, case="scan") for key in ("cold_s", "decoding_s"))
    return None if cold is None or decoded is None else cold / decoded


def is_help(line: Line) -> bool:
    return str(line["case"]).endswith(" --help") and line["case"] != "clf --help"


def is_mistake(line: Line) -> bool:
    return str(line["case"]).endswith("--no-such-flag")


GOALS = (
    *(
        Goal(
            f"training on a CPU, {px} px: of a bare loop",
            0.92,
            True,
            "train_throughput",
            of("ratio", px=px, asked="auto"),
        )
        for px in (96, 224)
    ),
    *(
        Goal(f"training, {px} px: over the best peer", 1.8, True, "peers", against_the_best_peer(px, "clf"))
        for px in (96, 224)
    ),
    *(
        Goal(
            f"data path, {name}, {size} px: over Pillow and torchvision",
            goal,
            True,
            "data_path",
            of("ratio", case=name, size=size),
        )
        for name, size, goal in (
            ("basic, cached, uint8", 96, 15),
            ("basic, cached, uint8", 224, 15),
            ("basic, cached, normalised", 96, 15),
            ("basic, cached, normalised", 224, 7),
            ("basic, first epoch", 96, 2.3),
            ("basic, first epoch", 224, 3),
            ("ocr, decoded, normalised", 96, 3),
            ("ocr, decoded, normalised", 224, 3),
        )
    ),
    Goal(
        "callbacks, all on against all off, 30 epochs",
        0.03,
        False,
        "callback_cost",
        of("share_of_30_epochs_wall_s", set="usual"),
        "share",
    ),
    Goal("`clf --help`: of `import typer`", 1.8, False, "start_up", of("ratio", case="clf --help")),
    Goal("a command's `--help`, the slowest", 3, False, "start_up", worst("ratio", is_help)),
    Goal("a usage error, the slowest", 3, False, "start_up", worst("ratio", is_mistake)),
    *(
        Goal(
            f"ONNX over a folder, {px} px, {precision}, 1 core: of the slower limit",
            0.9,
            True,
            "onnx_predict",
            of("cpu_of_min", case="folder", px=px, precision=precision, cores=1),
        )
        for px in (96, 224)
        for precision in ("fp32", "int8")
    ),
    *(
        Goal(
            f"ONNX, one image, {px} px: of imports and session",
            1.5,
            False,
            "onnx_predict",
            of("ratio", case="one image", px=px, precision="fp32"),
        )
        for px in (96, 224)
    ),
    Goal("GPU, 224 px, batch 256: of tensors on it", 0.9, True, "gpu", of("ratio", case="rate", px=224, batch=256)),
    Goal(
        "GPU, 224 px, batch 256: waiting for images",
        0.05,
        False,
        "gpu",
        of("data_wait", case="rate", px=224, batch=256),
        "share",
    ),
    Goal("GPU, 2,560 images, 100 epochs, seconds", 60, False, "gpu", of("wall", case="hundred epochs", batch=256)),
    Goal(
        "fixed cost of a run without export and pictures: of a bare run",
        1.0,
        False,
        "fixed_cost",
        fixed_over_bare(WITHOUT_EXPORT),
    ),
    Goal("fixed cost of a run: of a bare run", 1.6, False, "fixed_cost", fixed_over_bare("clf")),
    Goal("the first step: of imports and building the network", 1.5, False, "fixed_cost", first_step_over_imports),
    Goal("a cold scan: of decoding once", 1.0, False, "fixed_cost", scan_over_decoding),
    Goal("run folder without checkpoints and export, MB", 10, False, "fixed_cost", of("megabytes", case="run folder")),
    *(
        Goal(f"memory{what}, {px} px: of a bare loop and the cache", 1.0, False, "memory", beside_the_loop(px, side))
        for what, side in ((" of the training", "clf no export"), (", the export included", "clf"))
        for px in (96, 224)
    ),
)


def measured(results: Path) -> list[tuple[Goal, float | None]]:
    """Every goal with its value."""
    lines: dict[str, Lines] = {}
    for name in {goal.results for goal in GOALS}:
        file = results / f"{name}.jsonl"
        lines[name] = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    return [(goal, goal.value(lines[goal.results])) for goal in GOALS]


def table(rows: list[tuple[Goal, float | None]]) -> str:
    text = ["| what | goal | measured | | script |", "|---|---|---|---|---|"]
    for goal, value in rows:
        sign = "≥" if goal.at_least else "≤"
        told = "not measured" if value is None else _number(value, goal.unit)
        met = "" if value is None else "met" if goal.reached(value) >= 1 else "missed"
        text.append(f"| {goal.what} | {sign} {_number(goal.goal, goal.unit)} | {told} | {met} | `{goal.results}.py` |")
    return "\n".join(text)


def _number(value: float, unit: str) -> str:
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def header(results: Path) -> str:
    """The machines in a sentence each, from the newest lines that have one: that of the GPU's rows, and that of all
    others."""
    files = sorted(results.glob("*.jsonl"), key=lambda file: file.stat().st_mtime)
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    known = [line["machine"] for line in lines if "machine" in line]
    newest = {"gpu" in one: one for one in known}
    return "\n\n".join(_sentence(newest[has_gpu]) for has_gpu in sorted(newest))


def _sentence(one: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {one[name]}" for name in PACKAGES if name in one)
    gpu = f"Rows of the GPU: {one['gpu']}, " if "gpu" in one else "Machine: "
    return f"{gpu}{one['cpu']}, {one['cores']} cores, {one['memory_gib']} GiB; Python {one['python']}, {versions}."


def write(page: Path, text: str) -> None:
    """Puts `text` between the marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (begin and end):
        raise SystemExit(f"{page} has no marks {' and '.join(MARKS)}.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def draw(rows: list[tuple[Goal, float | None]], picture: Path) -> None:
    """A bar per measured goal, on a logarithmic axis of shares of the goal."""
    import matplotlib.pyplot as plt

    known = [(goal, value) for goal, value in rows if value is not None][::-1]
    shares = [min(8.0, max(0.125, goal.reached(value))) for goal, value in known]
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.32 * len(known)), layout="constrained")
    colors = ["#2a7f62" if share >= 1 else "#c0513f" for share in shares]
    axes.barh(range(len(known)), [math.log2(share) for share in shares], color=colors)
    axes.set_yticks(range(len(known)), [goal.what.replace("`", "") for goal, _ in known], fontsize=8)
    axes.set_xticks([-1, 0, 1, 2, 3], ["half of the goal", "the goal", "twice", "4 times", "8 times"], fontsize=8)
    axes.axvline(0, color="black", linewidth=1)
    axes.scatter([math.log2(share) for share in shares], range(len(known)), color=colors, s=14)
    axes.set_xlim(min(-1.2, *(math.log2(share) - 0.6 for share in shares)), 3.6)  # room for the numbers
    for place, (goal, value) in enumerate(known):
        share = math.log2(shares[place])
        axes.annotate(
            _number(value, goal.unit),
            (share, place),
            xytext=(5 if share >= 0 else -5, 0),
            textcoords="offset points",
            ha="left" if share >= 0 else "right",
            va="center",
            fontsize=7,
        )
    axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/performance-goals.png"))
    parser.add_argument("--page", type=Path, default=Path("docs/performance.md"))
    arguments = parser.parse_args()
    rows = measured(arguments.results)
    text = "\n\n".join(part for part in (header(arguments.results), table(rows)) if part)
    print(text)
    write(arguments.page, text)
    if any(value is not None for _, value in rows):
        draw(rows, arguments.picture)


if __name__ == "__main__":
    main()
