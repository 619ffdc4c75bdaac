"""ONNX files as classifiers: what is read from them, and what is refused."""

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from clf_cli.errors import ModelError
from clf_cli.models.onnx import onnx_classifier, onnx_logits, open_session, read_contract
from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, linear, write_onnx_file


def contract_json(**changes):
    return {CONTRACT_KEY: json.dumps({**CONTRACT.to_json(), **changes})}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 32])
def test_logits(tmp_path, count):
    path = write_onnx_file(tmp_path / "übung model.onnx")
    logits, contract = onnx_logits(path, threads=1)
    images = np.random.default_rng(count).standard_normal((count, 3, 8, 12), dtype=np.float32)
    answer = logits(images)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, linear()(images), atol=1e-5)
    assert contract == read_contract(path) == CONTRACT


def test_classifier_is_what_the_contract_says(tmp_path):
    classifier = onnx_classifier(write_onnx_file(tmp_path / "model.bin"))
    assert (classifier.labels, classifier.preprocess) == (CONTRACT.labels, CONTRACT.preprocess)
    assert (classifier.run, classifier.ref.path) == (None, "model.bin")


def test_never_imports_torch(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    code = (
        "import sys; from pathlib import Path; from clf_cli.models.onnx import onnx_logits; "
        f"onnx_logits(Path({str(path)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


def test_the_checker_is_loaded_alone_and_the_package_finds_it_later(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx")
    code = (
        "import sys; from pathlib import Path; from clf_cli.models.onnx import onnx_logits; "
        f"path = {str(path)!r}; onnx_logits(Path(path)); assert 'onnx' not in sys.modules; "
        "native = sys.modules['onnx.onnx_cpp2py_export']; import onnx, onnx.shape_inference; "
        "onnx.checker.check_model(path); onnx.shape_inference.infer_shapes(onnx.load(path)); "
        "assert sys.modules['onnx.onnx_cpp2py_export'] is native"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("spin", [True, False])
def test_threads_wait_busily_or_not(tmp_path, spin):
    options = open_session(write_onnx_file(tmp_path / "model.onnx"), 2, spin=spin).get_session_options()
    if spin:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry("session.intra_op.allow_spinning")
    else:
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


class TestRefused:
    def refused(self, path, *words):
        with pytest.raises(ModelError) as caught:
            onnx_logits(path)
        assert caught.value.exit_code == 4
        for word in (*words, path.name):
            assert word in caught.value.message
        assert caught.value.hint
        return caught.value

    def test_no_such_file(self, tmp_path):
        self.refused(tmp_path / "model.onnx", "no file")

    def test_folder(self, tmp_path):
        self.refused(tmp_path, "is a folder")

    @pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" * 40, b"{}"])
    def test_not_onnx(self, tmp_path, content, capfd):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        self.refused(path, "not an ONNX file", f"{len(content):,} bytes")
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_truncated(self, tmp_path, share, capfd):
        path = write_onnx_file(tmp_path / "model.onnx", linear(5))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        self.refused(path, "bytes")
        assert capfd.readouterr() == ("", "")

    def test_other_tools_file(self, tmp_path):
        self.refused(write_onnx_file(tmp_path / "model.onnx", contract=None), "was not exported by clf", CONTRACT_KEY)

    def test_newer_contract(self, tmp_path):
        path = write_onnx_file(tmp_path / "model.onnx", metadata=contract_json(version=2))
        error = self.refused(path, "contract version 2", "reads version 1")
        assert "Upgrade clf" in error.hint

    def test_lacking_key(self, tmp_path):
        data = CONTRACT.to_json()
        del data["labels"]
        self.refused(write_onnx_file(tmp_path / "a.onnx", metadata={CONTRACT_KEY: json.dumps(data)}), "lacks", "labels")

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "null", "NaN", '"text"', "[" * 99_999, "1" * 9_999, '{"version": NaN}']
    )
    def test_no_contract_at_all(self, tmp_path, text):
        self.refused(write_onnx_file(tmp_path / "model.onnx", metadata={CONTRACT_KEY: text}), CONTRACT_KEY)

    def test_a_huge_contract(self, tmp_path):
        path = write_onnx_file(tmp_path / "model.onnx", metadata=contract_json(labels=["x" * 9] * 999_999))
        error = self.refused(path, "labels has 999,999 names: 100,000 at most")
        assert len(error.message) < 400

    def test_metadata_that_are_no_text(self, tmp_path):
        path = write_onnx_file(tmp_path / "model.onnx")
        content = path.read_bytes()
        path.write_bytes(content.replace("grün".encode(), b"gr\xff\xfen"))
        self.refused(path)

    def test_a_key_in_a_section(self, tmp_path):
        data = CONTRACT.to_json()
        del data["preprocess"]["exif"]
        path = write_onnx_file(tmp_path / "a.onnx", metadata={CONTRACT_KEY: json.dumps(data)})
        self.refused(path, "lacks the key preprocess.exif")

    def test_label_count(self, tmp_path):
        contract = replace(CONTRACT, labels=Labels(("a", "b")))
        path = write_onnx_file(tmp_path / "model.onnx", contract=contract)
        self.refused(path, "does not describe its graph", "[N, 2]", "[N, 5]")

    def test_input_size(self, tmp_path):
        other = replace(CONTRACT, preprocess=Preprocess(8, 8))
        path = write_onnx_file(tmp_path / "model.onnx", metadata=other.metadata())
        self.refused(path, "does not describe its graph", "[N, 3, 8, 8]", "[N, 3, 8, 12]")

    def test_two_outputs(self, tmp_path):
        path = write_onnx_file(tmp_path / "model.onnx")
        model = onnx.load(path)
        model.graph.output.append(helper.make_tensor_value_info("means", onnx.TensorProto.FLOAT, ["batch_size", 3]))
        onnx.save(model, path)
        self.refused(path, "does not describe its graph")

    def test_probabilities(self, tmp_path):
        metadata = replace(CONTRACT, output="probabilities").metadata()
        path = write_onnx_file(tmp_path / "model.onnx", metadata=metadata)
        self.refused(path, "does not describe its graph", "probabilities")


def test_nothing_is_sent_or_kept_for_sending(tmp_path):
    """ONNX Runtime 1.31 makes a device id under the home folder when it is imported, unless it is told not to."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", "import clf_cli.models.onnx"], env=environment, check=True, cwd=Path.cwd())
    assert list(tmp_path.rglob("*")) == []


def test_threads_stop_when_the_answer_is_there(tmp_path):
    """ONNX Runtime's own would spin for about 20 ms of CPU after each of these calls."""
    contract = replace(CONTRACT, preprocess=Preprocess(128, 128))
    logits, _ = onnx_logits(write_onnx_file(tmp_path / "model.onnx", contract=contract), threads=2)
    images = np.zeros((8, 3, 128, 128), np.float32)
    spun = []
    for _ in range(5):
        logits(images)
        before = time.process_time()
        time.sleep(0.05)
        spun.append(time.process_time() - before)
    assert statistics.median(spun) < 0.005
