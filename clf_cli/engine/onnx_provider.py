"""Which execution provider runs the nodes of an ONNX file: asked for, installed, and proved by a profile."""

import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types

from clf_cli.data.library_caches import temporary_place
from clf_cli.errors import ExportError, ModelError, RunError, UsageError, first_line
from clf_cli.models.onnx import CPU, contract_of, logits_of, open_session
from clf_cli.values.contract import Contract
from clf_cli.values.preprocess import InputArray

ARITHMETIC = (
    "Conv",
    "Gemm",
    "MatMul",
    "Attention",
    "Einsum",
)  # parts of operators' names, fused and quantised ones too


@dataclass(frozen=True)
class Provider:
    """An execution provider: how clf and ONNX Runtime call it, and the package from PyPI that brings it."""

    name: str
    official: str
    package: str


PROVIDERS = {
    name: Provider(name, f"{official}ExecutionProvider", package)
    for name, official, package in (
        ("cpu", "CPU", "onnxruntime"),
        ("cuda", "CUDA", "onnxruntime-gpu"),
        ("tensorrt", "Tensorrt", "onnxruntime-gpu"),
        ("openvino", "OpenVINO", "onnxruntime-openvino"),
        ("coreml", "CoreML", "onnxruntime"),  # its wheels for macOS
        ("directml", "Dml", "onnxruntime-directml"),
        ("rocm", "ROCM", "onnxruntime-rocm"),
        ("migraphx", "MIGraphX", "onnxruntime-migraphx"),
        ("cann", "CANN", "onnxruntime-cann"),
        ("azure", "Azure", "onnxruntime"),
    )
}


@dataclass(frozen=True)
class Placement:
    """Which provider ran the nodes of one batch. `problem`: why the one asked for did not start, or
    did not answer."""

    provider: Provider
    nodes: tuple[tuple[str, int], ...]  # ONNX Runtime's name of a provider, how many nodes it ran; the most first
    arithmetic_elsewhere: tuple[tuple[str, int], ...] = ()  # operator, how many nodes of it another provider ran
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "asked": self.provider.name,
            "name": self.provider.official,
            "nodes": dict(self.nodes),
            "arithmetic_elsewhere": dict(self.arithmetic_elsewhere),
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Placed:
    """A session on a provider, and the proof; None on the CPU where the file could not answer for the probe."""

    session: ort.InferenceSession
    placement: Placement | None


def provider_named(name: str) -> Provider:
    """Raises UsageError (exit 2) for a name that is not known, ExportError (exit 5) where it is not installed."""
    provider = PROVIDERS.get(name.lower())
    if provider is None:
        raise UsageError(f"There is no execution provider {name!r}.", f"Known: {', '.join(PROVIDERS)}.")
    installed = ort.get_available_providers()
    if provider.official not in installed:
        have = ", ".join(one.name for one in PROVIDERS.values() if one.official in installed)
        raise ExportError(
            f"This ONNX Runtime ({ort.__version__}) has no {provider.official}: it has {have}.",
            f"`pip uninstall onnxruntime`, then `pip install {provider.package}`: the two cannot stand side by side."
            if provider.package != "onnxruntime"
            else f"Only some systems' packages of ONNX Runtime have it: `pip install {provider.package}` there.",
        )
    return provider


def place(
    path: Path, provider: Provider, probe: InputArray, threads: int | None, contract: Contract | None = None
) -> Placed:
    """Opens the file on `provider`, and on the CPU what that leaves; runs `probe` (n, ...) and reads who ran what.

    Where the provider cannot start, the session is one on the CPU. Raises ModelError (exit 4) like
    models.onnx.open_session, RunError (exit 6) where the profile cannot be written; the CPU
    then goes without proof.
    """
    try:
        folder = tempfile.mkdtemp(prefix="clf-profile-", dir=temporary_place())
    except (OSError, RunError) as error:
        if provider.official in CPU:
            return Placed(open_session(path, threads), None)
        raise RunError(f"There is no place for ONNX Runtime's profile: {first_line(error)}.") from error
    try:
        session, problem = _session(path, provider, threads, Path(folder) / "nodes")
        silent = None
        try:
            logits_of(path, session, contract or contract_of(path, session))(probe)
        except ModelError as error:
            silent = error.message
        events = _events(session)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if silent is not None and provider.official in CPU:
        return Placed(session, None)
    return Placed(session, _placement(provider, events, problem or silent))


def _session(
    path: Path, provider: Provider, threads: int | None, profile: Path
) -> tuple[ort.InferenceSession, str | None]:
    """The session, and why it is on the CPU alone where the provider could not start."""
    try:
        return open_session(path, threads, tuple(dict.fromkeys((provider.official, *CPU))), profile), None
    except ModelError as error:
        if provider.official in CPU:
            raise
        return open_session(path, threads, CPU, profile), error.message


def _events(session: ort.InferenceSession) -> list[dict[str, Any]]:
    """Ends the profile and reads it."""
    try:
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        where = tempfile.gettempdir()
        raise RunError(f"ONNX Runtime's profile in {where} cannot be read: {first_line(error)}.") from error
    return events


def _placement(provider: Provider, events: list[dict[str, Any]], problem: str | None) -> Placement:
    ran = [event["args"] for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    elsewhere = Counter(
        node["op_name"]
        for node in ran
        if node["provider"] != provider.official and any(part in node["op_name"] for part in ARITHMETIC)
    )
    nodes = Counter(node["provider"] for node in ran)
    return Placement(provider, tuple(nodes.most_common()), tuple(sorted(elsewhere.items())), problem)
