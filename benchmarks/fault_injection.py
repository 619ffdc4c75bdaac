"""Every fault injected alone, on trained runs: which stage is named, and how well the answers agree without and with.

    uv run python benchmarks/fault_injection.py RUN [RUN ...] [--data DIR] [--out FILE]
    uv run python benchmarks/fault_injection.py --page

RUN is a trained run with its export. Up to 128 val images, evenly spread. Two kinds of faults:

- file: the ONNX file or its contract is edited, and held against the checkpoint as `clf validate-onnx` does
- program: somebody's program answers for the images in one wrong way, and its JSON lines are held against the file as
  `clf validate-onnx --answers` does; with OpenCV itself where it is installed

Photos are seldom turned or transparent, so faults of decoding are shown on copies of the images: every second one is
turned by EXIF, the others have a hole. One JSON line per run and case is appended; those that are there are skipped.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from PIL import Image

from clf_cli.data.dataset import Dataset, load_run_dataset
from clf_cli.data.images import open_image
from clf_cli.data.samples import Sample
from clf_cli.engine.onnx_answers_check import OnnxAnswersResult, check_answers
from clf_cli.engine.onnx_check import Evidence
from clf_cli.engine.onnx_consumer import Consumer, Recipe, consumer_answers, decode, open_consumer, resized, tensor
from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_export import contract_of
from clf_cli.engine.onnx_fault import Fault, distance
from clf_cli.engine.onnx_fault_images import pictures_of
from clf_cli.engine.onnx_fault_labels import natural
from clf_cli.engine.onnx_fault_search import Trial, find_faults
from clf_cli.engine.onnx_metadata import EXPORT_KEY, Made
from clf_cli.engine.onnx_parity import in_order
from clf_cli.engine.onnx_plan import spread
from clf_cli.engine.predict_split import predict_split
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.classifier import Classifier
from clf_cli.models.network import load_network, network_classifier
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from clf_cli.settings.sections import DataSection
from clf_cli.values.predictions import Predictions, softmax
from clf_cli.values.run_dir import RunDir

RESULTS = Path(__file__).parent / "results" / "fault_injection.jsonl"
IMAGES = 128
Line = dict[str, Any]
Edit = Callable[[onnx.ModelProto, dict[str, Any]], None]  # of the graph and the contract, in place


@dataclass(frozen=True)
class Subject:
    """A run: its file, its checkpoint, images as they are and turned or transparent, and what torch says of both."""

    run: RunDir
    reference: Classifier
    plain: Dataset
    odd: Dataset
    folder: Path

    def dataset(self, stage: str) -> Dataset:
        return self.odd if stage == "decode" else self.plain


# Faults of the file


def of_contract(**changes: Any) -> Edit:
    def edit(model: onnx.ModelProto, contract: dict[str, Any]) -> None:
        contract["preprocess"].update(changes)

    return edit


def labels_as_numbers(model: onnx.ModelProto, contract: dict[str, Any]) -> None:
    ordered = sorted(contract["labels"], key=natural)
    contract["labels"] = ordered if ordered != contract["labels"] else ordered[::-1]


def blue_first(model: onnx.ModelProto, contract: dict[str, Any]) -> None:
    change(next(one for one in kernels(model) if one.dims[1] == 3), lambda values: values[:, ::-1])


def a_kernel_off(model: onnx.ModelProto, contract: dict[str, Any]) -> None:
    change(kernels(model)[len(kernels(model)) // 2], lambda values: values * np.float32(1.3))


def simplified_wrongly(model: onnx.ModelProto, contract: dict[str, Any]) -> None:
    a_kernel_off(model, contract)
    text = json.dumps(Made("torch.export", 18, "onnxsim 0.8.1").to_json())
    helper.set_model_props(model, {**{one.key: one.value for one in model.metadata_props}, EXPORT_KEY: text})


def rounded_too_much(model: onnx.ModelProto, contract: dict[str, Any]) -> None:
    """What the last layer takes, in 8 bits of a range that was measured too wide."""
    last = next(node for node in reversed(model.graph.node) if node.op_type in ("Gemm", "MatMul"))
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(np.float32(2.0)), "step"))
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(np.uint8(128)), "zero"))
    place = list(model.graph.node).index(last)
    model.graph.node.insert(place, helper.make_node("DequantizeLinear", ["quantised", "step", "zero"], ["rounded"]))
    model.graph.node.insert(place, helper.make_node("QuantizeLinear", [last.input[0], "step", "zero"], ["quantised"]))
    last.input[0] = "rounded"


def kernels(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    return [one for one in model.graph.initializer if len(one.dims) == 4]


def change(kernel: onnx.TensorProto, edit: Callable[[Any], Any]) -> None:
    values = np.ascontiguousarray(edit(numpy_helper.to_array(kernel)))
    kernel.CopyFrom(numpy_helper.from_array(values, kernel.name))


def nothing(model: onnx.ModelProto, contract: dict[str, Any]) -> None:
    """A sound file."""


FILES: Mapping[str, tuple[str, Edit]] = {
    "nothing": ("none", nothing),
    "background black": ("decode", of_contract(background=[0, 0, 0])),
    "first layer expects BGR": ("color order", blue_first),
    "contract says bilinear": ("resize kernel", of_contract(interpolation="bilinear")),
    "contract says crop": ("resize mode", of_contract(resize_mode="crop")),
    "contract says crop share 0.875": ("resize mode", of_contract(crop_share=0.875)),
    "ImageNet's mean and std": (
        "normalisation",
        of_contract(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ),
    "live weights": ("weights", nothing),
    "a kernel 1.3 times too large": ("graph", a_kernel_off),
    "the same by onnxsim": ("simplifier", simplified_wrongly),
    "8-bit steps too coarse": ("precision", rounded_too_much),
    "labels sorted as numbers": ("label order", labels_as_numbers),
}


def file_case(subject: Subject, name: str) -> Line:
    stage, edit = FILES[name]
    source, target = subject.run.onnx, subject.folder / "edited.onnx"
    if name == "live weights":
        checkpoint = read_checkpoint(subject.run.best)
        network, _ = load_network(checkpoint, False, fused_attention=False)
        source = subject.folder / "live.onnx"
        contract = contract_of(checkpoint, subject.reference.weights)
        write_onnx(network, contract, Made("torch.export", 18), source)
    model = onnx.load(source)
    props = {one.key: one.value for one in model.metadata_props}
    words = json.loads(props["clf.contract"])
    edit(model, words)
    helper.set_model_props(model, {**{one.key: one.value for one in model.metadata_props},
                                   "clf.contract": json.dumps(words)})  # fmt: skip
    onnx.save(model, target)
    dataset = subject.dataset(stage)
    consumer, expected = open_consumer(target, 1), torch_says(subject, dataset)
    answers = consumer_answers(consumer, dataset.root, dataset.samples)
    theirs = in_order(answers.logits, answers.labels, expected.labels)
    pictures = pictures_of(Evidence(expected=expected, answers=answers), dataset.root)
    start = time.process_time()
    faults = find_faults(Trial(consumer, subject.reference, pictures, threads=1))
    whole = distance(expected.logits, theirs)
    return told(faults, len(expected), whole.agreement, whole.difference, time.process_time() - start)


def torch_says(subject: Subject, dataset: Dataset) -> Predictions:
    return predict_split(subject.reference, dataset, "all")


# Faults of a program

Program = Callable[[Consumer, Path], np.ndarray[Any, Any]]  # its logits for a file


def with_pillow(**changes: Any) -> Program:
    def answer(consumer: Consumer, path: Path) -> np.ndarray[Any, Any]:
        recipe = replace(consumer.recipe, **changes)
        return consumer.logits(tensor(resized(decode(path, recipe), recipe), recipe)[None])[0]

    return answer


def with_opencv(color: str, normalise: bool = True) -> Program:
    """What a first attempt with OpenCV does: imread, resize, and perhaps cvtColor and the contract's normalisation."""

    def answer(consumer: Consumer, path: Path) -> np.ndarray[Any, Any]:
        import cv2  # type: ignore[import-not-found,unused-ignore]  # a dev dependency

        recipe: Recipe = consumer.recipe
        pixels = cv2.resize(cv2.imread(str(path)), (recipe.width, recipe.height))
        if color == "RGB":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        values = pixels.astype(np.float32) / 255
        if normalise:
            values = (values - np.array(recipe.mean, np.float32)) / np.array(recipe.std, np.float32)
        return consumer.logits(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))[0]

    return answer


PROGRAMS: Mapping[str, tuple[str, Program]] = {
    "as the contract says": ("none", with_pillow()),
    "EXIF ignored": ("decode", with_pillow(exif=False)),
    "transparency dropped": ("decode", with_pillow(flatten=False)),
    "transparency on black": ("decode", with_pillow(background=(0, 0, 0))),
    "BGR": ("color order", with_pillow(color="BGR")),
    "bilinear": ("resize kernel", with_pillow(interpolation="bilinear")),
    "nearest": ("resize kernel", with_pillow(interpolation="nearest")),
    "without antialias": ("antialias", with_pillow(antialias=False)),
    "letterbox": ("resize mode", with_pillow(resize_mode="letterbox")),
    "crop": ("resize mode", with_pillow(resize_mode="crop")),
    "no normalisation": ("normalisation", with_pillow(divisor=1.0, mean=(0, 0, 0), std=(1, 1, 1))),
    "only / 255": ("normalisation", with_pillow(mean=(0, 0, 0), std=(1, 1, 1))),
    "labels sorted as numbers": ("label order", with_pillow()),
    "softmax twice": ("softmax", with_pillow()),
    "OpenCV, RGB": ("resize kernel, antialias", with_opencv("RGB")),
    "OpenCV, BGR": ("color order, resize kernel, antialias", with_opencv("BGR")),
    "OpenCV, BGR, only / 255": ("color order, resize kernel, antialias, normalisation", with_opencv("BGR", False)),
}


def program_case(subject: Subject, name: str) -> Line:
    stage, program = PROGRAMS[name]
    dataset = subject.dataset(stage)
    onnx_file, consumer = onnx_classifier(subject.run.onnx, 1), open_consumer(subject.run.onnx, 1)
    names = list(consumer.labels)
    if stage == "label order":
        ordered = sorted(names, key=natural)
        names = ordered if ordered != names else names[::-1]
    rows = []
    for sample in dataset.samples:
        values = softmax(program(consumer, dataset.root / sample.path))
        values = softmax(values) if stage == "softmax" else values
        numbers = {name: round(float(value), 6) for name, value in zip(names, values, strict=True)}
        rows.append(json.dumps({"path": sample.path, "probabilities": numbers}))
    file = subject.folder / "answers.jsonl"
    file.write_text("\n".join(rows), encoding="utf-8")
    start = time.process_time()
    result: OnnxAnswersResult = check_answers((onnx_file, consumer), file, dataset, ValidateSection())
    found = result.explanation
    faults = found.faults if found is not None and found.reproduced else ()
    line = told(faults, result.images, result.agreement, result.difference, time.process_time() - start)
    return {**line, "reproduced": found.reproduced if found is not None else None}


# Both


def told(faults: Sequence[Fault], images: int, agreement: float, difference: float | None, seconds: float) -> Line:
    """`agreement` and `difference` are of all `images`; those of the faults of the few that were searched on."""
    return {
        "images": images,
        "agreement": agreement,
        "difference": difference,
        "verdict": [fault.stage for fault in faults],
        "faults": [asdict(fault) for fault in faults],
        "cpu_seconds": round(seconds, 1),
    }


def opened(run: RunDir, data: Path | None, folder: Path) -> Subject:
    reference = network_classifier(run.best)
    dataset = load_run_dataset(run, DataSection(root=data), reference.labels)
    samples = spread(dataset.split("val"), IMAGES)
    plain = replace(dataset, samples=tuple(replace(sample, split="all") for sample in samples))
    return Subject(run, reference, plain, turned_and_transparent(plain, folder / "odd"), folder)


def turned_and_transparent(dataset: Dataset, root: Path) -> Dataset:
    samples = []
    for number, sample in enumerate(dataset.samples):
        image, path = open_image(dataset.root / sample.path), root / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 2:
            exif = Image.Exif()
            exif[0x0112] = 6
            image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
        else:
            alpha = np.full((image.height, image.width), 255, np.uint8)
            alpha[: image.height // 3] = np.linspace(0, 255, image.width, dtype=np.uint8)
            image = image.copy()
            image.putalpha(Image.fromarray(alpha))
            image.save(path)
        samples.append(Sample(path.name, sample.label, "all"))
    return replace(dataset, root=root, samples=tuple(samples), skipped=(), left_out=())


def cases() -> list[tuple[str, str]]:
    return [*(("file", name) for name in FILES), *(("program", name) for name in PROGRAMS)]


def measured(subject: Subject, kind: str, name: str) -> Line:
    wanted = (FILES if kind == "file" else PROGRAMS)[name][0]
    found = file_case(subject, name) if kind == "file" else program_case(subject, name)
    head = {"run": subject.run.root.name, "arch": subject.reference.arch, "kind": kind, "case": name, "fault": wanted}
    return {**head, **found}


def page(lines: Sequence[Line]) -> str:
    """The tables of docs/faults.md: per run the stages named, the agreement of all images, that of the searched ones
    without the swap and with it."""
    runs = list(dict.fromkeys(line["run"] for line in lines))
    parts = []
    for kind, title in (("file", "in the file"), ("program", "in the program")):
        head = [
            "injected",
            title,
            *(f"{run}: {column}" for run in runs for column in ("named", "agree", "without", "with")),
        ]
        rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for name, (stage, _) in (FILES if kind == "file" else PROGRAMS).items():
            found = {line["run"]: line for line in lines if (line["kind"], line["case"]) == (kind, name)}
            cells = [cell for run in runs for cell in (of_run(found[run]) if run in found else ["–"] * 4)]
            rows.append(f"| {' | '.join([stage, name, *cells])} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def of_run(line: Line) -> list[str]:
    named = ", ".join(line["verdict"]) or "none"
    shares = [f"{line['agreement']:.1%}", "–", "–"]
    if line["faults"]:
        first, last = line["faults"][0], line["faults"][-1]
        shares[1:] = [f"{first['agreement_without']:.1%}", f"{last['agreement_with']:.1%}"]
    return [named, *(share.replace("%", " %") for share in shares)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.is_file() else []
    if arguments.page:
        print(page(lines))
        return
    done = {(line["run"], line["kind"], line["case"]) for line in lines}
    for root in arguments.runs:
        with tempfile.TemporaryDirectory(prefix="clf-faults-") as folder:
            subject = opened(RunDir(root), arguments.data, Path(folder))
            for kind, name in cases():
                if (root.name, kind, name) in done:
                    continue
                line = measured(subject, kind, name)
                print(root.name, kind, name, line["fault"], "->", line["verdict"], flush=True)
                with arguments.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                    os.fsync(file.fileno())


if __name__ == "__main__":
    main()
