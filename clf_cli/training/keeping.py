"""What travels in a run's checkpoints, and how its reports name them."""

from typing import Any

import numpy as np

from clf_cli.models.checkpoint import CheckpointFacts, clf_payload
from clf_cli.settings.resolved import ONE_START
from clf_cli.settings.root import Settings
from clf_cli.training.callbacks.checkpoints import Checkpoints
from clf_cli.training.ema import Ema
from clf_cli.training.publication import Publication
from clf_cli.training.scores import Row, Scoreboard
from clf_cli.training.start import Start
from clf_cli.values.contract import Score
from clf_cli.values.report import ModelRef, Weights


def publication_of(start: Start) -> Publication:
    """How the run's reports name their model and data; a run that is never validated has no best checkpoint."""
    weights = scored_weights(start)
    validates = start.settings.train.val and bool(start.dataset.split("val"))
    file = start.run.best if validates else start.run.last
    model = ModelRef(start.run.relative(file), start.settings.model.arch, weights, start.record.run_id)
    return Publication(start.run, model, start.dataset.root.as_posix(), start.record.data_fingerprint, validates)


def scored_weights(start: Start) -> Weights:
    """The weights that validate: the moving average, where it is on."""
    return "ema" if start.settings.ema.enabled else "live"


def keeper(start: Start, scores: Scoreboard, averages: list[Ema]) -> Checkpoints:
    """The callback that writes checkpoints, with the facts that travel in them."""
    section = start.settings.train

    def payload(epoch: int, row: Row | None, resumable: bool) -> dict[str, Any]:
        payload = clf_payload(
            CheckpointFacts(
                arch=start.settings.model.arch,
                labels=start.dataset.labels,
                preprocess=start.preprocess,
                settings=stored_settings(start.settings),
                score=score_of(row, section.monitor, scored_weights(start)),
                scored_weights=scored_weights(start),
                epoch=epoch,
                run_id=start.record.run_id,
                data_fingerprint=start.record.data_fingerprint,
            )
        )
        return payload | ({"resumed": start.record.resumed} if resumable else {})

    keeper = Checkpoints(
        start.run, scores, payload, section.monitor, section.checkpoint_every_steps, start.settings.optim.accumulate
    )
    return keeper.scored_by(*averages)


def stored_settings(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, without those that only say where a run began."""
    plain, defaults = settings.model_dump(mode="json"), Settings().model_dump(mode="json")
    for path in ONE_START:
        section, _, key = path.partition(".")
        plain[section][key] = defaults[section][key]
    return plain


def score_of(row: Row | None, monitor: str, weights: Weights) -> Score | None:
    """What the weights scored, or None where they were not validated."""
    if row is None or np.isnan(row["val/loss"]):
        return None
    return Score(monitor, "val", row[monitor], weights)
