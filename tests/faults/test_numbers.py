"""NaN and infinity that real trainings come to: told with their images, kept out of checkpoints, skipped if asked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clf_cli.values.run_dir import RunDir
from tests.end_states import differences, end_state
from tests.running import Clf, train_arguments

BARE = ("--no-export", "--no-samples", "--no-history", "--no-confusion", "--no-report")
WILD = ("--lr", "1e30", "--optimizer", "sgd", "--clip-grad", "0", "--warmup-epochs", "0")
RED = "train/light/red.png"  # the one image with a colour
SPARED = ("--augment", "none", "--weight-decay", "0")  # nothing else moves the weights that overflow


def grey_data(root: Path) -> Path:
    """Three classes told apart by brightness, all grey but for one red image."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 4)):
        for number, name in enumerate(("dark", "light", "middle")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for image in range(count):
                noise = rng.integers(0, 60, (28, 28), dtype=np.uint8) + np.uint8((0, 190, 95)[number])
                Image.fromarray(noise).convert("RGB").save(folder / f"{image:02d}.png")
    Image.new("RGB", (28, 28), (255, 0, 0)).save(root / RED)
    return root


def that_overflows(run: RunDir, out: Path) -> Path:
    """A checkpoint one of whose filters takes green from red at 2**127: 0 on grey, to the last bit, and infinite where
    the image is red."""
    checkpoint = torch.load(run.last, weights_only=True)
    for key in ("state_dict", "current_model_state"):
        weight = checkpoint[key]["network.conv1.0.weight"]
        weight[0] = 0.0
        weight[0, :2, 1, 1] = torch.tensor([2.0**127, -(2.0**127)])
    torch.save(checkpoint, out)
    return out


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory, tiny_run: RunDir) -> tuple[Path, Path]:
    """Data and a checkpoint of which one image overflows."""
    root = tmp_path_factory.mktemp("grey")
    return grey_data(root / "data"), that_overflows(tiny_run, root / "overflows.ckpt")


def finite(run: RunDir) -> list[str]:
    """The checkpoints of a run, all of whose numbers are finite."""
    for path in run.checkpoints.rglob("*.ckpt"):
        checkpoint = torch.load(path, weights_only=True)
        for key in ("state_dict", "current_model_state"):
            assert all(torch.isfinite(tensor).all() for tensor in checkpoint[key].values()), path
    return sorted(path.name for path in run.checkpoints.glob("*.ckpt"))


def test_stop_ends_in_the_step_of_the_batch_that_overflows(clf: Clf, grey: tuple[Path, Path], tmp_path: Path) -> None:
    data, weights = grey
    every = ("--checkpoint-every-steps", "1")
    done = clf(*train_arguments(data, tmp_path, "run", "--init-from", str(weights), *SPARED, *BARE, *every))
    assert done.code == 6
    assert done.stderr.count("The loss became nan at step") == 1
    assert "The run ended early: The loss became nan" in RunDir(tmp_path / "run").log.read_text()
    assert RED in done.stderr
    step = int(done.stderr.split("at step ")[1].split()[0])
    run = RunDir(tmp_path / "run")
    assert len(finite(run)) == step - 1  # one of every step before
    assert json.loads(run.run_json.read_text())["status"] == "failed"


def test_skip_leaves_the_batch_out_and_resumes_to_the_last_bit(
    clf: Clf, grey: tuple[Path, Path], tmp_path: Path
) -> None:
    data, weights = grey
    skip = ("--on-nan", "skip", "--init-from", str(weights), *SPARED, *BARE, "--checkpoint-every-steps", "1")
    done = clf(*train_arguments(data, tmp_path, "whole", *skip))
    assert done.code == 0, done.stderr
    assert RED in done.stderr
    assert "Epoch 2: 1 step skipped; 2 in the run so far." in done.stderr
    whole = RunDir(tmp_path / "whole")
    assert json.loads(whole.report("train").read_text())["result"]["skipped_steps"] == 2
    assert {"best.ckpt", "last.ckpt", whole.step_checkpoint(3).name} <= set(finite(whole))
    rows = whole.metrics.read_text().splitlines()
    assert all(cell not in ("", "nan") for cell in rows[-1].split(",")[:5])
    first = int(done.stderr.split("at step ")[1].split()[0])
    for number in (max(1, first - 1), first + 1):
        shutil.copytree(whole.root, tmp_path / f"cut-{number}")
        cut = RunDir(tmp_path / f"cut-{number}")
        assert clf("train", "--resume", cut.step_checkpoint(number)).code == 0
        assert not list(differences(end_state(whole), end_state(cut)))
        assert json.loads(cut.report("train").read_text())["result"]["skipped_steps"] == 2


def test_skip_ends_where_the_weights_are_lost_and_leaves_no_checkpoint(
    clf: Clf, tiny_dataset: Path, tmp_path: Path
) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path, "wild", *WILD, *BARE, "--on-nan", "skip", "--batch-size", "4"))
    assert done.code == 6, done.stderr
    assert "10 steps were skipped, 10 in a row" in done.stderr
    assert not finite(RunDir(tmp_path / "wild"))


def test_outputs_that_are_not_finite_in_validation_make_nothing_best(
    clf: Clf, tiny_dataset: Path, tmp_path: Path
) -> None:
    """One step, after which the weights are finite and what they answer is not."""
    done = clf(*train_arguments(tiny_dataset, tmp_path, "wild", *WILD, *BARE, "--batch-size", "60"))
    assert done.code == 6, done.stderr
    assert "outputs became NaN or infinite in epoch 1" in done.stderr
    assert not finite(RunDir(tmp_path / "wild"))


def test_batches_of_one_image_under_batch_norm_are_named(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    done = clf(*train_arguments(tiny_dataset, tmp_path, "run", *BARE, "--batch-size", "1"))
    assert done.code == 6, done.stderr
    assert "batch normalisation cannot learn from one image at a time" in done.stderr
    assert "--batch-size" in done.stderr


def test_nan_in_the_weights_to_start_from_is_told_before_a_run_exists(
    clf: Clf, tiny_run: RunDir, tiny_dataset: Path, tmp_path: Path
) -> None:
    checkpoint = torch.load(tiny_run.last, weights_only=True)
    checkpoint["state_dict"]["network.conv1.1.running_var"][0] = float("inf")
    torch.save(checkpoint, tmp_path / "nan.ckpt")
    arguments = train_arguments(tiny_dataset, tmp_path, "run", "--init-from", str(tmp_path / "nan.ckpt"))
    done = clf(*arguments)
    assert done.code == 4, done.stderr
    assert "conv1.1.running_var" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_loss_that_jumps_over_a_resumption_is_told(clf: Clf, tiny_run: RunDir, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.root, tmp_path / "run")
    run = RunDir(tmp_path / "run")
    honest = clf("train", "--resume", run.root, "--epochs", "4", *BARE)
    assert honest.code == 0, honest.stderr
    assert "diverge" not in honest.stderr
    checkpoint = torch.load(run.last, weights_only=True)
    checkpoint["current_model_state"]["network.fc.weight"] *= -50
    torch.save(checkpoint, run.last)
    done = clf("train", "--resume", run.root, "--epochs", "6", *BARE)
    assert done.code == 0, done.stderr
    assert "the run seems to diverge" in done.stderr
    assert "prev.ckpt" in done.stderr


def test_a_run_that_learns_nothing_is_told_once_with_causes(clf: Clf, tiny_dataset: Path, tmp_path: Path) -> None:
    still = ("--lr", "1e-30", "--augment", "none", "--no-ema", "--epochs", "5", *BARE)
    done = clf(*train_arguments(tiny_dataset, tmp_path, "still", *still))
    assert done.code == 0, done.stderr
    assert done.stderr.count("nothing is learnt") == 1
    assert done.stderr.count("Every val image was answered") == 1
    assert "--lr" in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    "kind",
    [
        ("--accumulate", "2"),
        ("--accumulate", "3", "--mixup", "0.2", "--ema-warmup-steps", "2"),
        ("--optimizer", "sgd", "--clip-grad", "0"),
        ("--freeze-epochs", "1", "--workers", "1"),
    ],
    ids=" ".join,
)
def test_every_kind_of_run_with_skipped_steps_resumes_to_the_last_bit(
    clf: Clf, grey: tuple[Path, Path], tmp_path: Path, kind: tuple[str, ...]
) -> None:
    data, weights = grey
    skip = ("--on-nan", "skip", "--init-from", str(weights), *SPARED, *BARE, "--checkpoint-every-steps", "1")
    assert clf(*train_arguments(data, tmp_path, "whole", *skip, "--epochs", "3", *kind)).code == 0
    whole = RunDir(tmp_path / "whole")
    for step in sorted(whole.checkpoints.glob("step-*.ckpt"))[:6:2]:
        cut = RunDir(tmp_path / step.stem)
        shutil.copytree(whole.root, cut.root)
        assert clf("train", "--resume", cut.checkpoints / step.name).code == 0
        assert not list(differences(end_state(whole), end_state(cut)))
