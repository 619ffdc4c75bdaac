"""The record of a run that starts, and its place on the disk."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from clf_cli.files import write_json
from clf_cli.models.compute import Compute
from clf_cli.training.trackers.tracker import Ending
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import RunRecord, read_record


def new_record(compute: Compute, seed: int, fingerprint: str, command: tuple[str, ...]) -> RunRecord:
    """The record of a run that starts now, under an id of its own."""
    return RunRecord(
        run_id=uuid.uuid4().hex[:12],
        command=command,
        seed=seed,
        device=compute.device,
        threads=compute.threads,
        workers=compute.workers,
        precision=compute.precision,
        compile=compute.compile,
        data_fingerprint=fingerprint,
        machine=machine_of(compute),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def machine_of(compute: Compute) -> dict[str, str]:
    """What decides how numbers are rounded besides versions: the CPU's instruction set, or the GPU and its CUDA."""
    import torch  # seconds, which a mistake need not wait for

    if not compute.device.startswith("cuda"):
        return {"cpu": torch.backends.cpu.get_cpu_capability()}
    return {"gpu": torch.cuda.get_device_name(compute.device), "cuda": str(torch.version.cuda)}


def write_ended(run: RunDir, record: RunRecord, status: Ending) -> Ending:
    """Records how a run ended early, unless it is finished already: then only its export or page did. Returns what
    stands there."""
    if read_record(run).status == "finished":
        return "finished"
    write_record(run, replace(record, status=status))
    return status


def write_record(run: RunDir, record: RunRecord) -> None:
    write_json(run.run_json, record.to_json())
