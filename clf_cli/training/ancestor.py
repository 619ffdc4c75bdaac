"""Which run made the weights that a new one starts from."""

from dataclasses import replace

from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.training.start import Start


def with_ancestor(start: Start) -> Start:
    """`start`, whose record names the run that made the checkpoint of --init-from. Raises ModelError (exit 4)."""
    first = start.settings.train.init_from
    if first is None or start.checkpoint is not None:  # a run that is resumed has its record
        return start
    return replace(start, record=replace(start.record, init_run_id=read_checkpoint(first).run_id))
