"""Which images of a data set a model was trained on: what it says of those tells little about their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clf_cli.data.cache import scan_cache_file
from clf_cli.data.dataset import Dataset
from clf_cli.data.run_splits import read_splits
from clf_cli.data.scan import scan_files
from clf_cli.data.written_manifests import folder_of
from clf_cli.models.classifier import Classifier
from clf_cli.settings.load import read_settings
from clf_cli.values.progress import Progress, silent
from clf_cli.values.run_dir import RunDir, run_of
from clf_cli.values.run_record import read_record


@dataclass(frozen=True)
class Seen:
    """What of a data set a model was trained on."""

    paths: frozenset[str]
    untold: Path | None = None  # a checkpoint that it started from, of which nothing tells what that was trained on


def trained_on(classifier: Classifier, dataset: Dataset, workers: int = 1, progress: Progress = silent) -> Seen | None:
    """Paths of `dataset` with the bytes of a train image of the model's run, or of a run whose weights it started from.

    None where nothing tells. Of train images that are no longer there, the name decides. A model outside a run tells
    its data's fingerprint: where `dataset` has the same, its own train split is the one. Raises ModelError for a run
    that cannot be read.
    """
    runs, untold = _runs_of(classifier)
    if runs:
        seen: set[str] = set()
        for run in runs:
            seen |= _train_images(run, dataset, workers, progress)
        return Seen(frozenset(seen), untold)
    if classifier.data_fingerprint == dataset.fingerprint:
        contents = {dataset.files[row.path].content_hash for row in dataset.split("train")}
        return Seen(frozenset(path for path, facts in dataset.files.items() if facts.content_hash in contents))
    return None


def _runs_of(classifier: Classifier) -> tuple[list[RunDir], Path | None]:
    """The run that trained these weights and those that it goes back to by --init-from, the latest first; then the
    checkpoint where this is lost."""
    runs: list[RunDir] = []
    found = _trained_by(classifier.run, classifier.run_id)
    while found is not None and found not in runs:
        runs.append(found)
        record = read_record(found)
        if record.init_from is None:
            return runs, None
        file = Path(record.init_from)
        found = _trained_by(run_of(file), record.init_run_id)
        if found is None:
            return runs, file
    return runs, None


def _trained_by(run: RunDir | None, run_id: str | None) -> RunDir | None:
    """The run, if it is the one of that id and tells its data: a folder may hold a copy of other weights, or a later
    run of the same name."""
    if run is None or run_id is None or not run.settings.is_file() or not run.splits.is_file():
        return None
    return run if read_record(run).run_id == run_id else None


def _train_images(run: RunDir, dataset: Dataset, workers: int, progress: Progress) -> set[str]:
    root = read_settings(run.settings).data.root
    rows, _ = read_splits(run.splits)
    paths = [row.path for row in rows if row.split == "train"]
    contents, unread = _contents(None if root is None else root.expanduser(), paths, dataset, workers, progress)
    return {path for path, facts in dataset.files.items() if path in unread or facts.content_hash in contents}


def _contents(
    data: Path | None, paths: Sequence[str], dataset: Dataset, workers: int, progress: Progress
) -> tuple[set[str], set[str]]:
    """Content hashes of the files, which are relative to the folder of `data`, and the paths that have none."""
    root = None if data is None or not data.exists() else folder_of(data)
    files = dict(dataset.files) if root == dataset.root else {}
    missing = [path for path in paths if path not in files]
    if root is not None and missing:
        files |= scan_files(root, missing, workers, scan_cache_file(root), progress, remember=False).files
    hashes = {path: files[path].content_hash if path in files else "" for path in paths}
    return {content for content in hashes.values() if content}, {path for path in paths if not hashes[path]}
