"""A real (tiny) timm network, exported: what lies where, what is in it, and what happens when it goes wrong."""

import getpass
import hashlib
import json
import resource
import socket
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from clf_cli import __version__
from clf_cli.engine.onnx_export import contract_of, export_checkpoint, export_target
from clf_cli.engine.onnx_golden import GoldenImage, read_golden
from clf_cli.engine.onnx_metadata import EXPORT_KEY, Made, made_of
from clf_cli.engine.onnx_plan import ExportImages, ExportPlan
from clf_cli.errors import ModelError, RunError, UsageError
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.network import checkpoint_classifier, network_classifier
from clf_cli.models.onnx import onnx_logits, read_contract
from clf_cli.settings.onnx_sections import ExportSection, VariantSection
from clf_cli.values.contract import CONTRACT_KEY, Contract, Score
from clf_cli.values.onnx_files import files_beside
from clf_cli.values.run_dir import RunDir
from tests.onnx_models import COMPUTE, FACTS, LABELS, without_ema, write_checkpoint
from tests.running import mark


def plan_of(stored=(), **section):
    """How the tests export: on one thread, without a data set."""
    return ExportPlan(COMPUTE, ExportSection(**section), images=ExportImages(stored=stored))


def export(checkpoint, files, plan, ema=None):
    return export_checkpoint(checkpoint, checkpoint_classifier(checkpoint, ema, COMPUTE), files, plan)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def golden_images():
    rng = np.random.default_rng(3)
    sizes = [(20, 31), (48, 32), (32, 32), (7, 90), (64, 64), (33, 40), (16, 16), (50, 21)]
    return tuple(
        GoldenImage(f"val/{i}.png", LABELS.names[i % 5], rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        for i, size in enumerate(sizes)
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run with a checkpoint, exported once: (run, result)."""
    run = RunDir(tmp_path_factory.mktemp("runs") / "jersey")
    write_checkpoint(run.best)
    mark(run)
    before = digest(run.best)
    result = export(read_checkpoint(run.best), files_beside(run.onnx), plan_of(golden_images()))
    assert digest(run.best) == before, "the checkpoint was touched"
    return run, result


class TestWhatIsWritten:
    def test_names_and_nothing_else(self, exported):
        run, result = exported
        names = sorted(path.name for path in run.export.iterdir())
        assert names == ["golden", "labels_mapping.json", "model.onnx", "validation.json"]
        assert result.path == run.onnx
        assert result.golden == 8
        assert result.check.passed
        assert result.model.path == "export/model.onnx"
        assert result.model.weights == "ema"

    def test_graph(self, exported):
        model = onnx.load(exported[0].onnx)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
        (given,), (answer,) = model.graph.input, model.graph.output
        assert (given.name, answer.name) == ("input", "logits")
        axes = [axis.dim_param or axis.dim_value for axis in given.type.tensor_type.shape.dim]
        assert axes == ["batch_size", 3, 32, 32]
        assert [axis.dim_param or axis.dim_value for axis in answer.type.tensor_type.shape.dim] == ["batch_size", 5]
        assert (model.producer_name, model.producer_version) == ("clf", __version__)
        assert not any(tensor.external_data for tensor in model.graph.initializer)

    def test_metadata(self, exported):
        run, _ = exported
        assert made_of(onnx.load(run.onnx)) == Made("torchscript", 18)
        props = {entry.key: entry.value for entry in onnx.load(run.onnx).metadata_props}
        assert sorted(props) == [CONTRACT_KEY, EXPORT_KEY, "imgsz", "names", "task"]
        assert Contract.from_json(json.loads(props[CONTRACT_KEY])) == read_contract(run.onnx)
        assert read_contract(run.onnx).score == Score("val/acc_top1", "val", 0.75, "ema")
        mapping = json.loads(run.export_labels_mapping.read_text(encoding="utf-8"))
        assert mapping["class_to_idx"] == {"": 0, "0": 1, "00": 2, "7": 3, "grün": 4}
        assert mapping["contract"] == json.loads(props[CONTRACT_KEY])

    def test_nothing_of_this_machine(self, exported):
        content = exported[0].onnx.read_bytes()
        traces = ["site-packages", "stack_trace", "timm.models", sys.prefix, str(Path.cwd()), str(exported[0].root)]
        names = [socket.gethostname(), getpass.getuser(), str(Path.home())]
        traces += [name for name in names if len(name) > 4]  # random weights hold any two or three bytes
        for trace in traces:
            assert trace.encode() not in content, trace

    def test_answers_are_the_checkpoints(self, exported):
        run, _ = exported
        images = np.random.default_rng(0).standard_normal((5, 3, 32, 32), dtype=np.float32)
        logits, _ = onnx_logits(run.onnx)
        reference = network_classifier(run.best)
        assert np.abs(logits(images) - reference.logits(images)).max() < 1e-4
        assert np.ptp(reference.logits(images), axis=0).min() > 1e-3, "the network ignores its input: proves nothing"
        live = network_classifier(run.best, ema=False)
        assert np.abs(logits(images) - live.logits(images)).max() > 1e-2

    def test_golden_samples_are_of_the_checkpoint(self, exported):
        run, _ = exported
        golden = read_golden(run.golden)
        reference = network_classifier(run.best)
        np.testing.assert_allclose(golden.logits, reference.logits(golden.inputs), atol=1e-5)
        assert golden.labels == LABELS
        assert [image.pixels.shape for image in golden.images] == [image.pixels.shape for image in golden_images()]

    def test_validation_report(self, exported):
        report = json.loads(exported[0].validation.read_text())
        assert report["kind"] == "onnx_check"
        assert report["result"]["passed"] is True
        assert report["model"]["path"] == "export/model.onnx"
        assert [batch["size"] for batch in report["result"]["batches"]] == [1, 2, 3, 7, 32]
        assert report["result"]["golden"]["from_images"]["images"] == 8


class TestAgain:
    def test_same_bytes(self, exported, capfd):
        run, _ = exported
        before = {path.relative_to(run.export): digest(path) for path in run.export.rglob("*") if path.is_file()}
        export(read_checkpoint(run.best), files_beside(run.onnx), plan_of(golden_images()))
        after = {path.relative_to(run.export): digest(path) for path in run.export.rglob("*") if path.is_file()}
        assert after == before
        assert capfd.readouterr() == ("", "")

    def test_live_weights_beside_the_scored_ones(self, exported):
        run, _ = exported
        checkpoint = read_checkpoint(run.best)
        before = digest(run.onnx)
        files = export_target(checkpoint, False, None)
        result = export(checkpoint, files, plan_of(simplify=True), ema=False)
        assert files.model == run.export / "model-live.onnx"
        assert digest(run.onnx) == before
        contract = read_contract(files.model)
        assert (contract.weights, contract.score) == ("live", None), "the score was earned by the other weights"
        assert result.golden == 0
        assert result.made.simplifier
        props = {entry.key for entry in onnx.load(files.model).metadata_props}
        assert props == {CONTRACT_KEY, EXPORT_KEY, "imgsz", "names", "task"}
        assert not any(node.metadata_props or node.doc_string for node in onnx.load(files.model).graph.node)
        for path in (files.model, files.labels_mapping, files.validation):
            path.unlink()


def test_weights_beyond_the_limit_of_one_file(exported, tmp_path, monkeypatch):
    """The limit lowered: weights move to a second file, which is published and announced."""
    monkeypatch.setattr("clf_cli.engine.onnx_convert.LARGE", 1000)
    checkpoint = read_checkpoint(exported[0].best)
    plan = plan_of(golden_images()[:1], simplify=True)
    result = export(checkpoint, files_beside(tmp_path / "big.onnx"), plan)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "big.golden", "big.labels_mapping.json", "big.onnx", "big.onnx.data", "big.validation.json",
    ]  # fmt: skip
    assert result.graph.external_data
    assert result.notes[0].startswith("onnxsim was passed over: the file is too large")
    assert "big.onnx.data, which must stay beside the file" in result.notes[1]
    images = np.random.default_rng(0).standard_normal((5, 3, 32, 32), dtype=np.float32)
    ours, theirs = onnx_logits(tmp_path / "big.onnx")[0], onnx_logits(exported[0].onnx)[0]
    np.testing.assert_array_equal(ours(images), theirs(images))


class TestTransformer:
    def test_outside_a_run(self, tmp_path):
        """Attention, another opset, companions with the file's own stem, and no EMA."""
        facts = without_ema(replace(FACTS, arch="test_vit"))
        checkpoint = read_checkpoint(write_checkpoint(tmp_path / "ckpt.pt", facts))
        files = export_target(checkpoint, None, None)
        result = export(checkpoint, files, plan_of(golden_images()[:2], opset=20))
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "ckpt.golden", "ckpt.labels_mapping.json", "ckpt.onnx", "ckpt.pt", "ckpt.validation.json",
        ]  # fmt: skip
        assert result.graph.opset == 20
        assert result.model.weights == "live"
        assert "--against" in result.next_command
        with pytest.raises(ModelError, match="no moving average"):
            export_target(checkpoint, True, None)


def test_a_mean_that_was_scored_on_other_data_has_no_score_to_keep(exported):
    """The contract names the data of the run: a score of others would be taken for theirs."""
    checkpoint = read_checkpoint(exported[0].best)
    own = replace(checkpoint, scored_on=checkpoint.data_fingerprint)
    assert contract_of(own, "ema").score == checkpoint.score
    assert contract_of(own, "live").score is None
    assert contract_of(replace(checkpoint, scored_on="sha256:11"), "ema").score is None


def test_a_checkpoint_that_changes_meanwhile(exported, tmp_path):
    """A training run may write its best checkpoint anew: what is exported is what was read, with its own score."""
    path = write_checkpoint(tmp_path / "best.ckpt")
    checkpoint = read_checkpoint(path)
    content = torch.load(path, weights_only=True)
    state = {name: value + 0.1 if value.is_floating_point() else value for name, value in content["state_dict"].items()}
    torch.save({**content, "state_dict": state}, tmp_path / "next.ckpt")
    (tmp_path / "next.ckpt").replace(path)
    result = export(checkpoint, files_beside(tmp_path / "model.onnx"), plan_of())
    assert not result.fallen
    assert (result.model.weights, result.score.value) == ("ema", 0.75)
    assert digest(tmp_path / "model.onnx") == digest(exported[0].onnx)


class TestFailure:
    def test_an_opset_that_nobody_writes_publishes_nothing(self, exported, tmp_path):
        target = tmp_path / "model.onnx"
        target.write_bytes(b"old")
        with pytest.raises(UsageError, match="Opset 9999 cannot be written here"):
            export(read_checkpoint(exported[0].best), files_beside(target), plan_of(opset=9999))
        assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
        assert target.read_bytes() == b"old"

    def test_file_in_the_folders_place(self, exported, tmp_path):
        (tmp_path / "taken").write_text("a file")
        target = files_beside(tmp_path / "taken" / "model.onnx")
        with pytest.raises(RunError, match="taken"):
            export(read_checkpoint(exported[0].best), target, plan_of())

    def test_full_disk(self, exported, tmp_path):
        """RLIMIT_FSIZE stands for the disk's end; the old file stays."""
        target = tmp_path / "model.onnx"
        target.write_bytes(b"old")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(RunError, match=r"model\.onnx"):
                export(read_checkpoint(exported[0].best), files_beside(target), plan_of())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
        assert target.read_bytes() == b"old"

    def test_targets(self, exported, tmp_path):
        checkpoint = read_checkpoint(exported[0].best)
        with pytest.raises(UsageError, match="is a folder"):
            export_target(checkpoint, None, tmp_path)
        with pytest.raises(UsageError, match=r"does not end in \.onnx"):
            export_target(checkpoint, None, tmp_path / "model.bin")

    def test_only_the_best_checkpoint_is_the_runs_own_file(self, tmp_path):
        """A file of another is named after it, so that model.onnx stands for what the run says that it is."""
        run = RunDir(tmp_path / "run")
        other = run.top / "epoch003-0.7500.ckpt"
        for path in (run.last, other):
            write_checkpoint(path)
        mark(run)
        assert self.target(run.last) == run.onnx, "the last is the best of a run that was never validated"
        write_checkpoint(run.best)
        int8 = VariantSection(precision="int8")
        assert self.target(run.best) == run.onnx
        assert self.target(run.best, variant=int8) == run.export / "model-int8.onnx"
        assert self.target(run.last) == run.export / "model-last.onnx"
        assert self.target(run.last, ema=False, variant=int8) == run.export / "model-last-live-int8.onnx"
        assert self.target(other) == run.export / "model-epoch003-0.7500.onnx"

    def target(self, path, ema=None, variant=None):
        return export_target(read_checkpoint(path), ema, None, variant).model
