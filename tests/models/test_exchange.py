"""safetensors for exchange: what `clf export` writes is a model again, and weights for a new run."""

import json

import numpy as np
import pytest
import safetensors
import torch

from clf_cli.errors import ModelError
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.exchange import read_exchange, write_exchange
from tests.running import TINY_ARCH, report_of, train_arguments


@pytest.fixture(scope="module")
def file(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("exchange") / "tiny.safetensors"
    write_exchange(read_checkpoint(tiny_run.best), path)
    return path


def test_everything_but_settings_and_optimiser_comes_back(tiny_run, file):
    first, again = read_checkpoint(tiny_run.best), read_exchange(file)
    for name in ("arch", "labels", "preprocess", "scored_weights", "epoch", "run_id", "data_fingerprint"):
        assert getattr(again, name) == getattr(first, name)
    assert again.score is not None
    assert again.score.value == first.score.value
    assert not again.resumable
    assert again.state_dict.keys() == first.state_dict.keys()
    for name, tensor in first.state_dict.items():
        assert torch.equal(again.state_dict[name], tensor)


def test_it_is_a_model(clf, tiny_run, tiny_dataset, file):
    scores = [
        report_of(clf("evaluate", model, "--data", tiny_dataset, "--json"))["result"] for model in (file, tiny_run.best)
    ]
    np.testing.assert_equal(scores[0], scores[1])


def test_it_is_weights_for_a_new_run(clf, tiny_dataset, file, tmp_path):
    bare = train_arguments(tiny_dataset, tmp_path, "run", "--weights", str(file), "--dry-run")
    done = clf(*[argument for argument in bare if argument != "--no-pretrained"])
    assert done.code == 0, done.stderr


def test_the_command_writes_it(clf, tiny_run, file, tmp_path):
    out = tmp_path / "out.safetensors"
    done = clf("export", tiny_run.root, "-o", out)
    assert (done.code, done.stdout.strip()) == (0, out.as_posix())
    assert out.stat().st_size == file.stat().st_size
    with safetensors.safe_open(out, framework="np") as opened:
        assert json.loads(opened.metadata()["clf.contract"])["arch"] == TINY_ARCH
    assert clf("export", tiny_run.root, "-o", out, "--opset", "17").code == 2
    assert clf("export", tiny_run.root, "-o", out, "--json").code == 2


def test_live_weights(clf, tiny_run, tmp_path):
    out = tmp_path / "live.safetensors"
    assert clf("export", tiny_run.last, "--no-ema", "-o", out).code == 0
    again = read_exchange(out)
    assert (again.scored_weights, again.score) == ("live", None)


def test_it_cannot_be_resumed(clf, file):
    done = clf("train", "--resume", file)
    assert done.code == 4


@pytest.mark.parametrize("text", ["{", "null", '{"version": 2}', '{"version": 1}', "[" * 100_000])
def test_a_contract_that_cannot_be_read(tmp_path, file, text):
    content = safetensors.deserialize(file.read_bytes())
    assert content
    torch_file = safetensors.torch.load(file.read_bytes())
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(torch_file, path, metadata={"clf.contract": text})
    with pytest.raises(ModelError, match="contract"):
        read_exchange(path)


def test_weights_of_another_program_are_no_model(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"a": torch.ones(2)}, path)
    with pytest.raises(ModelError, match="not a checkpoint of clf"):
        read_checkpoint(path)
