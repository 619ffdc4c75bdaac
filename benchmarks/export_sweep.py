"""Which of timm's architectures clf exports: one of each family that timm lists, the smallest, and well-known ones.

    uv run python benchmarks/export_sweep.py [ARCH ...] [--again] [--out benchmarks/results/export_sweep.jsonl]
    uv run python benchmarks/export_sweep.py --page > docs/export-support.md

Each architecture has a process of its own, with limits of time and memory (`--one ARCH` is that child). It is built at
its own input size with random weights in which every branch counts, written as a checkpoint, exported by the ladder of
`clf export`, and the file's answers to batches of 1, 2 and 3 images are compared with torch's: 1e-4 relative to
max(1, max|logit|), and the same class. One JSON line per architecture is appended; those that are there are skipped,
those that failed are tried again with `--again`, and the last line of an architecture counts.
"""

import argparse
import copy
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "export_sweep.jsonl"
LIMIT_SECONDS, LIMIT_MEGABYTES = 5400, 16384  # of the clock: the machine may be busy; of addresses
TOLERANCE = 1e-4
BATCHES = (1, 2, 3)
PACKAGES = ("torch", "timm", "onnx", "onnxscript", "onnxruntime")
SCALES = (1.0, 0.5, 0.25, 0.1)
CHAOS = 1e-5  # float32 minus float64
CLASSES = 10
KNOWN = """
resnet18 resnet34 resnet50 resnet50d wide_resnet50_2 resnext50_32x4d seresnet50 resnetrs50 resnetv2_50
bat_resnext26ts mobilenetv1_100 mobilenetv2_100 mobilenetv3_small_100 mobilenetv3_large_100 mobilenetv4_conv_small
mobilenetv4_hybrid_medium mnasnet_100 fbnetc_100 spnasnet_100 tinynet_a efficientnet_b0 tf_efficientnet_b0
tf_efficientnet_lite0 tf_efficientnetv2_b0 efficientnetv2_rw_t convnext_atto convnext_tiny convnextv2_atto
regnety_008 regnetx_008 vit_small_patch16_224 vit_base_patch32_224 vit_base_patch32_clip_224
vit_small_patch14_dinov2 vit_small_patch16_dinov3 eva02_tiny_patch14_224 deit3_small_patch16_224
deit_tiny_distilled_patch16_224 swin_s3_tiny_224 coatnet_0_rw_224 maxvit_tiny_tf_224 mixer_b16_224 resmlp_12_224
caformer_s18 convformer_s18 poolformerv2_s12 ghostnet_100 halonet26t lambda_resnet26t botnet26t_256 gernet_s
mobileone_s0 repvgg_a0 mobilevitv2_050 dm_nfnet_f0 nf_resnet50 eca_nfnet_l0 densenetblur121d vgg16_bn
twins_pcpvt_small dla34 hardcorenas_a naflexvit_base_patch16_gap pvt_v2_b1 xcit_tiny_12_p8_224 crossvit_9_dagger_240
legacy_senet154 levit_conv_128s
"""


@dataclass(frozen=True)
class Choice:
    arch: str
    family: str  # the module of timm that defines it
    parameters: int | None
    pixels: int

    @property
    def cost(self) -> float:
        return (self.parameters or 10**9) * self.pixels


def chosen() -> tuple[list[str], list[Choice]]:
    """timm's families; and the smallest of each, cheap ones first, before the well-known ones."""
    import timm

    from clf_cli.models.catalog import catalog

    facts = {entry.architecture: entry for entry in catalog() if entry.default}
    known_names = set(KNOWN.split())
    smallest, known = [], []
    for family in timm.list_modules():
        members = [
            Choice(name, family, facts[name].parameters, facts[name].height * facts[name].width)
            for name in timm.list_models(module=family)
            if not name.startswith("test_") and name in facts
        ]
        first = min(members, key=lambda one: (one.parameters or 10**12, one.pixels, one.arch))
        smallest.append(first)
        known += [one for one in members if one.arch in known_names and one != first]
    missing = known_names - {one.arch for one in (*smallest, *known)}
    assert not missing, f"this timm lacks {sorted(missing)}"
    return timm.list_modules(), [*sorted(smallest, key=lambda o: o.cost), *sorted(known, key=lambda o: o.cost)]


# One architecture, in a child


def images(count: int, height: int, width: int, seed: int) -> Any:
    """(count, 3, H, W) float32 of standard deviation 1: coarse shapes and noise, different from one another."""
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(seed)
    levels = [torch.randn(count, 3, side, side, generator=generator) for side in (1, 4, 16)]
    coarse = [functional.interpolate(level, (height, width), mode="bilinear") for level in levels]
    found = sum(coarse) + 0.5 * torch.randn(count, 3, height, width, generator=generator)
    return found / found.std()


def asked(height: int, width: int) -> Any:
    """The images whose answers are compared."""
    return images(max(BATCHES), height, width, 3)


def bring_to_life(network: Any, heads: frozenset[str], height: int, width: int) -> dict[str, float]:
    """Makes an untrained network one in which every branch counts and whose logits depend on the image.

    Scales and biases are drawn anew, weights that start at zero too; batch norms get the statistics of images; then
    the head is scaled so that logits are of size 1 and centred. Random networks can be chaotic, so that float32 itself
    gives no digits; then the scales are drawn smaller, as training makes them. Returns the range of the scales, the
    standard deviation of the logits of one class over images, and how far float32 is from float64.
    """
    import torch

    for scale in SCALES:
        with torch.no_grad():
            draw_weights(network, scale)
            set_norms(network, images(8, height, width, 1))
            own, logits = network.state_dict(), network(images(8, height, width, 2))
            spread = float((logits - logits.mean(0)).std())
            gain = min(1 / max(spread, 1e-12), 5 / max(float(logits.std()), 1e-12))
            for name in heads:
                if name.endswith("bias"):
                    own[name].sub_(logits.mean(0))
                own[name].mul_(gain)
            seen = asked(height, width)
            logits = network(seen)
            error = float((copy.deepcopy(network).double()(seen.double()) - logits).abs().max())
        if error <= CHAOS:
            break
    return {"scale": scale, "spread": round(float((logits - logits.mean(0)).std()), 3), "float32_error": error}


def draw_weights(network: Any, scale: float) -> None:
    import torch

    torch.manual_seed(0)
    for name, value in network.named_parameters():
        if value.ndim <= 1 or value.numel() == max(value.shape):  # biases, scales, gates and layer scales
            value.normal_(0, 0.1) if name.endswith("bias") else value.uniform_(0.7 * scale, 1.3 * scale)
        elif float(value.std()) < 1e-3:  # zero at the start
            value.normal_(0, 0.02 if "embed" in name or "token" in name else value[0].numel() ** -0.5)


def set_norms(network: Any, seen: Any) -> None:
    """Statistics of these images for every batch norm; all else stays in eval mode."""
    from torch.nn.modules.batchnorm import _BatchNorm

    network.eval()
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None
            layer.train()
    network(seen)
    network.eval()
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):  # a channel that these images leave at zero would blow up on others
            layer.running_var.clamp_(min=0.1 * float(layer.running_var.mean()))


def write_checkpoint(arch: str, path: Path, image_size: int | None = None) -> dict[str, Any]:
    """A checkpoint as training writes it, at the architecture's own input size unless told; returns what is known of
    the network."""
    import torch

    from clf_cli.models.build import architecture, build_network, preprocess_for
    from clf_cli.models.checkpoint import CheckpointFacts, clf_payload
    from clf_cli.models.weights import head_keys
    from clf_cli.settings.sections import ModelSection
    from clf_cli.values.labels import Labels

    preprocess = preprocess_for(ModelSection(arch=arch, pretrained=False, image_size=image_size))
    height, width = preprocess.height, preprocess.width
    torch.manual_seed(0)
    network = build_network(arch, CLASSES, image_size=(height, width))
    facts: dict[str, Any] = {
        "height": height,
        "width": width,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    heads = head_keys(network.state_dict(), architecture(arch))
    facts |= bring_to_life(network, heads, height, width)
    payload = clf_payload(
        CheckpointFacts(
            arch=arch,
            labels=Labels(tuple(f"class {number}" for number in range(CLASSES))),
            preprocess=preprocess,
            settings={},
            score=None,
            scored_weights="live",
            epoch=1,
            run_id=None,
            data_fingerprint=None,
        )
    )
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "clf": payload}, path)
    return facts


def one(arch: str) -> dict[str, Any]:
    """Exports the architecture and compares; what clf refuses is in `reason`, in its own words."""
    import torch

    from clf_cli.errors import ClfError

    torch.set_num_threads(1)
    found: dict[str, Any] = {"passed": False, "reason": None}
    with tempfile.TemporaryDirectory() as name:
        stage = "build"
        try:
            found |= write_checkpoint(arch, Path(name) / "best.ckpt")
            stage = "export"
            return found | exported(Path(name), found["height"], found["width"])
        except ClfError as error:
            return found | {"stage": stage, "reason": error.message}


def exported(folder: Path, height: int, width: int) -> dict[str, Any]:
    """Climbs the ladder of `clf export` and compares the file with torch. Raises ExportError (exit 5)."""
    from clf_cli.engine.onnx_check import Evidence, check_onnx
    from clf_cli.engine.onnx_check_result import OnnxCheckResult
    from clf_cli.engine.onnx_export import contract_of
    from clf_cli.engine.onnx_judge import Judge
    from clf_cli.engine.onnx_ladder import climb
    from clf_cli.engine.onnx_plan import ExportImages
    from clf_cli.models.checkpoint import read_checkpoint
    from clf_cli.models.network import network_classifier
    from clf_cli.models.onnx import onnx_classifier
    from clf_cli.settings.onnx_sections import ExportSection, ValidateSection

    inputs = asked(height, width).numpy()

    class SmallJudge(Judge):
        """The checks of every export, on the images of this script and in small batches."""

        def check(self, model: Path, *_: Any) -> OnnxCheckResult:
            evidence = Evidence(reference=self.reference, inputs=inputs)
            return check_onnx(onnx_classifier(model, 1), evidence, ValidateSection(batch_sizes=BATCHES))

    checkpoint = read_checkpoint(folder / "best.ckpt")
    reference = network_classifier(checkpoint.path)
    contract, model = contract_of(checkpoint, reference.weights), folder / "model.onnx"
    judge = SmallJudge(reference, ExportImages(), threads=1)
    climbed = climb(checkpoint, contract, judge, ExportSection(), model)
    compared = [batch.parity for batch in climbed.check.batches]
    worst = max(one.relative_difference for one in compared)
    same = all(one.agreement == 1 for one in compared)
    return {
        "exporter": climbed.made.exporter,
        "opset": climbed.check.graph.opset,
        "nodes": climbed.check.graph.nodes,
        "bytes": climbed.check.graph.bytes,
        "relative_difference": float(f"{worst:.2g}"),
        "same_class": same,
        "passed": worst <= TOLERANCE and same,
        "reason": None if worst <= TOLERANCE and same else f"the logits differ by {worst:.2g}; same class: {same}",
        "fallen": [one.to_json() for one in climbed.fallen],
    }


# All of them


def sweep(choices: list[Choice], out: Path, again: bool) -> Iterator[dict[str, Any]]:
    """Runs what is not in `out` yet, one after the other, and appends a line for each."""
    done = {line["arch"]: line["passed"] for line in lines_of(out)}
    for choice in choices:
        if choice.arch in done and (done[choice.arch] or not again):
            continue
        versions = {name: version(name) for name in PACKAGES}
        line = {"arch": choice.arch, "family": choice.family, "versions": versions} | in_child(choice.arch)
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        yield line


def in_child(arch: str) -> dict[str, Any]:
    """What the child says, or how it ended where it says nothing; `stage` is then `process`."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, __file__, "--one", arch],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said, wrong = process.communicate(timeout=LIMIT_SECONDS)
        last = (wrong.strip().splitlines() or ["without a word"])[-1][:300]
        found = (
            json.loads(said.splitlines()[-1])
            if process.returncode == 0
            else {"passed": False, "reason": f"its process ended with {process.returncode}: {last}", "stage": "process"}
        )
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        found = {"passed": False, "reason": f"not done within {LIMIT_SECONDS} s", "stage": "process"}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found | {"cpu_seconds": round(spent, 1), "seconds": round(time.monotonic() - start, 1)}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The last line of each architecture."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return list({line["arch"]: line for line in lines}.values())


# The page


def page(lines: list[dict[str, Any]], families: list[str]) -> str:
    """docs/export-support.md from the results; `families` are those of timm."""
    passed = [line for line in lines if line["passed"]]
    failed = [line for line in lines if not line["passed"]]
    covered = {line["family"] for line in lines}
    share = f"{len(passed)} of {len(lines)} ({len(passed) / len(lines):.1%})"
    versions = ", ".join(f"{name} {version}" for name, version in lines[-1]["versions"].items())
    rows = [_row(line) for line in sorted(lines, key=lambda line: (line["family"], line["arch"]))]
    return "\n".join(
        [
            INTRODUCTION.format(share=share, covered=len(covered & set(families)), families=len(families)),
            f"With {versions}.",
            *_earlier(lines),
            "",
            "## What fails",
            "",
            *(_failure(line) for line in failed),
            *([] if failed else ["Nothing of what was tried."]),
            *_not_tried(families, covered),
            "",
            *_fallen(passed),
            "## All of them",
            "",
            f"| {' | '.join(COLUMNS)} |",
            f"|{'---|' * len(COLUMNS)}",
            *rows,
            "",
        ]
    )


def _earlier(lines: list[dict[str, Any]]) -> list[str]:
    """What was tried while torch.export was the ladder's first rung: it then fell to nothing."""
    count = sum(line.get("exporter") == "torch.export" and not line["fallen"] for line in lines)
    if not count:
        return []
    return [
        f"{count} of them were tried before the tracer came first: those of torch.export below that are not listed as "
        "passed over."
    ]


COLUMNS = (
    *("family", "architecture", "input", "million weights", "exporter", "nodes", "MB", "relative difference", "CPU s"),
    "result",
)
INTRODUCTION = """# Which architectures export

Written by `benchmarks/export_sweep.py` from its results; not edited by hand.

{share} of timm's architectures that were tried export and answer like torch: at least the smallest of each family
that timm lists ({covered} of {families}), and well-known ones. Each was built at its own input size and for ten
classes, with random weights in which every branch counts, batch norms that know their images and logits of size 1;
written as a checkpoint; exported as `clf export` does, in a process of its own; and asked for 1, 2 and 3 images. It
passes where ONNX's checker has nothing to say, no logit is further than 1e-4 x max(1, max|logit|) from torch's, and
no image gets another class. `relative difference` is the largest such distance, `CPU s` the seconds of one core from
start to end, building and comparing included. Trained weights may behave otherwise: `clf export` compares yours too,
and publishes nothing that differs.
"""


def _row(line: dict[str, Any]) -> str:
    size = f"{line['height']} x {line['width']}" if "height" in line else ""
    weights = f"{line['parameters'] / 1e6:.1f}" if "parameters" in line else ""
    made = ["", "", "", ""]
    if "exporter" in line:
        made = [line["exporter"], line["nodes"], f"{line['bytes'] / 1e6:.1f}", f"{line['relative_difference']:.1g}"]
    verdict = "passed" if line["passed"] else "failed"
    cells = [line["family"], line["arch"], size, weights, *made, f"{line['cpu_seconds']:.0f}", verdict]
    return f"| {' | '.join(map(str, cells))} |"


def _failure(line: dict[str, Any]) -> str:
    stage = {"build": "cannot be built", "export": "cannot be exported", "process": "did not finish"}
    what = stage.get(line.get("stage", ""), "answers otherwise")
    return f"- `{line['arch']}` ({line['family']}) {what}: {line['reason']}"


def _not_tried(families: list[str], covered: set[str]) -> list[str]:
    missing = [family for family in families if family not in covered]
    return [f"- Not tried: {', '.join(missing)}."] if missing else []


def _fallen(passed: list[dict[str, Any]]) -> list[str]:
    """Where an exporter was passed over, and why."""
    told = [f"- `{line['arch']}`: {one['rung']}: {one['reason']}" for line in passed for one in line["fallen"]]
    return ["## Where an exporter was passed over", "", *told, ""] if told else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archs", nargs="*")
    parser.add_argument("--again", action="store_true", help="try those again that failed")
    parser.add_argument("--one", metavar="ARCH", help="the child")
    parser.add_argument("--page", action="store_true", help="print docs/export-support.md and stop")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.one:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_MEGABYTES * 2**20,) * 2)
        print(json.dumps(one(arguments.one)))
        return
    families, choices = chosen()
    if arguments.page:
        print(page(lines_of(arguments.out), families), end="")
        return
    if arguments.archs:
        choices = [choice for choice in choices if choice.arch in arguments.archs]
    for line in sweep(choices, arguments.out, arguments.again):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
