"""A started run to its end: network, training, test, export, record."""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from clf_cli import __version__, signals
from clf_cli.data.dataset import write_splits
from clf_cli.data.scan_threads import scan_threads
from clf_cli.engine.dataset import DatasetResult, dataset_report
from clf_cli.engine.model_info import model_info
from clf_cli.errors import ClfError, StoppedRunError
from clf_cli.files import require_writable, sweep_leftovers, write_json, write_text
from clf_cli.models.compute import apply
from clf_cli.render.text import scaled
from clf_cli.training.ancestor import with_ancestor
from clf_cli.training.feed import build_feed
from clf_cli.training.finish import finish
from clf_cli.training.fit import fit, starting_network
from clf_cli.training.keeping import publication_of, scored_weights
from clf_cli.training.record import write_record
from clf_cli.training.result import TrainResult
from clf_cli.training.shared_memory import with_shared_memory
from clf_cli.training.space import require_space
from clf_cli.training.start import Start, claim
from clf_cli.training.stopped import left_at_once, resumable_without_workers, stopped_run, unfinished_export
from clf_cli.training.trackers.group import Trackers, open_trackers
from clf_cli.training.unwritten import ended, told_intact
from clf_cli.training.watcher import Watcher, log_line, logged
from clf_cli.values.contract import Contract, labels_mapping
from clf_cli.values.run_lock import locked


def run_session(start: Start, watcher: Watcher) -> TrainResult:
    """Raises ClfError; whatever happens after the first step leaves run.json saying how the run ended."""
    with quiet_libraries(start.run.log if start.checkpoint or start.again else None):
        apply(start.compute)
        network, origin = starting_network(start)
        start = with_shared_memory(with_ancestor(start))
        warnings = require_space(start, network)
        with opened(start, watcher) as start:
            watcher = logged(watcher, start.run.log)
            with quiet_libraries(start.run.log):
                for warning in warnings:
                    watcher.warn(warning)
                return _train(start, network, notes_of(start, origin), watcher)


def notes_of(start: Start, origin: str) -> tuple[str, ...]:
    """What to say before the first epoch."""
    return (*start.notes, *([origin] if origin else []))


def _train(start: Start, network: nn.Module, notes: Sequence[str], watcher: Watcher) -> TrainResult:
    write_record(start.run, start.record)
    trackers = Trackers({}, watcher.warn)
    saves = start.settings.callbacks.checkpoints
    signals.before_leaving(lambda: left_at_once(start.run, start.record, saves=saves))
    try:
        feed = build_feed(start)
        for note in (*notes, *feed.notes):
            watcher.say(note)
        trackers = open_trackers(start, watcher)
        start = replace(start, record=replace(start.record, trackers=start.record.trackers | trackers.ids))
        write_record(start.run, start.record)
        describe(start, network, watcher)
        with resumable_without_workers(start.run), told_intact(start.run):
            fitted = fit(start, network, feed, watcher, trackers)
        result = finish(start, fitted, feed, watcher)
    except BaseException as error:
        stopped = isinstance(error, (StoppedRunError, signals.Stop, KeyboardInterrupt))
        status = ended(start, "interrupted" if stopped else "failed", watcher)
        trackers.close(status)
        if status == "finished":
            watcher.say(unfinished_export(start.run))
        elif isinstance(error, ClfError):
            log_line(start.run.log, f"The run ended early: {error.message}")  # the command shows it
        if isinstance(error, signals.Stop):
            raise stopped_run(start.run, error.number, status, saves=saves) from None
        raise
    finally:
        signals.before_leaving(None)
    trackers.close("finished")
    return result


@contextlib.contextmanager
def opened(start: Start, watcher: Watcher) -> Iterator[Start]:
    """The run with its folder: a new one is made and locked, one that goes on was locked before it was read."""
    if start.checkpoint is not None or start.again:
        write_start(start)
        yield start
        return
    start = replace(start, run=claim(start))
    with locked(start.run, watcher.warn):
        write_start(start)
        yield start


def write_start(start: Start) -> None:
    """Sweeps what a killed writer left in the run, and writes what is known before training. Raises UnwritableError
    (exit 6) also where only its checkpoints could not be written."""
    if start.settings.callbacks.checkpoints:
        require_writable(start.run.checkpoints)
    sweep_leftovers(start.run.root)
    write_text(start.run.settings, start.settings_toml)
    if start.checkpoint is None:
        write_splits(start.run.splits, start.dataset)


def describe(start: Start, network: nn.Module, watcher: Watcher) -> None:
    """Writes and shows the data set's statistics and the model's facts; writes labels_mapping.json."""
    publication = publication_of(start)
    mapping = Contract(
        labels=start.dataset.labels,
        preprocess=start.preprocess,
        arch=start.settings.model.arch,
        weights=scored_weights(start),
        score=None,
        run_id=start.record.run_id,
        data_fingerprint=start.record.data_fingerprint,
        clf=__version__,
    )
    if start.settings.callbacks.dataset_stats:
        from clf_cli.render.dataset import table as dataset_table

        threads = scan_threads(start.settings.compute.workers)
        report = dataset_report(start.dataset, start.settings.inspect, threads, preprocess=start.preprocess)
        write_json(start.run.report(report.kind), report.to_json())
        assert isinstance(report.result, DatasetResult)
        watcher.show(dataset_table(report.result))
    if start.settings.callbacks.model_info:
        info = model_info(network, start.settings.model.arch, start.preprocess, start.dataset.labels)
        write_json(start.run.report(info.kind), publication.report(info).to_json())
        write_json(start.run.labels_mapping, labels_mapping(mapping))
        watcher.say(
            f"{start.settings.model.arch}: {info.parameters / 1e6:.2f} M parameters, {info.megabytes:.1f} MB, "
            f"{scaled(info.multiply_adds)} multiply-adds at {start.preprocess.width} px."
        )


@contextlib.contextmanager
def quiet_libraries(log: Path | None) -> Iterator[None]:
    """Keeps Lightning's adverts and known, harmless warnings away from people; other warnings go to the run's log."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    sink = logging.getLogger("py.warnings")
    handler = logging.FileHandler(log, encoding="utf-8") if log is not None else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # else a full disk prints tracebacks
    propagate, sink.propagate = sink.propagate, False
    sink.addHandler(handler)
    with warnings.catch_warnings():
        _ignore_known()
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            sink.removeHandler(handler)
            handler.close()
            sink.propagate = propagate
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _ignore_known() -> None:
    """Each of these was read in Lightning 2.6.6 with torch 2.15 and asks nothing of a person."""
    for message in (
        r".*isinstance\(treespec, LeafSpec\).*",  # Lightning's own use of torch
        r".*does not have many workers.*",  # workers are chosen with the threads
        r".*module\(s\) in eval mode at the start of training.*",  # a frozen body, on resuming
        r".*`lr_scheduler.step\(\)` before `optimizer.step\(\)`.*",  # fp16, whose first scales are too high
        r".*defined a `validation_step` but have no `val_dataloader`.*",  # --no-val
    ):
        warnings.filterwarnings("ignore", message=message)
