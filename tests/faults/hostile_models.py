"""Checkpoints, weights and runs that a stranger may send."""

import builtins
import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from clf_cli.values.run_dir import RunDir
from tests.faults.hostile_case import MODEL, RIGHT, Build, Case

TRACE = "trace"  # what code in a file would leave in the current folder


class Runs:
    """Unpickled by a careless reader, it leaves a file."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def system(folder: Path) -> Runs:
    return Runs(os.system, f"touch {folder / TRACE}")


def saved(content: Any, path: Path, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def checkpoint(run: RunDir) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(run.best, weights_only=True)
    return found


def with_meta(**changes: Any) -> Build:
    """`model-info` on a checkpoint whose `clf` key says otherwise; a double underscore goes into a section."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        content = checkpoint(run)
        for name, value in changes.items():
            section, _, key = name.partition("__")
            if key:
                content["clf"][section] = {**content["clf"][section], key: value}
            else:
                content["clf"][section] = value
        return ["model-info", saved(content, folder / "a.ckpt")]

    return build


def with_state(change: Callable[[dict[str, Any]], Any]) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        content = checkpoint(run)
        change(content)
        return ["model-info", saved(content, folder / "a.ckpt")]

    return build


def first(content: dict[str, Any]) -> str:
    return next(name for name, value in content["state_dict"].items() if value.ndim == 4)


def rezipped(change: Callable[[str, bytes], bytes | None], compression: int = zipfile.ZIP_STORED) -> Build:
    """The entries of a checkpoint's archive, changed; None leaves one out."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        with zipfile.ZipFile(run.best) as old, zipfile.ZipFile(folder / "a.ckpt", "w", compression) as new:
            for entry in old.infolist():
                content = change(entry.filename, old.read(entry))
                if content is not None:
                    new.writestr(entry.filename, content)
        return ["model-info", folder / "a.ckpt"]

    return build


def pickled(content: bytes) -> Build:
    return rezipped(lambda name, old: content if name.endswith("data.pkl") else old)


def raw(name: str, content: bytes, *command: str) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        (folder / name).write_bytes(content)
        return [*(command or ("model-info",)), folder / name]

    return build


def overlapping(folder: Path, run: RunDir) -> list[Any]:
    """A thousand entries of the index share one entry's bytes."""
    with zipfile.ZipFile(folder / "a.ckpt", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("a/data/0", bytes(1000))
        for number in range(1, 1000):
            entry = zipfile.ZipInfo(f"a/data/{number}")
            entry.header_offset = archive.infolist()[1].header_offset
            entry.file_size = entry.compress_size = 1000
            entry.CRC = 0
            archive.filelist.append(entry)
    return ["model-info", folder / "a.ckpt"]


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> Build:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()

    def build(folder: Path, run: RunDir) -> list[Any]:
        (folder / "w.safetensors").write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
        return weights_of(folder, "w.safetensors", run)

    return build


def weights_of(folder: Path, name: str, run: RunDir) -> list[Any]:
    data = json.loads(run.report("dataset").read_text())["data"]["path"]
    return [
        "train",
        "--data",
        data,
        "--arch",
        "test_resnet",
        "--image-size",
        "32",
        "--dry-run",
        *WEIGHTS(folder / name),
    ]


def WEIGHTS(path: Path) -> list[Any]:  # noqa: N802 - stands for a flag
    return ["--weights", path, "--threads", "1", "--workers", "0", "--device", "cpu"]


def evil(where: str, legacy: bool = False) -> Build:
    """A pickle that runs a command, wherever a file of torch may be named."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        content = {**checkpoint(run), "hook": system(folder)}
        path = saved(content, folder / "evil.ckpt", legacy)
        data = json.loads(run.report("dataset").read_text())["data"]["path"]
        image = next(Path(data).rglob("*.png"))
        if where == "--resume":
            copy = RunDir(folder / "run")
            shutil.copytree(run.root, copy.root, ignore=shutil.ignore_patterns("epochs", "*.png", "export"))
            for kept in (copy.last, copy.previous):
                kept.unlink(missing_ok=True)
                shutil.copyfile(path, kept)
            return ["train", "--resume", copy.root, "--epochs", "9"]
        if where in ("--weights", "--init-from"):
            base = weights_of(folder, "evil.ckpt", run)
            return [argument if argument != "--weights" else where for argument in base]
        more = {"predict": [image], "average": [run.best, "-o", folder / "o.ckpt"], "export": ["-o", folder / "o.onnx"]}
        return [where, path, *more.get(where, ["--data", data] if where != "model-info" else [])]

    return build


def resumed(key: str, value: Any) -> Build:
    """A run is continued whose checkpoint has another training state."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        copy = RunDir(folder / "run")
        shutil.copytree(run.root, copy.root, ignore=shutil.ignore_patterns("epochs", "*.png", "export"))
        content = torch.load(copy.last, weights_only=True)
        content[key] = value
        for kept in (copy.last, copy.previous):
            kept.unlink(missing_ok=True)
            saved(content, kept)
        return ["train", "--resume", copy.root, "--epochs", "9"]

    return build


def named(arch: str) -> Case:
    return Case(with_meta(arch=arch), MODEL, "")


def edited_run(name: str, change: Callable[[str], str], *command: str) -> Build:
    """A copy of the run with one of its small files changed, and a command on it."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        shutil.copytree(run.root, folder / "run", ignore=shutil.ignore_patterns("epochs", "last.ckpt", "top", "*.png"))
        path = folder / "run" / name
        path.write_text(change(path.read_text()))
        return [*command, folder / "run"]

    return build


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def json_with(*path: Any, value: Any) -> Callable[[str], str]:
    def change(text: str) -> str:
        tree = inner = json.loads(text)
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return json.dumps(tree)

    return change


def golden_with(**change: str) -> Build:
    """`validate-onnx` beside golden samples whose index names other files."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        shutil.copytree(run.export, folder / "export")
        Image.new("RGB", (9, 9)).save(folder / "secret.png")
        path = folder / "export" / "golden" / "index.json"
        index = json.loads(path.read_text())
        index["samples"][0].update({key: value.replace("DIR", str(folder)) for key, value in change.items()})
        path.write_text(json.dumps(index))
        return ["validate-onnx", folder / "export" / "model.onnx"]

    return build


def array(header: str) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        shutil.copytree(run.export, folder / "export")
        text = header.encode().ljust(118) + b"\n"
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16)
        (folder / "export" / "golden" / "0.input.npy").write_bytes(content)
        return ["validate-onnx", folder / "export" / "model.onnx"]

    return build


def _archive(kind: str) -> bytes:
    content = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("run/run.json", "{}")
    else:
        import tarfile

        with tarfile.open(fileobj=content, mode=kind) as archive:  # type: ignore[call-overload]
            archive.addfile(tarfile.TarInfo("run.json"))
    return content.getvalue()


_NAN = float("nan")
_TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}

MODELS: dict[str, Case] = {
    **{
        f"a pickle that runs code, {where}, {'legacy' if legacy else 'zip'}": Case(
            evil(where, legacy), MODEL, "refused"
        )
        for where in ("model-info", "evaluate", "predict", "average", "export", "--weights", "--init-from", "--resume")
        for legacy in (False, True)
    },
    "a pickle that evaluates": Case(with_state(lambda c: c.update(x=Runs(builtins.eval, "1"))), MODEL, "refused"),
    "a pickle that imports": Case(with_state(lambda c: c.update(x=Runs(__import__, "os"))), MODEL, "refused"),
    "a class of torch that runs code": Case(with_state(lambda c: c.update(x=Runs(torch.load, "x"))), MODEL, "refused"),
    "a whole module": Case(with_state(lambda c: c.update(x=torch.nn.Linear(1, 1))), MODEL, "refused"),
    "a numpy object array": Case(with_state(lambda c: c.update(x=np.array([object()]))), MODEL, "refused"),
    "a compressed archive": Case(rezipped(lambda _, old: old, zipfile.ZIP_DEFLATED), MODEL, "compressed"),
    "a pickle that inflates to 64 MB": Case(
        rezipped(lambda n, old: old + bytes(1 << 26) if n.endswith("data.pkl") else old, zipfile.ZIP_DEFLATED),
        MODEL,
        "compressed",
    ),
    "a pickle of 65 MB": Case(
        rezipped(lambda n, old: old + bytes(65 << 20) if n.endswith("data.pkl") else old), MODEL, "its pickle has"
    ),
    "entries on top of each other": Case(overlapping, MODEL, "on top of each other"),
    "a storage that is too short": Case(
        rezipped(lambda n, old: old[:4] if n.endswith("data/1") else old), MODEL, "it has 4"
    ),
    "a storage that is missing": Case(
        rezipped(lambda n, old: None if n.endswith("data/1") else old), MODEL, "it has 0"
    ),
    "an archive without its version": Case(
        rezipped(lambda n, old: old if not n.endswith("/version") else None), MODEL, "whole"
    ),
    "an unknown byte order": Case(
        rezipped(lambda n, old: b"?" if n.endswith("byteorder") else old), MODEL, "endianness"
    ),
    "a zip of something else": Case(raw("a.ckpt", _archive("zip")), MODEL, "not one of torch.save"),
    "a tar file as model": Case(raw("a.ckpt", _archive("w")), MODEL, "not a"),
    "a gzip file as model": Case(raw("a.pt", _archive("w:gz")), MODEL, "gzip"),
    "a zip file as model": Case(raw("run.zip", _archive("zip")), MODEL, "zip"),
    "a pickle nested 20,000 deep": Case(pickled(b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b"."), MODEL, "clf"),
    "a pickle without an end": Case(pickled(b"\x80\x02}"), MODEL, "whole"),
    "a pickle that pops nothing": Case(pickled(b"\x80\x02" + b"a" * 9 + b"."), MODEL, "whole"),
    "a memo of 2^31 entries": Case(pickled(b"\x80\x02}r\xff\xff\xff\x7f."), MODEL, "clf"),
    "a class of 100,000 letters": Case(pickled(b"\x80\x02c" + b"(" * 100_000 + b"\nx\n."), MODEL, "letters"),
    "a class of 100,000 letters, legacy": Case(
        raw("a.ckpt", b"\x80\x02c" + b"(" * 100_000 + b"\nx\n."), MODEL, "letters"
    ),
    "a text of 2^62 bytes": Case(pickled(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x."), MODEL, "whole"),
    "bytes of 2^62": Case(pickled(b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b"x."), MODEL, "whole"),
    "a list that holds itself": Case(pickled(b"\x80\x02]q\x00h\x00a."), MODEL, "clf"),
    "a storage of 2^62 numbers": Case(
        pickled(
            b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
            b"\x8a\x08" + struct.pack("<q", 1 << 60) + b"tQ."
        ),
        MODEL,
        "bytes",
    ),
    "a storage type of nothing": Case(
        pickled(b"\x80\x02(X\x07\x00\x00\x00storagecos\nsystem\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ."),
        MODEL,
        "storage type",
    ),
    "a tensor of 2^40 from one number": Case(
        with_state(lambda c: c["state_dict"].update({first(c): torch.zeros(1).expand(1 << 40)})), MODEL, "not stored"
    ),
    "a tensor without memory": Case(
        with_state(lambda c: c["state_dict"].update({first(c): torch.empty(1 << 40, device="meta")})),
        MODEL,
        "not stored",
    ),
    "a tensor of another shape": Case(
        with_state(lambda c: c["state_dict"].update({first(c): torch.zeros(7)})), MODEL, "does not fit"
    ),
    "a tensor of whole numbers": Case(
        with_state(lambda c: c["state_dict"].update({first(c): c["state_dict"][first(c)].long()})), RIGHT, "test_resnet"
    ),
    "a tensor of complex numbers": Case(
        with_state(lambda c: c["state_dict"].update({first(c): c["state_dict"][first(c)] * 1j})), MODEL, "does not fit"
    ),
    "a text for a tensor": Case(
        with_state(lambda c: c["state_dict"].update({first(c): "x"})), MODEL, "tensors by name"
    ),
    "a number for a state": Case(with_state(lambda c: c.update(state_dict=5)), MODEL, "damaged"),
    "a list for live weights": Case(with_state(lambda c: c.update(current_model_state=[1])), MODEL, "damaged"),
    "steps that are text": Case(with_state(lambda c: c.update(global_step="x")), MODEL, "step"),
    "loops that are a number, resumed": Case(resumed("loops", 5), MODEL, "cannot be taken up"),
    "an optimiser that is text, resumed": Case(resumed("optimizer_states", ["x"]), MODEL, "cannot be taken up"),
    "an optimiser of nothing, resumed": Case(
        resumed("optimizer_states", [{"state": {}, "param_groups": []}]), MODEL, "cannot be taken up"
    ),
    "callbacks that are a number, resumed": Case(resumed("callbacks", 5), MODEL, "cannot be taken up"),
    "a version that is a number, resumed": Case(resumed("pytorch-lightning_version", 5), MODEL, "cannot be taken up"),
    "no clf key": Case(with_state(lambda c: c.pop("clf")), MODEL, "lacks the key"),
    "a clf key of text": Case(with_state(lambda c: c.update(clf="x")), MODEL, "lacks the key"),
    "100,001 labels": Case(with_meta(labels=[str(n) for n in range(100_001)]), MODEL, "100,000 at most"),
    "a label of 100,000 letters": Case(with_meta(labels=["x" * 100_000, "b", "c"]), MODEL, "1,000 characters"),
    "half a letter as label": Case(with_meta(labels=["\ud800", "b", "c"]), MODEL, ""),
    "labels twice": Case(with_meta(labels=["a", "a", "c"]), MODEL, "more than once"),
    "labels that are numbers": Case(with_meta(labels=[1, 2, 3]), MODEL, "list of texts"),
    "labels that steer a terminal": Case(with_meta(labels=["\x1b]0;x\x07", "\u202eb", "[red]c"]), RIGHT, "test_resnet"),
    "images of 10^9 pixels a side": Case(with_meta(preprocess__height=10**9), MODEL, "4,096"),
    "images of -1 pixels": Case(with_meta(preprocess__width=-1), MODEL, "4,096"),
    "a mean of NaN": Case(with_meta(preprocess__mean=[_NAN] * 3), MODEL, "mean"),
    "a deviation of 0": Case(with_meta(preprocess__std=[0.0] * 3), MODEL, "std"),
    "a crop share of 1e-9": Case(with_meta(preprocess__crop_share=1e-9), MODEL, "crop_share"),
    "an unknown kernel": Case(with_meta(preprocess__interpolation="../x"), MODEL, "interpolation"),
    "a mean beyond all floats": Case(with_meta(preprocess__mean=[10**400] * 3), MODEL, "mean"),
    "an unknown key of preprocessing": Case(with_meta(preprocess__hook="x"), MODEL, "hook"),
    "preprocessing that is text": Case(with_meta(preprocess="x"), MODEL, "preprocess"),
    "settings that are text": Case(with_meta(settings="x"), MODEL, "settings"),
    "a section that is text": Case(with_meta(settings__model="x"), MODEL, "settings"),
    "a drop rate that is text": Case(with_meta(settings__model={"drop_rate": "x"}), MODEL, ""),
    "settings that name files": Case(
        with_meta(settings__model={"drop_rate": 0.0, "weights": "/etc/passwd"}), RIGHT, "test_resnet"
    ),
    "a score that is text": Case(with_meta(score="x"), MODEL, "damaged"),
    "an epoch that is text": Case(with_meta(epoch="x"), MODEL, "epoch"),
    "weights of another kind": Case(with_meta(weights="best"), MODEL, "scored_weights"),
    "a format of the future": Case(with_meta(format_version=10**6), MODEL, "Upgrade"),
    "a format that is text": Case(with_meta(format_version="1"), MODEL, "format"),
    "an architecture of a hub": named("hf-hub:owner/name"),
    "an architecture of a hub, in full": named("hf-hub:timm/resnet18.a1_in1k"),
    "an architecture in a folder": named("local-dir:/etc"),
    "an architecture at an address": named("http://host/x"),
    "an architecture that is a path": named("../../x"),
    "an architecture of 100,000 letters": named("x" * 100_000),
    "an architecture that is a number": named(5),  # type: ignore[arg-type]
    "safetensors: a header of 2^62 bytes": Case(safetensors({}, length=1 << 62), MODEL, ""),
    "safetensors: a header of 100 MB that is not there": Case(safetensors({}, length=100 << 20), MODEL, "whole"),
    "safetensors: no JSON": Case(safetensors(b"{x"), MODEL, "whole"),
    "safetensors: nested": Case(safetensors(b'{"a":' * 100_000), MODEL, "whole"),
    "safetensors: tensors on top of each other": Case(
        safetensors({"a": _TENSOR, "b": _TENSOR}, bytes(8)), MODEL, "whole"
    ),
    "safetensors: a tensor beyond the end": Case(safetensors({"a": _TENSOR}), MODEL, "whole"),
    "safetensors: a shape of 2^64": Case(
        safetensors({"a": {**_TENSOR, "shape": [1 << 32, 1 << 32]}}, bytes(8)), MODEL, "whole"
    ),
    "safetensors: an unknown type": Case(safetensors({"a": {**_TENSOR, "dtype": "F13"}}, bytes(8)), MODEL, "whole"),
    "safetensors: another network's": Case(safetensors({"a": _TENSOR}, bytes(8)), MODEL, "does not hold weights"),
    "safetensors: empty": Case(safetensors({}), MODEL, "no tensors"),
    "weights that are a folder": Case(lambda folder, run: weights_of(folder, ".", run), MODEL, "folder"),
    "weights that are a pipe": Case(
        lambda folder, run: [os.mkfifo(folder / "p"), *weights_of(folder, "p", run)][1:], MODEL, "regular"
    ),
    "weights at an address": Case(
        lambda folder, run: weights_of(Path("http://host"), "w.safetensors", run), MODEL, "no weights file"
    ),
    "a model at an address": Case(lambda folder, run: ["evaluate", "https://host/model.onnx"], MODEL, "no https:"),
    "splits.csv leads out": Case(
        edited_run("splits.csv", replaced("train/", "../train/"), "evaluate"), MODEL, "leads out"
    ),
    "splits.csv leads to the root": Case(
        edited_run("splits.csv", replaced("train/", "/etc/"), "evaluate"), MODEL, "leads out"
    ),
    "splits.csv of another shape": Case(
        edited_run("splits.csv", replaced(",train", ",train,x"), "evaluate"), MODEL, "splits.csv"
    ),
    "run.json of another type": Case(edited_run("run.json", json_with("seed", value="x"), "report"), MODEL, "seed"),
    "run.json nested": Case(edited_run("run.json", lambda _: "[" * 100_000, "report"), MODEL, "run.json"),
    "run.json with a number of 5,000 digits": Case(
        edited_run("run.json", replaced('"seed": 0', '"seed": ' + "9" * 5000), "report"), MODEL, "run.json"
    ),
    "run.json with script for a library": Case(
        edited_run("run.json", json_with("libraries", "torch", value="<script>alert(1)</script>"), "report"), RIGHT, ""
    ),
    "run.json with libraries that are text": Case(
        edited_run("run.json", json_with("libraries", value="x"), "report"), RIGHT, ""
    ),
    "run.json in a list of runs": Case(
        lambda folder, run: ["runs", edited_run("run.json", lambda _: "{", "report")(folder, run)[-1].parent],
        RIGHT,
        "broken",
    ),
    "metrics.csv with an epoch beyond all": Case(
        edited_run("metrics.csv", lambda text: text + "1e999\n", "report"), MODEL, "metrics.csv"
    ),
    "metrics.csv with a formula": Case(
        edited_run("metrics.csv", lambda text: text + "=1+1\n", "history"), MODEL, "not a number"
    ),
    "a report of another type": Case(
        edited_run("reports/metrics.json", json_with("data", "images", value="x"), "report"), MODEL, "images"
    ),
    "a report of an unknown split": Case(
        edited_run("reports/metrics.json", json_with("data", "split", value="../x"), "report"), MODEL, "split"
    ),
    "a report with a class of script": Case(
        edited_run(
            "reports/metrics.json",
            json_with("result", "per_class", 0, "class", value="</script><script>alert(1)</script>"),
            "report",
        ),
        RIGHT,
        "",
    ),
    "settings.toml of 2 MB": Case(
        edited_run("settings.toml", lambda text: text + "#" * (2 << 20), "report"), MODEL, "1 MiB"
    ),
    "settings.toml nested": Case(
        edited_run("settings.toml", lambda _: "a = " + "[" * 100_000, "report"), MODEL, "settings.toml"
    ),
    "an export's checks without a graph": Case(
        edited_run("export/validation.json", json_with("result", "graph", value=None), "report"), MODEL, "validation"
    ),
    "golden samples outside their folder": Case(golden_with(image="../../secret.png"), MODEL, "leads out"),
    "golden samples at the root": Case(golden_with(input="DIR/secret.png"), MODEL, "leads out"),
    "golden samples that are a pickle": Case(golden_with(input="index.json"), MODEL, "index.json"),
    "a golden array of 2^40 numbers": Case(
        array("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"), MODEL, "0.input.npy"
    ),
    "a golden array of objects": Case(
        array("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"), MODEL, "0.input.npy"
    ),
    "a golden array with a header of code": Case(array("__import__('os').system('x')"), MODEL, "0.input.npy"),
}
