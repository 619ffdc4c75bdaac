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
        data_fingerprint=fingerprint,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write_ended(run: RunDir, record: RunRecord, status: Ending) -> Ending:
    """Records how a run ended early, unless it is finished already: then only its export or page did. Returns what
    stands there."""
    if read_record(run).status == "finished":
        return "finished"
    write_record(run, replace(record, status=status))
    return status


def write_record(run: RunDir, record: RunRecord) -> None:
    write_json(run.run_json, record.to_json())
