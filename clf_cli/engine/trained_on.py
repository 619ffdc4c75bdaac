"""Which images of a data set a model was trained on: what it says of those tells little about their labels."""

from collections.abc import Sequence
from pathlib import Path

from clf_cli.data.cache import scan_cache_file
from clf_cli.data.dataset import Dataset
from clf_cli.data.run_splits import read_splits
from clf_cli.data.scan import scan_files
from clf_cli.data.written_manifests import folder_of
from clf_cli.models.classifier import Classifier
from clf_cli.settings.load import read_settings
from clf_cli.values.progress import Progress, silent
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record


def trained_on(
    classifier: Classifier, dataset: Dataset, workers: int = 1, progress: Progress = silent
) -> frozenset[str] | None:
    """Paths of `dataset` with the bytes of an image in the train split of the model's run; None where nothing tells.

    Of train images that are no longer there, the name decides. A model outside a run tells its data's fingerprint:
    where `dataset` has the same, its own train split is the one. Raises ModelError for a run that cannot be read.
    """
    run = _own_run(classifier)
    if run is not None:
        root = read_settings(run.settings).data.root
        rows, _ = read_splits(run.splits)
        paths = [row.path for row in rows if row.split == "train"]
        contents, unread = _contents(None if root is None else root.expanduser(), paths, dataset, workers, progress)
    elif classifier.data_fingerprint == dataset.fingerprint:
        contents, unread = {dataset.files[row.path].content_hash for row in dataset.split("train")}, set()
    else:
        return None
    seen = (path for path, facts in dataset.files.items() if path in unread or facts.content_hash in contents)
    return frozenset(seen)


def _own_run(classifier: Classifier) -> RunDir | None:
    """The run whose training made these weights; a copy that was put into the folder of another has another id."""
    run = classifier.run
    if run is None or not run.settings.is_file() or not run.splits.is_file():
        return None
    return run if read_record(run).run_id == classifier.run_id else None


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
