"""After the last epoch: pictures that were put off, the test with the best weights, export, page, the result."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clf_cli.engine.confusion import confusion
from clf_cli.engine.history import history
from clf_cli.engine.metrics import MetricsResult, metrics
from clf_cli.engine.predict_split import predict_split
from clf_cli.engine.report_page import Ended, Mistakes, report_page, worst_images
from clf_cli.engine.samples import sample_predictions
from clf_cli.errors import ClfError
from clf_cli.files import write_atomic, write_json
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.classifier import Classifier
from clf_cli.models.malloc import give_back_freed_memory
from clf_cli.models.network import network_classifier
from clf_cli.training.callbacks import confusion as confusion_callback
from clf_cli.training.callbacks import history as history_callback
from clf_cli.training.callbacks import samples as samples_callback
from clf_cli.training.feed import Feed
from clf_cli.training.fit import Fitted
from clf_cli.training.record import write_record
from clf_cli.training.result import EXPORT_ENDED_EARLY, TrainResult
from clf_cli.training.scores import EpochScores
from clf_cli.training.start import Start
from clf_cli.training.watcher import Watcher
from clf_cli.values.onnx_files import files_beside
from clf_cli.values.predictions import Predictions
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import RunRecord


def finish(start: Start, fitted: Fitted, feed: Feed, watcher: Watcher) -> TrainResult:
    """Draws, tests once, exports, writes the page, reports/train.json and run.json.

    An export or a page that fails is told in the result: the run is finished without it. It is recorded as finished
    before the export begins, whose tools may end the process.
    """
    draw_last(start, fitted, feed)
    chosen = chosen_checkpoint(start.run)
    classifier = None if chosen is None else network_classifier(chosen, compute=start.compute)
    test = None if classifier is None else score_test(classifier, start, fitted)
    seen = best_predictions(classifier, start, fitted)
    record = record_of(start, fitted, feed)
    result = result_of(start, fitted, record, test)
    exports = start.settings.export.enabled
    if classifier is not None and seen is not None and exports:
        settle(start, record, replace(result, export_error=EXPORT_ENDED_EARLY))
        watcher.say("Exporting to ONNX and checking the file against the checkpoint ...")
        failed = export(classifier, start, seen, watcher)
        result = (
            replace(result, onnx=start.run.relative(start.run.onnx))
            if failed is None
            else replace(result, export_error=failed.message)
        )
    onnx = start.run.onnx if result.onnx is not None else None
    if onnx is None and is_outdated(start.run.onnx, chosen):
        file = shlex.quote(start.run.root.as_posix())
        watcher.warn(f"{start.run.relative(start.run.onnx)} is of earlier weights of this run: clf export {file}")
    tell_trackers(fitted, result, (chosen, onnx))
    if start.settings.callbacks.report:
        result = with_page(result, start, record, seen if record.validated else None)
    settle(start, record, result)
    return result


def is_outdated(onnx: Path, chosen: Path | None) -> bool:
    """Whether the ONNX file of an earlier end of the run was not renewed after its best weights were."""
    return onnx.is_file() and chosen is not None and chosen.stat().st_mtime_ns > onnx.stat().st_mtime_ns


def settle(start: Start, record: RunRecord, result: TrainResult) -> None:
    """Writes reports/train.json, and that the run is finished."""
    write_json(start.run.report("train"), result.report.to_json())
    write_record(start.run, record)


def record_of(start: Start, fitted: Fitted, feed: Feed) -> RunRecord:
    """The record of the run that is trained."""
    best = fitted.scores.best
    return replace(
        start.record,
        status="finished",
        best_epoch=None if best is None else int(best["epoch"]),
        validated=feed.val is not None,
    )


def result_of(start: Start, fitted: Fitted, record: RunRecord, test: MetricsResult | None) -> TrainResult:
    """What training and test gave; export and page come after."""
    best = fitted.scores.best
    return TrainResult(
        run=start.run.root.as_posix(),
        run_id=start.record.run_id,
        epochs=len(fitted.scores.rows),
        best_epoch=record.best_epoch,
        stopped_early=fitted.stopped_early,
        seconds=fitted.timing.seconds,
        val=None if best is None else {name: value for name, value in best.items() if name.startswith("val/")},
        test=None if test is None else {f"test/{name}": value for name, value in test.scalars.items()},
        onnx=None,
        skipped_steps=fitted.skipped_steps,
    )


def chosen_checkpoint(run: RunDir) -> Path | None:
    """The best checkpoint; the last one of a run that was never validated; None of one that kept none."""
    return next((path for path in (run.best, run.last) if path.is_file()), None)


def score_test(classifier: Classifier, start: Start, fitted: Fitted) -> MetricsResult | None:
    """The one time that the test split is looked at, with the weights that are shipped."""
    if not start.dataset.split("test"):
        return None
    predictions = predict_split(classifier, start.dataset, "test")
    scored = metrics(predictions)
    fitted.publication.publish(scored, predictions, "test")
    if start.settings.callbacks.confusion:
        fitted.publication.publish(confusion(predictions), predictions, "test")
    return scored


def best_predictions(classifier: Classifier | None, start: Start, fitted: Fitted) -> Predictions | None:
    """What the best weights say of val, or of train where there is no val, for the golden samples and the page.

    From memory, save where the best epoch was before a resumption or nothing was validated. None where nobody asks.
    """
    scored = fitted.scores.best_scores
    if scored is not None and scored.predictions is not None:
        return scored.predictions
    for_page = start.settings.callbacks.report and fitted.scores.best is not None
    if classifier is None or not (start.settings.export.enabled or for_page):
        return None
    return predict_split(classifier, start.dataset, "val" if start.dataset.split("val") else "train")


def export(classifier: Classifier, start: Start, seen: Predictions, watcher: Watcher) -> ClfError | None:
    """The shipped file, made by the function that `clf export` calls; or why there is none."""
    from clf_cli.engine.onnx_export import export_checkpoint  # onnx and ONNX Runtime, which training does without
    from clf_cli.engine.onnx_plan import ExportImages, ExportPlan
    from clf_cli.render.onnx_export import lines, unscored

    def write() -> None:
        give_back_freed_memory()  # of scoring: at 224 px 800 MB, beside which tracing would be the peak of the run
        images = ExportImages(start.dataset, seen, workers=max(1, start.compute.workers))
        plan = ExportPlan(start.compute, start.settings.export, images=images)
        result = export_checkpoint(read_checkpoint(classifier.path), classifier, files_beside(start.run.onnx), plan)
        for line in lines(result)[1:-1]:  # the end of training says where the file is, and what to type
            watcher.say(line)
        if (warning := unscored(result)) is not None:
            watcher.warn(warning)

    return _attempted(write)


def with_page(result: TrainResult, start: Start, record: RunRecord, seen: Predictions | None) -> TrainResult:
    """Writes the page that `clf report` writes, and says in the result where it is, or why it is not there."""
    from clf_cli.render.report_page import write_page  # the template engine: only where a page is written

    def write() -> None:
        mistakes = Mistakes() if seen is None else worst_images(seen, start.dataset.root)
        write_page(report_page(start.run, mistakes, Ended(record, result.to_result())), start.run.report_page)

    failed = _attempted(write)
    if failed is not None:
        return replace(result, page_error=failed.message)
    return replace(result, page=start.run.relative(start.run.report_page))


def _attempted(step: Callable[[], None]) -> ClfError | None:
    """The error of a step after the last epoch: it must not make a failed run of a trained one."""
    try:
        step()
    except ClfError as error:
        return error
    return None


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
