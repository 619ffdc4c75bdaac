"""`--precision auto`: what is timed and taken, what is written, and that neither a resumption nor a seed notices."""

import dataclasses
from pathlib import Path

import pytest
import torch

from clf_cli.models.compute import has_bf16_products
from clf_cli.settings.load import read_settings
from clf_cli.settings.resolved import Resolved
from clf_cli.training import precision as auto
from clf_cli.training.precision import FEWEST, WORTH, Pair, ratio_of, speed_of_bf16, with_precision
from clf_cli.training.start import Start
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record
from tests.running import Clf, draw_discs, train_arguments
from tests.starts import tiny_start


class Machine:
    """Steps that take so many seconds an image, and so many more each; the first of a size twice as long."""

    def __init__(self, fp32: float, bf16: float, each: float = 0.0) -> None:
        self.image = {"fp32": fp32, "bf16": bf16}
        self.each = each
        self.sizes: list[int] = []
        self.seconds = 0.0

    def pair(self, images: int) -> Pair:
        cold = 1 if images in self.sizes else 2
        self.sizes.append(images)
        bf16, fp32 = (cold * (self.each + images * self.image[name]) for name in ("bf16", "fp32"))
        self.seconds += bf16 + fp32
        return {"bf16": bf16, "fp32": fp32}


@pytest.mark.parametrize("scale", [1e-5, 1e-3, 1e-2, 0.05, 0.059])
@pytest.mark.parametrize("batch", [1, 2, 32, 512])
def test_the_ratio_is_found_within_the_time_by_steps_of_at_most_a_batch(scale: float, batch: int) -> None:
    machine = Machine(2 * scale, scale)
    ratio, images = ratio_of(machine.pair, batch, budget=1.2)
    assert ratio == pytest.approx(2.0)
    assert FEWEST <= images <= max(FEWEST, batch)
    assert machine.sizes[-1] == images
    assert machine.seconds <= 1.2 * 1.2


def test_a_slow_network_is_judged_by_the_first_two_steps_and_a_fast_one_by_whole_batches() -> None:
    slow, fast = Machine(3.0, 1.0), Machine(1e-4, 2e-4)
    ratio, images = ratio_of(slow.pair, 32)
    assert ratio == pytest.approx(3.0)
    assert images == FEWEST
    assert slow.sizes == [FEWEST]
    ratio, images = ratio_of(fast.pair, 32)
    assert ratio == pytest.approx(0.5)
    assert images == 32
    assert fast.sizes == [FEWEST, FEWEST, 32, 32, 32]


@pytest.mark.parametrize(("bf16", "pairs"), [(0.02, 2), (0.032, 3), (0.034, 3), (0.04, 3), (0.08, 2)])
def test_a_clear_pair_of_long_steps_ends_the_search(bf16: float, pairs: int) -> None:
    machine = Machine(0.04, bf16)
    ratio, images = ratio_of(machine.pair, 2, budget=1.0)
    assert ratio == pytest.approx(0.04 / bf16)
    assert machine.sizes == [FEWEST] * pairs
    assert images == FEWEST


def test_what_a_step_costs_besides_its_images_counts_too() -> None:
    ratio, images = ratio_of(Machine(2e-3, 1e-3, each=1e-2).pair, 32)
    assert ratio == pytest.approx((1e-2 + 2e-3 * images) / (1e-2 + 1e-3 * images))


@pytest.mark.parametrize(
    ("flags", "there"),
    [
        ("flags\t\t: fpu sse2 avx512f avx512_bf16 fsrm", True),
        ("flags : fpu amx_bf16", True),
        ("Features\t: fp asimd bf16 i8mm", True),  # arm64
        ("flags\t\t: fpu avx2 avx512f", False),
        ("no colon", False),
    ],
)
def test_the_instructions_are_read_from_what_linux_says(tmp_path: Path, flags: str, there: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nbugs : bf16\n{flags}\n\nprocessor\t: 1\n{flags}\n")
    assert has_bf16_products(tmp_path / "cpuinfo") == there
    assert not has_bf16_products(tmp_path / "missing")


def started(data: Path, **asked: object) -> tuple[Start, Resolved]:
    start = tiny_start(data, data.parent)
    compute = start.settings.compute.model_copy(update={"precision": "auto", **asked})
    settings = start.settings.model_copy(update={"compute": compute})
    return dataclasses.replace(start, settings=settings), Resolved(settings, {"optim.lr": "command line"})


def test_real_steps_are_timed_and_no_random_number_is_used_up(tiny_dataset: Path) -> None:
    start, _ = started(tiny_dataset)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    ratio, images = speed_of_bf16(start)
    assert torch.equal(torch.rand(4), expected)
    assert torch.get_num_threads() == threads == start.compute.threads
    assert 0.01 < ratio < 100
    assert images >= FEWEST


@pytest.mark.parametrize(("times", "taken"), [(WORTH, "bf16"), (3.0, "bf16"), (WORTH - 0.01, "fp32"), (0.4, "fp32")])
def test_what_is_worth_it_is_taken_and_stands_in_every_record(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: float, taken: str
) -> None:
    monkeypatch.setattr(auto, "has_bf16_products", lambda: True)
    monkeypatch.setattr(auto, "speed_of_bf16", lambda start: (times, 8))
    start, resolved = started(tiny_dataset)
    decided = with_precision(start, resolved)
    assert decided.compute.precision == decided.record.precision == decided.settings.compute.precision == taken
    assert decided.notes[-1].startswith(f"--precision auto: {taken}")
    (tmp_path / "settings.toml").write_text(decided.settings_toml)
    assert f'precision = "{taken}"  # --precision auto' in decided.settings_toml
    assert read_settings(tmp_path / "settings.toml").compute.precision == taken
    assert with_precision(decided, resolved) is decided


@pytest.mark.parametrize("reason", ["asked", "deterministic", "no instructions"])
def test_nothing_is_timed_without_a_choice(tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setattr(auto, "has_bf16_products", lambda: reason != "no instructions")
    monkeypatch.setattr(auto, "speed_of_bf16", lambda start: pytest.fail("steps were timed"))
    flags: dict[str, dict[str, object]] = {"asked": {"precision": "fp32"}, "deterministic": {"deterministic": True}}
    asked = flags.get(reason, {})
    start, resolved = started(tiny_dataset, **asked)
    decided = with_precision(start, resolved)
    assert decided.settings.compute.precision == decided.compute.precision == "fp32"
    assert decided.notes == start.notes


def test_a_run_in_bf16_resumes_with_what_auto_became(clf: Clf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "has_bf16_products", lambda: True)
    monkeypatch.setattr(auto, "speed_of_bf16", lambda start: (2.0, 8))
    data = draw_discs(tmp_path / "data", {"train": 4, "val": 2})
    plain = ("--no-export", "--no-report", "--no-samples", "--no-history", "--no-confusion", "--precision", "auto")
    done = clf(*train_arguments(data, tmp_path, "run", *plain))
    run = RunDir(tmp_path / "run")
    assert done.code == 0, done.stderr
    assert "--precision auto: bf16, 2 times as fast as fp32 here" in done.stderr
    assert read_record(run).precision == read_settings(run.settings).compute.precision == "bf16"
    monkeypatch.setattr(auto, "speed_of_bf16", lambda start: pytest.fail("a resumption times nothing"))
    went_on = clf("train", "--resume", run.root, "--epochs", "3", "--precision", "auto")
    assert went_on.code == 0, went_on.stderr
    assert read_record(run).precision == "bf16"
    refused = clf("train", "--resume", run.root, "--epochs", "4", "--precision", "fp32")
    assert refused.code == 2
    assert "compute.precision: bf16 → fp32" in refused.stderr
