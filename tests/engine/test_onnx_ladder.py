"""Each reason for which a rung falls, with tools that really fail, and what is kept when one holds."""

import hashlib
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from timm.layers.config import use_fused_attn
from timm.models import _registry

from clf_cli.engine import onnx_ladder
from clf_cli.engine.onnx_child import python_module
from clf_cli.engine.onnx_export import contract_of
from clf_cli.engine.onnx_judge import Judge
from clf_cli.engine.onnx_ladder import RUNGS, climb, rungs
from clf_cli.engine.onnx_metadata import EXPORT_KEY, Made, made_of
from clf_cli.engine.onnx_opset import newest_opset
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.engine.onnx_rung import Request, write_here
from clf_cli.errors import ExportError, RunError, UsageError
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.network import load_network, network_classifier
from clf_cli.models.onnx import onnx_logits
from clf_cli.settings.onnx_sections import ExportSection
from clf_cli.values.contract import CONTRACT_KEY
from tests.onnx_models import FACTS, without_ema, write_checkpoint

REPOSITORY = Path(__file__).parents[2]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Bench:
    """A checkpoint with its judge, and files made of it."""

    def __init__(self, folder, arch):
        facts = FACTS if arch == FACTS.arch else without_ema(replace(FACTS, arch=arch))
        self.checkpoint = read_checkpoint(write_checkpoint(folder / "best.ckpt", facts))
        reference = network_classifier(self.checkpoint.path)
        self.contract = contract_of(self.checkpoint, reference.weights)
        self.judge = Judge(reference, ExportImages())

    def request(self, exporter, opset, model, weights=None):
        contract = replace(self.contract, weights=weights or self.contract.weights)
        return Request(self.checkpoint.path, contract, Made(exporter, opset), model)

    def write(self, *arguments, **keywords):
        request = self.request(*arguments, **keywords)
        write_here(self.checkpoint, request)
        return request.model

    def climb(self, model, **section):
        return climb(self.checkpoint, self.contract, self.judge, ExportSection(**section), model)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"), FACTS.arch)


@pytest.fixture(scope="module")
def drafts(bench, tmp_path_factory):
    """Files for children that misbehave: of another opset, of the live weights, of a fixed batch."""
    folder = tmp_path_factory.mktemp("drafts")
    bench.write("torchscript", 18, folder / "opset.onnx")
    bench.write("torchscript", 17, folder / "live.onnx", weights="live")
    model = onnx.load(bench.write("torchscript", 17, folder / "fixed.onnx"))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(model, folder / "fixed.onnx")
    return folder


@pytest.fixture
def a_child_alone(monkeypatch):
    """One rung, in a process of its own."""
    monkeypatch.setattr(onnx_ladder, "RUNGS", RUNGS[-1:])


def child(code):
    """A process in an exporter's place: `code` sees OUT, the file that it is asked for."""
    return (sys.executable, "-c", f"import json, shutil, sys; OUT = json.load(open(sys.argv[1]))['model']\n{code}")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "it crashed (signal 6, SIGABRT)"),
        ("import ctypes; ctypes.string_at(0)", "it crashed (signal 11, SIGSEGV)"),
        ("import time; time.sleep(60)", "it did not finish within 1.5 s"),
        ("x = bytearray(3 * 2**30)", "it needs more than the 2048 MB of memory that it may use"),
        ("raise ValueError('no such operator')", "it failed: ValueError: no such operator"),
        ("pass", "it wrote no file"),
        ("open(OUT, 'w').write('no ONNX')", "is not an ONNX file, or it is cut short (7 bytes)"),
        ("shutil.copyfile('DRAFTS/opset.onnx', OUT)", "it wrote opset 18, asked was 17"),
        ("shutil.copyfile('DRAFTS/live.onnx', OUT)", "the logits differ by up to"),
        ("shutil.copyfile('DRAFTS/fixed.onnx', OUT)", "cannot answer for a batch of"),
    ],
)
@pytest.mark.usefixtures("a_child_alone")
def test_a_rung_that_falls(code, reason, bench, drafts, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(onnx_ladder, "EXPORTER", child(code.replace("DRAFTS", str(drafts))))
    seconds = 1.5 if "sleep" in code else 60
    with pytest.raises(ExportError) as caught:
        bench.climb(tmp_path / "model.onnx", opset=17, step_seconds=seconds, step_memory=2048)
    assert caught.value.exit_code == 5
    assert (
        f"torchscript unoptimised was passed over: {reason}" in caught.value.message or reason in caught.value.message
    )
    assert caught.value.message.startswith("No exporter makes an ONNX file of test_efficientnet at opset 17 that")
    assert "\n" not in caught.value.message
    assert caught.value.message.endswith(".")
    assert not (tmp_path / "model.onnx").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("a_child_alone")
def test_a_full_disk_is_no_fault_of_a_rung(bench, tmp_path, monkeypatch):
    code = "child_main(lambda: open('/dev/full', 'w').write('x' * 10**6))"
    monkeypatch.setattr(onnx_ladder, "EXPORTER", child(f"from clf_cli.engine.onnx_child import child_main\n{code}"))
    with pytest.raises(RunError, match="No space left on device"):
        bench.climb(tmp_path / "model.onnx", opset=17)


def test_opset_17(bench, tmp_path, monkeypatch):
    """torch.export never writes it (test_onnx_convert). The tracer does, and onnxsim simplifies it to the same bytes,
    whatever their hash seeds."""
    assert rungs(17) == ("torchscript", "torchscript unoptimised")
    assert rungs(18) == RUNGS
    assert rungs(24) == ("torch.export", "torch.export unoptimised")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    found = bench.climb(tmp_path / "model.onnx", opset=17, simplify=True)
    model = onnx.load(tmp_path / "model.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert made_of(model) == found.made == Made("torchscript", 17, simplifier=f"onnxsim {version('onnxsim')}")
    assert {entry.key for entry in model.metadata_props} == {CONTRACT_KEY, EXPORT_KEY, "imgsz", "names", "task"}
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert found.check.passed
    assert found.fallen == ()
    assert found.lines[0].startswith("onnxsim: ")
    monkeypatch.setenv("PYTHONHASHSEED", "8")
    bench.climb(tmp_path / "again.onnx", opset=17, simplify=True)
    assert digest(tmp_path / "again.onnx") == digest(tmp_path / "model.onnx")


def test_a_rung_of_a_child_writes_the_bytes_that_this_process_writes(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_ladder, "RUNGS", RUNGS[-1:])
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    found = bench.climb(tmp_path / "model.onnx")
    assert found.lines == ("The file comes from torchscript unoptimised.",)
    here = bench.write(RUNGS[-1], 18, tmp_path / "here.onnx")
    assert digest(here) == digest(tmp_path / "model.onnx")


@pytest.fixture
def forgotten_by_timm():
    """What a test lets timm know, other tests must not meet among its architectures."""
    yield
    for table in [table for table in vars(_registry).values() if isinstance(table, (dict, set))]:
        for name in ("branching", "branching_network", "tests.branching_network"):
            if name in table:
                table.remove(name) if isinstance(table, set) else table.pop(name)


def test_all_rungs_but_the_last_fall(tmp_path, monkeypatch, capfd, forgotten_by_timm):
    """Of a network that looks at its values: the first knows that it would overlook it, torch.export refuses it; the
    last writes what it does with images, and its answers agree."""
    module = "tests.branching_network"
    from tests.branching_network import ARCH

    bench = Bench(tmp_path, ARCH)
    monkeypatch.setattr(onnx_ladder, "EXPORTER", python_module(module))
    monkeypatch.syspath_prepend(str(REPOSITORY))
    climbed = bench.climb(tmp_path / "model.onnx")
    assert [one.rung for one in climbed.fallen] == ["torchscript", "torch.export", "torch.export unoptimised"]
    assert climbed.fallen[0].reason == "the network decides on its values, which a trace overlooks"
    assert all("data-dependent" in one.reason for one in climbed.fallen[1:])
    assert all("\n" not in one.reason for one in climbed.fallen)
    assert (climbed.made, climbed.check.graph.opset) == (Made("torchscript unoptimised", 18), 18)
    assert climbed.lines[-1] == "The file comes from torchscript unoptimised."
    assert climbed.check.graph.input_shape == ("batch_size", 3, 32, 32)
    images = np.random.default_rng(0).standard_normal((5, 3, 32, 32), dtype=np.float32)
    ours, theirs = onnx_logits(tmp_path / "model.onnx")[0](images), bench.judge.reference.logits(images)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_a_simplifier_that_fails(bench, drafts, tmp_path, monkeypatch):
    """Its misbehaviour is in test_onnx_simplify; here, what becomes of the file."""
    plain = bench.write("torchscript", 17, tmp_path / "plain.onnx")
    for code, reason in (
        ("import os; os.abort()", "it crashed (signal 6, SIGABRT)"),
        (f"shutil.copyfile('{drafts}/live.onnx', sys.argv[2])", "the logits differ"),
        (f"shutil.copyfile('{drafts}/opset.onnx', sys.argv[2])", "it wrote opset 18, asked was 17"),
    ):
        monkeypatch.setattr(onnx_ladder, "SIMPLIFIER", (sys.executable, "-c", f"import shutil, sys\n{code}"))
        found = bench.climb(tmp_path / "model.onnx", opset=17, simplify=True)
        assert found.made == Made("torchscript", 17)
        assert found.check.passed
        assert [one.rung for one in found.fallen] == ["onnxsim"]
        assert reason in found.lines[0]
        assert found.lines[0].startswith("onnxsim was passed over: ")
        assert digest(tmp_path / "model.onnx") == digest(plain), "the plain file stands"


def test_the_same_bytes_from_another_process_and_nothing_in_memory_changes(bench, tmp_path):
    """With another hash seed, in another folder; then here, beside a network that trains. The first rung's file is
    compared so in test_onnx_export."""
    asked = (("torch.export", 18), ("torch.export unoptimised", 18), ("torchscript unoptimised", 20))
    requests = [bench.request(*how, tmp_path / f"{number}.onnx") for number, how in enumerate(asked)]
    (tmp_path / "asked.json").write_text(json.dumps([request.to_json() for request in requests]))
    code = (
        "import json, sys; from clf_cli.engine.onnx_rung import *\n"
        "for data in json.load(open(sys.argv[1])):\n"
        "    request = Request.from_json(data); write_here(read_checkpoint(request.checkpoint), request)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "asked.json"], check=True, env=environment, cwd=REPOSITORY)
    network, _ = load_network(bench.checkpoint)
    network.train()
    before = state(bench.checkpoint, network)
    (tmp_path / "here").mkdir()
    for request in requests:
        assert Request.from_json(request.to_json()) == request
        here = replace(request, model=tmp_path / "here" / request.model.name)
        write_here(bench.checkpoint, here)
        assert digest(here.model) == digest(request.model), request.made
    assert len({digest(request.model) for request in requests}) == len(requests)
    assert state(bench.checkpoint, network) == before


def state(checkpoint, network):
    """What an export could change: the file, weights, training flags, timm's switch, random states."""
    tensors = (*checkpoint.state_dict.values(), *(checkpoint.live_state or {}).values(), *network.state_dict().values())
    return (
        digest(checkpoint.path),
        [value.tolist() for value in tensors],
        [module.training for module in network.modules()],
        (use_fused_attn(), use_fused_attn(experimental=True)),
        torch.random.get_rng_state().tolist(),
        [str(part) for part in np.random.get_state()],
        random.getstate(),
    )


class TestOpsets:
    def test_one_that_cannot_be_written(self, bench, tmp_path):
        newest = newest_opset()
        assert newest >= 23
        with pytest.raises(UsageError, match=f"Opset {newest + 1} cannot be written here.* go from 17 to {newest}"):
            bench.climb(tmp_path / "model.onnx", opset=newest + 1)

    def test_the_newest_is_written_and_opens(self, tmp_path):
        """Of a transformer too, whose operators changed most between 18 and there."""
        bench = Bench(tmp_path, "test_vit")
        found = bench.climb(tmp_path / "model.onnx", opset=newest_opset())
        assert found.check.graph.opset == newest_opset()
        assert (found.made.exporter, found.fallen) == ("torch.export", ())
