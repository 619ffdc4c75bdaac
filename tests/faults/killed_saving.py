"""Kills processes that save a run's checkpoint over and over, and looks at what each left.

    OMP_NUM_THREADS=1 python -m tests.faults.killed_saving RUN [--kills 50] [--megabytes 40] [--seed 0]

RUN is a copy of a trained run: its last.ckpt, made larger by a tensor full of its number, is saved again and again the
way training saves it. Each process is killed at a random moment of its saving; one JSON line per kill tells what was
whole then, and whether the kill fell into the writing of a file. Exit 1 when nothing whole was left.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from clf_cli.errors import ModelError
from clf_cli.files import TEMP_SUFFIX, sweep_leftovers
from clf_cli.models.torch_files import load_torch
from clf_cli.training.checkpoint_io import AtomicCheckpointIO
from clf_cli.values.run_dir import RunDir

Line = dict[str, Any]


def save_forever(run: RunDir, checkpoint: dict[str, Any], ballast: int, saved: int) -> None:
    """Tells the number of every checkpoint that is in its place, as one line in a pipe."""
    keeper = AtomicCheckpointIO(run)
    number = saved
    while True:
        number += 1
        keeper.save_checkpoint({**checkpoint, "ballast": torch.full((ballast,), float(number))}, run.last)
        os.write(1, f"{number}\n".encode())


def number_of(path: Path) -> int | None:
    """The number in a checkpoint that is whole to its last byte; 0 of the one that training left; None of a broken
    or missing one."""
    try:
        data = load_torch(path, "checkpoint", mapped=False)
    except ModelError:
        return None
    ballast = data.get("ballast")
    if ballast is None:
        return 0
    return int(ballast[0]) if bool((ballast == ballast[0]).all()) else None


def kill_once(run: RunDir, ballast: int, after_s: float, saved: int) -> Line:
    """`saved` is the number of the newest checkpoint before."""
    checkpoint = load_torch(run.last if number_of(run.last) is not None else run.previous, "checkpoint", mapped=False)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writer, 1)
        save_forever(run, checkpoint, ballast, saved)
    os.close(writer)
    first = os.read(reader, 1)  # the first one is saved: the next are replacements
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        told = max(int(line) for line in (first + pipe.read()).split())
    writing = len(list(run.checkpoints.glob(f".*{TEMP_SUFFIX}")))
    whole = {path.name: number_of(path) for path in (run.last, run.previous)}
    sweep_leftovers(run.root)
    return {"signal": -os.waitstatus_to_exitcode(status), "told": told, "whole": whole, "writing": writing}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    run, rng, newest, lost = RunDir(given.run), random.Random(given.seed), 0, 0
    for _ in range(given.kills):
        line = kill_once(run, given.megabytes * 250_000, rng.uniform(0, 0.3), newest)
        found = [number for number in line["whole"].values() if number is not None]
        lost += not found or max(found) < line["told"]
        newest = max([*found, line["told"]])
        print(json.dumps(line), flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
