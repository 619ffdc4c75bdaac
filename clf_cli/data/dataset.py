"""The data set as everything downstream sees it: rows with a split, facts of their files, classes from train."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clf_cli.data.cache import scan_cache_file
from clf_cli.data.checks import readable
from clf_cli.data.draft import Draft
from clf_cli.data.layout import read_layout
from clf_cli.data.remarks import hint_for, listed
from clf_cli.data.run_splits import read_splits, write_rows
from clf_cli.data.samples import WHOLE, Finding, Listing, RefusedDataError, Sample, refused
from clf_cli.data.scan import FileFacts, Scan, scan_files
from clf_cli.data.written_manifests import folder_of
from clf_cli.errors import DataError, ModelError, UsageError
from clf_cli.settings.load import read_settings
from clf_cli.settings.sections import DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Skipped
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import DataRef
from clf_cli.values.run_dir import RunDir

NO_DATA_HINT = "Name the data with --data DIR, CLF_DATA__ROOT=DIR, or root under [data] in clf.toml."


@dataclass(frozen=True)
class Dataset:
    """Rows in a fixed order (split, path, label); `labels` are train's, or those of the model that is scored."""

    root: Path  # resolved folder; every path is relative to it
    samples: tuple[Sample, ...]  # that are used; each has a split
    files: Mapping[str, FileFacts]
    labels: Labels
    skipped: tuple[tuple[str, Skipped], ...]  # (split, file) for every row that is left out
    fingerprint: str
    notes: tuple[str, ...]  # lines to say to a person
    has_splits: bool  # whether the data brought splits of their own
    left_out: tuple[Sample, ...] = ()  # the rows of `skipped`, in its order
    findings: tuple[Finding, ...] = ()

    def split(self, name: str) -> tuple[Sample, ...]:
        """Rows of train, val, test or all; data without splits that are scored whole answer to every name."""
        return tuple(sample for sample in self.samples if name == WHOLE or sample.split in (name, WHOLE))

    def skipped_in(self, split: str) -> tuple[Skipped, ...]:
        return tuple(file for name, file in self.skipped if split == WHOLE or name in (split, WHOLE))

    def split_name(self, name: str) -> str:
        """The split that `split(name)` really gives: all, for data that are scored whole."""
        return WHOLE if any(sample.split == WHOLE for sample in self.samples) else name

    def ref(self, split: str) -> DataRef:
        """How reports name the images of `split(split)`."""
        images, skipped = len(self.split(split)), len(self.skipped_in(split))
        return DataRef(self.root.as_posix(), self.split_name(split), self.fingerprint, images, skipped)

    def need(self, split: str) -> tuple[Sample, ...]:
        """`split(split)`; raises DataError (exit 3) when it has no images."""
        samples = self.split(split)
        if samples:
            return samples
        names = dict.fromkeys(sample.split for sample in self.samples)
        have = ", ".join(f"--split {name}" for name in names) or "other data with --data"
        raise DataError(f"{self.root} has no images in the split {split}.", f"Take {have}.")


def load_dataset(
    section: DataSection, seed: int, workers: int = 1, progress: Progress = silent, remember: bool = True
) -> Dataset:
    """The data set that a run trains on. Raises DataError (exit 3) that lists every problem, with file and line.

    Without `remember` nothing is written into the scan cache.
    """
    return accepted(survey_dataset(section, seed, workers, progress, remember))


def survey_dataset(
    section: DataSection, seed: int, workers: int = 1, progress: Progress = silent, remember: bool = True
) -> Dataset:
    """As `load_dataset`, but problems stay in `findings`; raises only where there is no image that can be read."""
    draft = read_draft(section, workers, progress, remember)
    draft.check_images(section)
    draft.assign(section, seed)
    draft.classes_of_train(section)
    if section.subset < 1:
        draft.take_subset(section.subset, seed)
    return _dataset(draft)


def read_draft(section: DataSection, workers: int = 1, progress: Progress = silent, remember: bool = True) -> Draft:
    """Every row and the facts of its file, before any check; raises as `survey_dataset` does."""
    listing = read_layout(_named(section))
    return Draft(listing, _scan(listing, section, workers, progress, remember))


def load_run_dataset(
    run: RunDir | None,
    section: DataSection,
    labels: Labels,
    workers: int = 1,
    progress: Progress = silent,
    fingerprint: str | None = None,
) -> Dataset:
    """The images that a trained model is scored on; `labels` are the model's, `fingerprint` that of its data.

    Without `section.root`, or with the run's own, the run's splits.csv decides and its policies hold; so too where data
    without splits get that fingerprint by them: the run's own, moved. Other data keep their own splits, matched by
    name; without any they are used whole. Raises DataError, listing every problem.
    """
    trained_on = None if run is None else read_settings(run.settings).data
    if run is not None and trained_on is not None and _is_own(section.root, trained_on.root):
        policies = _policies(trained_on, section)
        listing = Listing(_still_there(_named(trained_on)), *read_splits(run.splits))
    else:
        policies = section
        listing = read_layout(_named(section))
        if not listing.splits:
            split = None if run is None else _split_as(run, listing)
            if split is not None and trained_on is not None:
                moved = _of_model(split, _policies(trained_on, section), labels, workers, progress)
                if moved.fingerprint == fingerprint:
                    return accepted(moved)
            whole = tuple(replace(row, split=WHOLE) for row in listing.samples)
            listing = replace(listing, samples=whole)
    return accepted(_of_model(listing, policies, labels, workers, progress))


def load_resumed_dataset(
    run: RunDir, section: DataSection, labels: Labels, workers: int = 1, progress: Progress = silent
) -> Dataset:
    """The images that a run goes on with: those of its splits.csv, in whatever place `section.root` names now.

    Raises DataError that lists every problem, or for data that have none of these images.
    """
    trained_on = read_settings(run.settings).data
    own = _is_own(section.root, trained_on.root)
    root = _still_there(_named(trained_on)) if own else read_layout(_named(section)).root
    listing = Listing(root, *read_splits(run.splits))
    if not any((root / row.path).is_file() for row in listing.samples):
        raise DataError(
            f"{root} has none of the {len(listing.samples)} images of {run.splits}.",
            "Name the folder or manifest that the run was begun on, wherever it is now, with --data.",
        )
    return accepted(_of_model(listing, _policies(trained_on, section), labels, workers, progress))


def write_splits(path: Path, dataset: Dataset) -> None:
    """splits.csv: what `load_run_dataset` reads. Rows that are left out stand in it too: they are counted again."""
    write_rows(path, splits_csv(dataset))


def splits_csv(dataset: Dataset) -> list[tuple[str, str, str]]:
    """(path, label, split) of every row, used or left out."""
    rows = (*dataset.samples, *dataset.left_out)
    return [(row.path, row.label, row.split or "") for row in rows]


def accepted(dataset: Dataset) -> Dataset:
    """`dataset`, unless it has errors: then DataError."""
    refuse(dataset.root, dataset.findings)
    return dataset


def _dataset(draft: Draft) -> Dataset:
    draft.find_repeats()
    samples, left = draft.ordered()
    return Dataset(
        root=draft.root,
        samples=samples,
        files=draft.files,
        labels=draft.labels,
        skipped=tuple((item.sample.split or "", Skipped(item.sample.path, item.reason)) for item in left),
        fingerprint=draft.fingerprint(),
        notes=draft.all_notes(),
        has_splits=bool(draft.splits),
        left_out=tuple(item.sample for item in left),
        findings=tuple(draft.findings),
    )


def _of_model(listing: Listing, policies: DataSection, labels: Labels, workers: int, progress: Progress) -> Dataset:
    draft = Draft(listing, _scan(listing, policies, workers, progress))
    draft.check_images(policies)
    draft.classes_of_model(labels, policies)
    return _dataset(draft)


def _scan(listing: Listing, section: DataSection, workers: int, progress: Progress, remember: bool = True) -> Scan:
    """Facts of every file that a row names. Raises DataError when not one of them can be read."""
    cache = scan_cache_file(listing.root) if section.scan_cache else None
    scan = scan_files(listing.root, [sample.path for sample in listing.samples], workers, cache, progress, remember)
    if all(facts.error is not None for facts in scan.files.values()):
        refuse(listing.root, (*listing.findings, *readable(listing.samples, scan.files, "error").findings))
        raise DataError(f"No images in {listing.root}.", "Name other data with --data.")
    return scan


def refuse(root: Path, findings: Sequence[Finding]) -> None:
    """Raises RefusedDataError (exit 3) that lists the errors among `findings`."""
    errors = refused(findings)
    if errors:
        raise RefusedDataError(root, errors, listed(root, errors), hint_for(errors))


def _named(section: DataSection) -> Path:
    if section.root is None:
        raise UsageError("No data set is named.", NO_DATA_HINT)
    return section.root


def _still_there(data: Path) -> Path:
    root = folder_of(data)
    if not root.is_dir():
        raise DataError(f"The data that the run was trained on are gone: {data}.", "Name them with --data.")
    return root


def _is_own(named: Path | None, trained_on: Path | None) -> bool:
    if named is None:
        return True
    return trained_on is not None and named.expanduser().resolve() == trained_on.expanduser().resolve()


def _split_as(run: RunDir, listing: Listing) -> Listing | None:
    """`listing` with the run's splits; None where it does not have the run's paths and labels, all and alone."""
    try:
        samples, splits = read_splits(run.splits)
    except ModelError:
        return None
    known = {(row.path, row.label): row.split for row in samples}
    if known.keys() != {(row.path, row.label) for row in listing.samples}:
        return None
    rows = tuple(replace(row, split=known[row.path, row.label]) for row in listing.samples)
    return replace(listing, samples=rows, splits=splits)


def _policies(trained_on: DataSection, section: DataSection) -> DataSection:
    """The run's own, so that a later command leaves out what training left out; a flag may skip more."""
    lenient = "skip" if "skip" in (trained_on.on_bad_image, section.on_bad_image) else "error"
    return trained_on.model_copy(update={"on_bad_image": lenient, "scan_cache": section.scan_cache})
