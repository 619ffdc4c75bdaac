"""Kills small real trainings at random moments, continues them, and holds each against the run that was left alone.

    OMP_NUM_THREADS=1 python -m tests.faults.kill_points kill_points.jsonl [--runs 0 20] [--kills 10] [--seed 0]

Appends one JSON line per run as soon as it ended; runs that are in the file already are skipped, so it can be cut at
any moment. Exit 1 when a run did not end exactly as the run that was left alone.
"""

import argparse
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from clf_cli.values.run_dir import RunDir
from tests.end_states import differences, end_state
from tests.running import draw_discs, start_clf, train_arguments

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
WHOM = ("process", "group")  # timeout(1), systemd, Slurm and terminals send to all its processes
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
UNHEARD_S = 0.5  # Python starts: as after its last line, a signal has the effect that the system gives it
TOLD_S = 30.0  # a signal that can be heard ends the process within this time
COMMON = ("--epochs", "10", "--augment", "ocr", "--drop-rate", "0.1", "--pictures", "last")
CHOICES: tuple[tuple[tuple[str, ...], ...], ...] = (
    ((), ("--mixup", "0.2"), ("--cutmix", "0.5")),
    ((), ("--balance", "sampler"), ("--balance", "loss")),
    ((), ("--accumulate", "2"), ("--accumulate", "3")),
    ((), (), ("--no-ema",), ("--ema-warmup-steps", "6")),
    ((), ("--workers", "1")),
    ((), ("--checkpoint-every-steps", "2"), ("--checkpoint-every-steps", "3")),
    ((), ("--optimizer", "sgd", "--lr", "0.01")),
    ((), ("--freeze-epochs", "1")),
    ((), ("--patience", "1")),
    ((), ("--no-export",), ("--no-export",)),
    ((), (), (), ("--no-val",)),
)


@dataclass
class Killed:
    """One kill: when (seconds after the start of a process), with what, sent to `process` or to its whole `group`, how
    the process ended and how long it took."""

    after_s: float
    signal: str
    whom: str
    code: int
    took_s: float
    kept: str  # the newest checkpoint then, or "nothing"


class _How(NamedTuple):
    number: signal.Signals
    whom: str
    after_s: float

    def send(self, process: "subprocess.Popen[str]") -> None:
        if self.whom == "group":
            os.killpg(process.pid, self.number)
        else:
            process.send_signal(self.number)

    def __str__(self) -> str:
        return f"{self.number.name} to its {self.whom} after {self.after_s:.2f} s"


@dataclass
class Outcome:
    """One run: `exact` is whether its end equals, bit for bit, that of the run which was left alone."""

    run: int
    seed: int
    arguments: str
    whole_s: float
    kills: list[Killed] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return not self.trouble


def setup_of(run: int, seed: int) -> tuple[str, ...]:
    """The flags of a run, drawn so that every kind of set-up is killed."""
    chance = random.Random(f"{seed}/{run}")
    return (*COMMON, *(flag for choices in CHOICES for flag in chance.choice(choices)))


def killed_run(run: int, seed: int, kills: int, folder: Path) -> Outcome:
    """Trains, kills `kills` times at moments uniform over the life of a process, and compares the end."""
    chance = random.Random(f"kill/{seed}/{run}")
    data = draw_discs(folder / "data", seed=seed)
    flags = setup_of(run, seed)
    whole, tried = RunDir(folder / "whole" / "run"), RunDir(folder / "tried" / "run")
    began = time.perf_counter()
    code, said = ended(train_arguments(data, whole.root.parent, "run", *flags), folder)
    outcome = Outcome(run, seed, shlex.join(flags), time.perf_counter() - began)
    if code != 0:
        return replaced_trouble(outcome, f"the run that was left alone ended with {code}: {said[-300:]}")
    first = train_arguments(data, tried.root.parent, "run", *flags)
    while len(outcome.kills) < kills and outcome.exact:
        how = _How(chance.choice(SIGNALS), chance.choice(WHOM), chance.uniform(0, outcome.whole_s))
        _kill_one(outcome, next_command(tried, first), how, tried, folder)
        if finished(tried) and len(outcome.kills) < kills:
            outcome.trouble += resumed_trouble(whole, tried, folder)
            shutil.rmtree(tried.root)
    if outcome.exact:
        code, said = ended(next_command(tried, first), folder)
        outcome.trouble += [f"the last start ended with {code}: {said[-300:]}"] if code else []
        outcome.trouble += resumed_trouble(whole, tried, folder)
    return outcome


def resumed_trouble(whole: RunDir, tried: RunDir, folder: Path) -> list[str]:
    """What differs once --resume says that all is done."""
    code, said = ended(["train", "--resume", str(tried.root)], folder)
    return [f"the last resumption ended with {code}: {said[-300:]}"] if code else compare(whole, tried)


def _kill_one(outcome: Outcome, command: Sequence[str], how: _How, run: RunDir, cwd: Path) -> None:
    process = start_clf(command, cwd)
    try:
        process.communicate(timeout=how.after_s)
        code = process.returncode
        if code != 0:
            outcome.trouble.append(f"{shlex.join(command)} ended with {code} before it was killed")
        return  # over before its moment came: not counted
    except subprocess.TimeoutExpired:
        how.send(process)
    began = time.perf_counter()
    try:
        _, said = process.communicate(timeout=4 * TOLD_S)
    except subprocess.TimeoutExpired:
        process.kill()
        outcome.trouble.append(f"{how} was not heard for {4 * TOLD_S} s")
        return
    took, code = time.perf_counter() - began, process.returncode
    killed = Killed(round(how.after_s, 2), how.number.name, how.whom, code, round(took, 2), newest_checkpoint(run))
    outcome.kills.append(killed)
    unheard = (-how.number,) if how.after_s < UNHEARD_S or finished(run) else ()
    if code not in (CODES[how.number], 0, *unheard):
        outcome.trouble.append(f"{how} ended with {code}: {said[-300:]}")
    if "Traceback" in said:
        outcome.trouble.append(f"{how} left a traceback: {said[-300:]}")
    if took > TOLD_S:
        outcome.trouble.append(f"{how} took {took:.0f} s")


def next_command(run: RunDir, first: Sequence[str]) -> Sequence[str]:
    """What a person types: --resume where there is a run, else the first command again."""
    return ["train", "--resume", str(run.root)] if run.run_json.is_file() else first


def ended(command: Sequence[str], cwd: Path) -> tuple[int, str]:
    process = start_clf(command, cwd)
    _, said = process.communicate()
    return process.returncode, said


def finished(run: RunDir) -> bool:
    """Also in the moments before the export."""
    return run.run_json.is_file() and json.loads(run.run_json.read_text())["status"] == "finished"


def newest_checkpoint(run: RunDir) -> str:
    found = sorted(run.checkpoints.glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    return found[-1].name if found else "nothing"


def compare(whole: RunDir, tried: RunDir) -> list[str]:
    """What differs at the end; an export is there when the other run has one."""
    return list(_differences(whole, tried))


def _differences(whole: RunDir, tried: RunDir) -> Iterator[str]:
    yield from (f"last.ckpt differs at {path}" for path in differences(end_state(whole), end_state(tried)))
    epochs = [run.timing.read_text().split("\n", 1)[1].split() for run in (whole, tried)]
    if len({tuple(row.partition(",")[0] for row in rows) for rows in epochs}) > 1:
        yield f"timing.csv has the epochs {[row.partition(',')[0] for row in epochs[1]]}"
    for run in (whole, tried):
        if leftovers := [path.name for path in run.root.rglob(".*.clf-tmp")]:
            yield f"{leftovers} were left in {run.root.name}"
    if whole.onnx.is_file() != tried.onnx.is_file():
        yield "there is an ONNX file in one of them only"
    names = [sorted(path.name for path in run.checkpoints.rglob("*.ckpt")) for run in (whole, tried)]
    if names[0] != names[1]:
        yield f"the checkpoints are {names[1]}, not {names[0]}"


def replaced_trouble(outcome: Outcome, trouble: str) -> Outcome:
    outcome.trouble.append(trouble)
    return outcome


def summary(lines: Sequence[str]) -> tuple[str, bool]:
    """The lines of a report in one sentence, and whether every run was exact."""
    outcomes = [json.loads(line) for line in lines]
    kills = [kill for outcome in outcomes for kill in outcome["kills"]]
    exact = sum(len(outcome["kills"]) for outcome in outcomes if outcome["exact"])
    heard = [kill["took_s"] for kill in kills if kill["signal"] != "SIGKILL"]
    counts = ", ".join(f"{count} {name}" for name, count in sorted(Counter(kill["signal"] for kill in kills).items()))
    groups = sum(kill["whom"] == "group" for kill in kills)
    return (
        f"{exact} of {len(kills)} kill points ({counts}; {groups} of them to the whole process group) "
        f"in {len(outcomes)} runs ended in an exact resumption; "
        f"the slowest answer to a signal took {max(heard, default=0.0):.1f} s."
    ), all(outcome["exact"] for outcome in outcomes)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("report", type=Path)
    parser.add_argument("--runs", type=int, nargs=2, default=(0, 20), metavar=("FIRST", "END"))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it, and so would clf
    done = {json.loads(line)["run"] for line in given.report.read_text().splitlines()} if given.report.exists() else ()
    for run in range(*given.runs):
        if run in done:
            continue
        with tempfile.TemporaryDirectory() as folder:
            outcome = killed_run(run, given.seed, given.kills, Path(folder))
        with given.report.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome) | {"exact": outcome.exact}) + "\n")
        print(json.dumps(asdict(outcome)), flush=True)
    text, exact = summary(given.report.read_text().splitlines())
    print(text)
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
