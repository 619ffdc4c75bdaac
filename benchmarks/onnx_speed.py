"""Images per second of torch fp32 and of the ONNX precisions, side by side, on one thread.

    uv run python benchmarks/onnx_speed.py [--seconds 4] [--out benchmarks/results/onnx_speed.jsonl]
    uv run python benchmarks/onnx_speed.py --page

resnet18, tf_efficientnet_lite0 and vit_tiny at 224 px, batches of 32 and of 1: random weights in which every branch
counts, written as a checkpoint and timed by the engine of `clf benchmark`, whose forms take turns. torch is timed in
both memory layouts; the ratio is against the faster. One JSON line per case is appended; cases that are there are
skipped. `--page` prints the table of docs/performance.md, and the share of each operator in the int8 files' time.
"""

import argparse
import json
import os
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from export_sweep import write_checkpoint

from clf_cli.engine.benchmark import Form, Timing, benchmark, inputs_of
from clf_cli.engine.checkpoint_forms import onnx_forms, shipped_files, torch_form
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.compute import Compute
from clf_cli.models.onnx import open_session
from clf_cli.settings.onnx_sections import BenchmarkSection

RESULTS = Path(__file__).parent / "results" / "onnx_speed.jsonl"
ARCHS = ("resnet18", "tf_efficientnet_lite0", "vit_tiny_patch16_224")
BATCHES = (32, 1)
THREADS = 1
TORCH = ("torch channels_last", "torch contiguous")
COMPUTE = Compute("cpu", THREADS, 0, "fp32", 0, channels_last=True, deterministic=False)
SHOWN = 5  # operators of a profile


def forms_of(arch: str, folder: Path) -> tuple[Form, ...]:
    """torch in both memory layouts, then the ONNX precisions."""
    plain, other = folder / "best.ckpt", folder / "contiguous.ckpt"
    write_checkpoint(arch, plain)
    whole = torch.load(plain, weights_only=True)
    whole["clf"]["settings"] = {"compute": {"channels_last": False}}
    torch.save(whole, other)
    checkpoint = read_checkpoint(plain)
    both = (torch_form(checkpoint, COMPUTE), torch_form(read_checkpoint(other), COMPUTE))
    named = (replace(form, name=name) for form, name in zip(both, TORCH, strict=True))
    onnx, notes = onnx_forms(checkpoint, shipped_files(checkpoint), COMPUTE, folder)
    assert not notes, notes
    return (*named, *onnx)


def line_of(arch: str, batch_size: int, timings: tuple[Timing, ...], forms: tuple[Form, ...]) -> dict[str, Any]:
    """Milliseconds per image, of the wall and of CPU, and ratios of the CPU's; medians."""
    cpu = {one.form: 1e3 * one.cpu_p50 / batch_size for one in timings}
    torch_ms = min(cpu[name] for name in TORCH)
    return {
        "arch": arch,
        "px": forms[0].shape[1],
        "batch_size": batch_size,
        "threads": THREADS,
        "wall_ms": {one.form: round(1e3 * one.latency_p50 / batch_size, 2) for one in timings},
        "cpu_ms": {name: round(value, 2) for name, value in cpu.items()},
        "ratio": {name: round(torch_ms / value, 2) for name, value in cpu.items()},
        "calls": {one.form: one.calls for one in timings},
        "megabytes": {form.name: round(form.bytes / 1e6, 1) for form in forms},
        "core_share": round(sum(one.core_share for one in timings) / len(timings), 2),
        "load": round(os.getloadavg()[0], 1),
    }


def int8_operators(forms: tuple[Form, ...], batch_size: int, folder: Path) -> dict[str, float]:
    """Shares of the int8 file's time, by operator as ONNX Runtime runs them; empty where there is no such file."""
    form = next((form for form in forms if form.name == "onnx int8"), None)
    if form is None:
        return {}
    session = open_session(folder / form.file, THREADS, profile=folder / "profile")
    images = inputs_of(form.shape, form.dtype, batch_size)
    for _ in range(5):
        session.run(None, {session.get_inputs()[0].name: images})
    events = json.loads(Path(session.end_profiling()).read_text())
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    return {name: round(time / spent.total(), 3) for name, time in spent.most_common(SHOWN)}


def measure(arch: str, batches: list[int], seconds: float, out: Path) -> None:
    """Appends a line for each batch size."""
    with tempfile.TemporaryDirectory() as name:
        forms = forms_of(arch, Path(name))
        for batch_size in batches:
            section = BenchmarkSection(batch_sizes=(batch_size,), threads=(THREADS,), seconds=seconds)
            result = benchmark(forms, section, None, os.cpu_count() or 1)
            line = line_of(arch, batch_size, result.timings, forms)
            line["int8_operators"] = int8_operators(forms, batch_size, Path(name))
            with out.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)


def page(lines: list[dict[str, Any]]) -> str:
    """A Markdown table: milliseconds of CPU per image, and how often torch's time holds ONNX Runtime's."""
    names = list(dict.fromkeys(name for line in lines for name in line["cpu_ms"]))
    rows = [["network", "batch", *names, "int8 against torch"], ["---"] * (len(names) + 3)]
    for line in sorted(lines, key=lambda line: (-line["batch_size"], ARCHS.index(line["arch"]))):
        cells = [f"{line['cpu_ms'][name]:.1f}" if name in line["cpu_ms"] else "" for name in names]
        ratio = line["ratio"].get("onnx int8")
        rows.append([line["arch"], str(line["batch_size"]), *cells, "" if ratio is None else f"{ratio:.2f} times"])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    shares = "\n".join(
        f"- {line['arch']}: {', '.join(f'{name} {share:.0%}' for name, share in line['int8_operators'].items())}"
        for line in lines
        if line["batch_size"] == max(BATCHES) and line["int8_operators"]
    )
    return f"{table}\n\n{shares}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="least time of each form in each case")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help="print what is there as a table, and measure nothing")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    if arguments.page:
        print(page(lines))
        return
    done = {(line["arch"], line["batch_size"]) for line in lines}
    for arch in ARCHS:
        missing = [batch_size for batch_size in BATCHES if (arch, batch_size) not in done]
        if missing:
            measure(arch, missing, arguments.seconds, arguments.out)


if __name__ == "__main__":
    main()
