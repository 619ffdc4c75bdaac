"""What a checkpoint promises: plain data, the weights that scored, and errors that name the next step."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image

from clf_cli.errors import ModelError
from clf_cli.models.checkpoint import CheckpointFacts, clf_payload, read_checkpoint
from clf_cli.values.contract import Score
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess

FACTS = CheckpointFacts(
    arch="resnet10t",
    labels=Labels(("", "0", "00", "Ünï")),
    preprocess=Preprocess(24, 32, "letterbox", "bilinear", 0.9, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)),
    settings={"optim": {"lr": 0.001, "epochs": 3}, "data": {"root": None}, "compute": {"channels_last": True}},
    score=Score("val/acc_top1", "val", 0.75, "ema"),
    scored_weights="ema",
    epoch=7,
    run_id="r1",
    data_fingerprint="sha256:1",
)


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch '{self.target}'",)


def lightning_file(facts: CheckpointFacts = FACTS) -> dict[str, object]:
    average, live = torch.full((2, 3), 1.0), torch.full((2, 3), 2.0)
    return {
        "state_dict": {"network.fc.weight": average, "train_loss.value": torch.tensor(0.0)},
        "current_model_state": {"network.fc.weight": live},
        "optimizer_states": [{"state": {}}],
        "global_step": 42,
        "clf": clf_payload(facts),
    }


def saved(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def refusal(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(path)
    assert caught.value.exit_code == 4
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in (*value.keys(), *value.values()) for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        replace(FACTS, score=None, run_id=None, data_fingerprint=None),
        replace(FACTS, score=replace(FACTS.score, value=None)),
    ],
)
def test_what_is_saved_is_read_again(tmp_path, facts):
    read = read_checkpoint(saved(tmp_path / "ckpt.pt", lightning_file(facts)))

    for name in FACTS.__dataclass_fields__:
        assert getattr(read, name) == getattr(facts, name), name
    assert (read.step, read.resumable, read.path) == (42, True, tmp_path / "ckpt.pt")


def test_the_payload_is_plain_data():
    kinds = {type(leaf) for leaf in leaves(clf_payload(FACTS))}

    assert kinds <= {str, int, float, bool, type(None)}


def test_network_names_come_without_lightnings_prefix_and_without_metrics(tmp_path):
    read = read_checkpoint(saved(tmp_path / "a.ckpt", lightning_file()))

    assert list(read.state_dict) == ["fc.weight"]
    assert list(read.live_state) == ["fc.weight"]


@pytest.mark.parametrize(("ema", "value", "name"), [(None, 1.0, "ema"), (True, 1.0, "ema"), (False, 2.0, "live")])
def test_weights_are_the_scored_ones_unless_asked(tmp_path, ema, value, name):
    state, weights = read_checkpoint(saved(tmp_path / "a.ckpt", lightning_file())).weights(ema)

    assert weights == name
    assert torch.equal(state["fc.weight"], torch.full((2, 3), value))


def test_a_run_without_average_has_live_weights_only(tmp_path):
    content = lightning_file(replace(FACTS, scored_weights="live", score=None))
    del content["current_model_state"], content["optimizer_states"]
    read = read_checkpoint(saved(tmp_path / "a.ckpt", content))

    assert not read.resumable
    assert read.weights()[1] == read.weights(False)[1] == "live"
    with pytest.raises(ModelError, match="--no-ema") as caught:
        read.weights(True)
    assert caught.value.exit_code == 4


def test_a_missing_file_is_named(tmp_path):
    assert "no checkpoint" in refusal(tmp_path / "gone.ckpt").message


def test_a_folder_is_named(tmp_path):
    assert "folder" in refusal(tmp_path).message


@pytest.mark.parametrize("share", [0.002, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_file_is_named_with_its_size_and_the_newest_whole_one(tmp_path, share):
    whole = saved(tmp_path / "prev.ckpt", lightning_file())
    older = saved(tmp_path / "older.ckpt", lightning_file())
    os.utime(older, (1, 1))
    data = whole.read_bytes()
    cut = tmp_path / "last.ckpt"
    cut.write_bytes(data[: int(len(data) * share)])

    error = refusal(cut)

    assert f"{cut.stat().st_size} bytes" in error.message
    assert str(whole) in error.hint


def test_a_neighbour_that_is_cut_too_is_not_offered(tmp_path):
    whole = saved(tmp_path / "whole.ckpt", lightning_file())
    os.utime(whole, (1, 1))
    for name in ("last.ckpt", "prev.ckpt"):
        (tmp_path / name).write_bytes(whole.read_bytes()[:-100])

    assert str(whole) in refusal(tmp_path / "last.ckpt").hint


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "a.ckpt").touch()

    assert "empty (0 bytes)" in refusal(tmp_path / "a.ckpt").message


def test_other_kinds_of_files_are_called_by_their_name(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "image.ckpt", format="JPEG")
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "weights.ckpt")
    (tmp_path / "text.ckpt").write_text("epoch 3")

    assert "JPEG" in refusal(tmp_path / "image.ckpt").message
    assert "safetensors" in refusal(tmp_path / "weights.ckpt").message
    assert "neither" in refusal(tmp_path / "text.ckpt").message


@pytest.mark.parametrize("content", [{"state_dict": {"fc.weight": torch.zeros(1)}}, torch.zeros(2), {"clf": 3}])
def test_a_foreign_checkpoint_is_told_what_it_lacks(tmp_path, content):
    error = refusal(saved(tmp_path / "foreign.pth", content))

    assert "`clf`" in error.message
    assert "--weights" in error.hint


def test_a_newer_format_is_told(tmp_path):
    content = lightning_file()
    content["clf"] = {"format_version": 2}

    assert "format 2" in refusal(saved(tmp_path / "new.ckpt", content)).message


@pytest.mark.parametrize("key", ["labels", "preprocess", "score"])
def test_a_damaged_payload_is_told(tmp_path, key):
    content = lightning_file()
    del content["clf"][key]

    assert key in refusal(saved(tmp_path / "damaged.ckpt", content)).message


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(tmp_path, monkeypatch, legacy):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    if legacy:
        path.write_bytes(pickle.dumps(Malicious(trace), protocol=2))
    else:
        saved(path, {**lightning_file(), "hook": Malicious(trace)})

    error = refusal(path)

    assert "refused" in error.message
    assert "system" in error.message
    assert not trace.exists()
