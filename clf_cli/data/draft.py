"""Rows on their way from a listing to a data set: each step keeps some, leaves some out and says why."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from clf_cli.data.checks import Checked, Left, consistent, known, readable, repeats, split_rank
from clf_cli.data.remarks import notes_of, share_note
from clf_cli.data.samples import Finding, Listing, Sample
from clf_cli.data.scan import Scan
from clf_cli.data.splits import Assignment, assign_splits, subset
from clf_cli.settings.sections import DataSection
from clf_cli.values.labels import Labels, shown


class Draft:
    """The state between the checks; the order of the calls is the order of the rules (docs/design.md, 2.1)."""

    def __init__(self, listing: Listing, scan: Scan) -> None:
        self.root = listing.root
        self.splits = listing.splits
        self.files = scan.files
        self.samples = listing.samples
        self.labels = Labels(())
        self.left: list[Left] = []
        self.findings: list[Finding] = list(listing.findings)
        self._notes = [*listing.notes, *scan.notes]

    def check_images(self, section: DataSection) -> None:
        """Files that do not decode, and images under two labels."""
        self._keep(readable(self.samples, self.files, section.on_bad_image))
        self._keep(consistent(self.samples, self.files, section.on_label_conflict))

    def assign(self, section: DataSection, seed: int) -> None:
        """Splits for data that bring none, or train and test only."""
        own = set(self.splits) & {"val", "test"}
        if own and section.test_fraction > 0:
            self._notes.append("--test-fraction is not used: the data bring their own splits.")
        if "val" in own or (self.splits and "train" not in self.splits):
            return
        test_fraction = 0.0 if own else section.test_fraction
        hashes = {path: facts.content_hash for path, facts in self.files.items()}

        def divided(samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], Assignment]:
            free = [sample for sample in samples if sample.split in (None, "train")]
            assignment = assign_splits(free, hashes, seed, section.val_fraction, test_fraction)
            moved = tuple(replace(row, split=split) for row, split in zip(free, assignment.splits, strict=True))
            return (*moved, *(sample for sample in samples if sample.split not in (None, "train"))), assignment

        self.samples, assignment = divided(self.samples)
        left = sorted(self.left, key=lambda item: item.sample.split not in (None, "train"))
        rows, _ = divided([item.sample for item in left])
        self.left = [Left(row, item.reason) for row, item in zip(rows, left, strict=True)]
        self._notes += share_note(self.samples, assignment.kept_in_train)

    def classes_of_train(self, section: DataSection) -> None:
        """The classes are those of train; too few of them, or others elsewhere, are errors."""
        trained = [sample for sample in self.samples if sample.split == "train"]
        self.labels = Labels.of(sample.label for sample in trained)
        if not trained:
            self.findings.append(Finding.of("CLF502", "", "there is no image in train"))
            return
        if len(self.labels) < 2:
            only = shown(self.labels.names[0])
            self.findings.append(Finding.of("CLF502", "", f'there is only one class in train, "{only}"'))
        lost = {item.sample.label for item in self.left if item.sample.split == "train"} - set(self.labels)
        for label in sorted(lost):
            reason = f'class "{shown(label)}" has no image left in train: it is no class of the model'
            self.findings.append(Finding.of("CLF503", "", reason))
        self._keep(known(self.samples, self.labels, section.on_unknown_class, "train"))

    def classes_of_model(self, labels: Labels, section: DataSection) -> None:
        """The classes are the model's, in its order."""
        self.labels = labels
        self._keep(known(self.samples, labels, section.on_unknown_class, "the model"))

    def take_subset(self, share: float, seed: int) -> None:
        """A share of every class of train; the classes stay."""
        trained = [sample for sample in self.samples if sample.split == "train"]
        hashes = {path: facts.content_hash for path, facts in self.files.items()}
        taken = subset(trained, hashes, seed, share)
        self.samples = (*taken, *(sample for sample in self.samples if sample.split != "train"))
        self._notes.append(f"Subset: {len(taken)} of {len(trained)} train images.")

    def ordered(self) -> tuple[tuple[Sample, ...], tuple[Left, ...]]:
        """Used and left rows in the order of every list, whatever the file system's."""
        samples = tuple(sorted(self.samples, key=_order))
        return samples, tuple(sorted(self.left, key=lambda item: _order(item.sample)))

    def fingerprint(self) -> str:
        """Of paths, labels, splits and contents of the used rows, whatever their order."""
        digest = hashlib.sha256()
        for row in sorted((s.path, s.label, s.split or "", self.files[s.path].content_hash) for s in self.samples):
            digest.update("\0".join(row).encode() + b"\n")
        return f"sha256:{digest.hexdigest()[:16]}"

    def all_notes(self) -> tuple[str, ...]:
        return (*self._notes, *notes_of(self.samples, self.labels, self.left, self.findings))

    def find_repeats(self) -> None:
        """Leaks between splits and repeats inside one, over the rows that are used."""
        self.findings += repeats(sorted(self.samples, key=_order), self.files)

    def _keep(self, checked: Checked) -> None:
        self.samples = checked.kept
        self.left += checked.left
        self.findings += checked.findings


def _order(row: Sample) -> tuple[int, str, str]:
    return split_rank(row.split), row.path, row.label
