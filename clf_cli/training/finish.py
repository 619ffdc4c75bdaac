"""After the last epoch: pictures that were put off, the test with the best weights, the export, the result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clf_cli.engine.confusion import confusion
from clf_cli.engine.history import history
from clf_cli.engine.metrics import MetricsResult, metrics
from clf_cli.engine.onnx_export import export_run
from clf_cli.engine.onnx_golden import golden_images
from clf_cli.engine.predict import predict
from clf_cli.engine.samples import sample_predictions
from clf_cli.errors import ClfError
from clf_cli.files import write_atomic, write_json
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.classifier import Classifier
from clf_cli.models.network import network_classifier
from clf_cli.training.callbacks import confusion as confusion_callback
from clf_cli.training.callbacks import history as history_callback
from clf_cli.training.callbacks import samples as samples_callback
from clf_cli.training.feed import Feed
from clf_cli.training.fit import Fitted
from clf_cli.training.record import write_record
from clf_cli.training.result import TrainResult
from clf_cli.training.scores import EpochScores
from clf_cli.training.start import Start
from clf_cli.training.watcher import Watcher
from clf_cli.values.predictions import Predictions
from clf_cli.values.run_dir import RunDir


@dataclass(frozen=True)
class Exported:
    """Where the ONNX file is, or why there is none although one was asked for."""

    path: Path | None = None
    error: ClfError | None = None


def finish(start: Start, fitted: Fitted, feed: Feed, watcher: Watcher) -> TrainResult:
    """Draws, tests once, exports, and writes run.json and reports/train.json. A failed export is told in the result."""
    draw_last(start, fitted, feed)
    chosen = chosen_checkpoint(start.run)
    test: MetricsResult | None = None
    exported = Exported()
    if chosen is not None:
        classifier = network_classifier(chosen, compute=start.compute)
        test = score_test(classifier, start, fitted)
        if start.settings.export.enabled:
            watcher.say("Exporting to ONNX and checking the file against the checkpoint ...")
            exported = export(classifier, start, fitted)
    best = fitted.scores.best
    record = replace(
        start.record,
        status="finished",
        best_epoch=None if best is None else int(best["epoch"]),
        validated=feed.val is not None,
    )
    result = TrainResult(
        run=start.run.root.as_posix(),
        run_id=start.record.run_id,
        epochs=len(fitted.scores.rows),
        best_epoch=record.best_epoch,
        stopped_early=fitted.stopped_early,
        seconds=fitted.timing.seconds,
        val=None if best is None else {name: value for name, value in best.items() if name.startswith("val/")},
        test=None if test is None else {f"test/{name}": value for name, value in test.scalars.items()},
        onnx=None if exported.path is None else start.run.relative(exported.path),
        export_error=None if exported.error is None else exported.error.message,
    )
    write_json(start.run.report("train"), result.report.to_json())
    tell_trackers(fitted, result, (chosen, exported.path))
    write_record(start.run, record)
    return result


def chosen_checkpoint(run: RunDir) -> Path | None:
    """The best checkpoint; the last one of a run that was never validated; None of one that kept none."""
    return next((path for path in (run.best, run.last) if path.is_file()), None)


def score_test(classifier: Classifier, start: Start, fitted: Fitted) -> MetricsResult | None:
    """The one time that the test split is looked at, with the weights that are shipped."""
    if not start.dataset.split("test"):
        return None
    predictions = predict(classifier, start.dataset, "test")
    scored = metrics(predictions)
    fitted.publication.publish(scored, predictions, "test")
    if start.settings.callbacks.confusion:
        fitted.publication.publish(confusion(predictions), predictions, "test")
    return scored


def export(classifier: Classifier, start: Start, fitted: Fitted) -> Exported:
    """The shipped file, made by the function that `clf export` calls."""
    scored = fitted.scores.best_scores
    predictions = scored.predictions if scored is not None else None
    if predictions is None:  # the best epoch was before a resumption, or nothing was validated
        split = "val" if start.dataset.split("val") else "train"
        predictions = predict(classifier, start.dataset, split)
    try:
        images = golden_images(start.dataset, predictions)
        export_run(read_checkpoint(classifier.path), start.run, start.settings.export, images, start.compute)
    except ClfError as error:
        return Exported(error=error)
    return Exported(path=start.run.onnx)


def tell_trackers(fitted: Fitted, result: TrainResult, files: tuple[Path | None, Path | None]) -> None:
    """What an epoch could not tell them: the pictures drawn at the end, the test, checkpoint and ONNX file."""
    trackers = fitted.trackers
    for scored in (fitted.scores.best_scores, fitted.scores.latest):
        if scored is not None:
            trackers.pictures(fitted.publication.run, scored.epoch)
    if result.test is not None:
        trackers.scores(result.test, result.best_epoch or result.epochs)
    for file in files:
        if file is not None:
            trackers.file(file, file.parent.name)


def draw_last(start: Start, fitted: Fitted, feed: Feed) -> None:
    """Pictures of the best and the last epoch, where they were not drawn yet, and of the whole run."""
    scores, pictures, switches = fitted.scores, fitted.pictures, start.settings.callbacks
    if switches.history and scores.rows:
        rows = history(scores.rows, start.settings.train.monitor)
        pictures.draw(start.run.history, lambda path: history_callback.draw(rows, path, start.run.root.name))
    for scored in {id(s): s for s in (scores.best_scores, scores.latest) if s is not None}.values():
        if scored.predictions is not None:
            _draw_epoch(start, fitted, feed, scored, scored.predictions)


def _draw_epoch(start: Start, fitted: Fitted, feed: Feed, scored: EpochScores, predictions: Predictions) -> None:
    folder, switches = start.run.epoch(scored.epoch), start.settings.callbacks
    if switches.confusion:
        counts = confusion(predictions)
        _draw(fitted, folder / "confusion.png", lambda path: confusion_callback.draw(counts, path, scored.epoch))
        if scored is fitted.scores.best_scores:
            _copy(folder / "confusion.png", start.run.report("confusion", ".png"))
    if switches.samples:
        grid = sample_predictions(predictions, switches.sample_count)
        _draw(
            fitted,
            folder / "samples.png",
            lambda path: samples_callback.draw(grid, feed.thumbnails, path, scored.epoch),
        )
        if scored is fitted.scores.best_scores:
            _copy(folder / "samples.png", start.run.report("samples", ".png"))


def _draw(fitted: Fitted, path: Path, draw: Callable[[Path], None]) -> None:
    if not path.is_file():
        fitted.pictures.draw(path, draw)


def _copy(source: Path, target: Path) -> None:
    write_atomic(target, lambda file: file.write(source.read_bytes()))
