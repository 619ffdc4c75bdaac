"""What a draft is asked, and how often."""

from dataclasses import replace

import pytest

from clf_cli.engine import onnx_judge
from clf_cli.engine.onnx_check import BATCH_SIZES
from clf_cli.engine.onnx_judge import Judge
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.errors import ModelError
from tests.onnx_models import linear, write_onnx_file


def test_each_batch_size_is_asked_once_and_torch_once_for_all_drafts(tmp_path, monkeypatch):
    """On large networks these answers are what an export costs beside the exporter."""
    asked, wanted, opened = [], [], onnx_judge.onnx_classifier

    def counting(path, threads):
        found = opened(path, threads)
        return replace(found, logits=lambda images: (asked.append(len(images)), found.logits(images))[1])

    monkeypatch.setattr(onnx_judge, "onnx_classifier", counting)
    reference = linear().classifier()
    judge = Judge(
        replace(reference, logits=lambda images: (wanted.append(len(images)), reference.logits(images))[1]),
        ExportImages(),
        threads=1,
    )
    model = write_onnx_file(tmp_path / "model.onnx")
    for _ in range(2):
        assert judge.check(model).passed
        assert asked == list(BATCH_SIZES)
        asked.clear()
    assert wanted == [1] * max(BATCH_SIZES)


def test_a_file_of_a_fixed_batch(tmp_path):
    judge = Judge(linear().classifier(), ExportImages(), threads=1)
    with pytest.raises(ModelError, match="cannot answer for a batch of 1: "):
        judge.check(write_onnx_file(tmp_path / "model.onnx", batch=2))
