"""Which of the known layouts a folder has, and the rows it holds (docs/design.md, 2.1)."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clf_cli.data.images import SUFFIXES
from clf_cli.data.manifests import Manifest, read_manifest
from clf_cli.data.samples import ALIASES, SPLITS, Finding, Listing, Sample, is_unicode, printable
from clf_cli.data.signatures import ARCHIVES, HEAD, named_content
from clf_cli.data.walk import (
    MANIFEST_SUFFIXES,
    Tree,
    entries,
    is_folder,
    is_litter,
    unreadable_folder,
    unreadable_name,
    walk,
)
from clf_cli.data.written_manifests import read_header
from clf_cli.errors import DataError

LAYOUTS = (
    "Expected DIR/train/<class>/*.jpg (and val, test), DIR/<class>/*.jpg, JSON lines in DIR/train/, "
    "DIR/train.jsonl or .csv, or a manifest FILE.jsonl or FILE.csv."
)

KINDS = 8  # of other files that are named; all are counted
LOOSE_SHOWN = 3  # images in no class folder

_ADDRESS = re.compile(r"(?:^|/)([A-Za-z][A-Za-z0-9+.-]+:/.*)")  # a Path has made one slash of two, and may be absolute


@dataclass
class _Draft:
    """A listing that is being put together."""

    root: Path
    samples: list[Sample] = field(default_factory=list)
    splits: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    litter: int = 0
    others: Counter[str] = field(default_factory=Counter)  # files of other kinds, by suffix
    described: bool = False  # whether a manifest was read
    unread: list[str] = field(default_factory=list)  # manifests that are passed over, relative to the root

    def take(self, tree: Tree) -> Tree:
        self.litter += tree.litter
        self.others += tree.others
        self.findings += tree.findings
        return tree

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """What lies in `folder`, in order, without litter and names that cannot be written; those are told."""
        kept = []
        try:
            for entry in entries(folder):
                if is_litter(entry.name):
                    self.litter += 1
                elif not is_unicode(entry.name):
                    self.findings.append(unreadable_name(self.name(folder / entry.name)))
                else:
                    kept.append(entry)
        except OSError as error:
            self.findings.append(unreadable_folder(self.name(folder), error))
        return kept

    def manifest(self, path: Path, split: str | None, rooted: bool = False) -> None:
        self.described = True
        samples, findings = read_manifest(Manifest(self.root, path, split, rooted))
        self.samples += samples
        self.findings += findings

    def done(self) -> Listing:
        if self.litter:
            self.findings.append(
                Finding.of("CLF801", "", f"hidden files, passed over: {self.litter}", count=self.litter)
            )
        if self.others:
            reason = f"files of other kinds, passed over: {_kinds(self.others)}"
            self.findings.append(Finding.of("CLF802", "", reason, count=self.others.total()))
        self._tell_unread()
        splits = tuple(split for split in SPLITS if split in self.splits)
        return Listing(self.root, tuple(self.samples), splits, tuple(self.findings), tuple(self.notes))

    def _tell_unread(self) -> None:
        if self.unread:
            first, *others = sorted(self.unread)
            more = f" and {len(others)} more" if others else ""
            self.notes.append(f"Manifest not read: {printable(first)}{more}.")
            reason = f"manifests that are not read: {len(self.unread)}"
            self.findings.append(Finding.of("CLF209", first, reason, others=tuple(others), count=len(self.unread)))


def read_layout(data: Path) -> Listing:
    """Every row of `data`, a folder or a manifest file; problems with single rows and files come as findings.

    Raises DataError when `data` does not exist or has none of the known layouts.
    """
    data = data.expanduser()
    try:
        if data.is_file():
            return _manifest_file(data.resolve())
        if not data.is_dir():
            if address := _ADDRESS.search(str(data)):
                raise DataError(
                    f"{address[1]} is an address: clf loads no data.", "Load it first, and name the folder."
                )
            if data.exists():
                raise DataError(f"{data} is a pipe, socket or device, no file.", "Name a folder or a file with --data.")
            raise DataError(f"No such folder or manifest: {data}.", "Name one with --data. " + LAYOUTS)
        return _folder(data.resolve())
    except OSError as error:
        raise DataError(f"{data} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _manifest_file(path: Path) -> Listing:
    if path.suffix.lower() not in MANIFEST_SUFFIXES:
        with path.open("rb") as file:
            content = named_content(file.read(HEAD))
        if content in ARCHIVES:
            raise DataError(f"{path} is {content}: clf reads none.", "Unpack it, and name the folder with --data.")
        raise DataError(f"{path} is no manifest: its name ends in neither .jsonl nor .csv.", LAYOUTS)
    header = read_header(path) if path.suffix.lower() == ".jsonl" else None
    draft = _Draft(header.root if header else path.parent)
    draft.manifest(path, None, rooted=header is not None)
    _splits_of_rows(draft)
    if not draft.samples and not draft.findings:
        raise DataError(f"{path} has no rows.", LAYOUTS)
    return draft.done()


def _splits_of_rows(draft: _Draft) -> None:
    """Either every row says its split, or none."""
    draft.splits |= {sample.split for sample in draft.samples if sample.split}
    if draft.splits:
        reason = "no split, though other rows have one"
        bare = [sample for sample in draft.samples if not sample.split]
        draft.findings += [Finding.of("CLF206", sample.source, reason) for sample in bare]
        draft.samples = [sample for sample in draft.samples if sample.split]


def _folder(root: Path) -> Listing:
    entries(root)  # raises where there is nothing to list
    draft = _Draft(root)
    found = draft.entries(root)
    folders = [root / entry.name for entry in found if is_folder(entry)]
    manifests = [root / entry.name for entry in found if _is_manifest(entry)]
    split_manifests = [path for path in manifests if path.stem.lower() in ALIASES]
    split_folders = [path for path in folders if path.name.lower() in ALIASES]
    if split_manifests or any(_is_split(root, path) for path in split_folders):
        _by_split(draft, split_folders, split_manifests)
        _outside(draft, [path for path in folders if path not in split_folders])
    else:
        for folder in folders:
            _class_folder(draft, folder, None)
    draft.unread += [draft.name(path) for path in manifests if path not in split_manifests]
    if not draft.described:
        _loose(draft, root, found)
    if not draft.samples and all(finding.severity != "error" for finding in draft.findings):
        raise DataError(_nothing(draft, found), _hint(root, manifests))
    return draft.done()


def _nothing(draft: _Draft, found: Sequence[os.DirEntry[str]]) -> str:
    """Why a folder, with these entries, has no rows."""
    loose = sum(finding.count for finding in draft.findings if finding.code == "CLF605")
    if loose:
        return f"{draft.root} has {loose} {'image' if loose == 1 else 'images'}, but in no class folder."
    others = draft.others or Counter(Path(entry.name).suffix.lower() for entry in found if not is_folder(entry))
    return f"No images in {draft.root}{f': {_kinds(others)}' if others else ''}."


def _is_manifest(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.lower() in MANIFEST_SUFFIXES and not is_folder(entry)


def _is_image(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.lower() in SUFFIXES and not is_folder(entry)


def _kinds(others: Counter[str]) -> str:
    """Counts of files by suffix, the most frequent first."""
    kinds = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(kinds) - KINDS} more" if len(kinds) > KINDS else ""
    return ", ".join(f"{suffix or 'no suffix'} {count}" for suffix, count in kinds[:KINDS]) + more


def _hint(root: Path, manifests: list[Path]) -> str:
    found = manifests or [root / name for name in walk(root, root).manifests]
    return f"Name the manifest itself: --data {found[0]}" if len(found) == 1 else LAYOUTS


def _is_split(root: Path, folder: Path) -> bool:
    """A split folder holds class folders or JSON lines (or nothing); one with images only is a class called `train`."""
    try:
        found = [entry for entry in entries(folder) if not is_litter(entry.name)]
    except OSError:
        return True
    return not found or any(is_folder(entry) for entry in found) or bool(walk(root, folder).manifests)


def _by_split(draft: _Draft, folders: list[Path], manifests: list[Path]) -> None:
    for split in SPLITS:
        trees = {path: walk(draft.root, path) for path in folders if ALIASES[path.name.lower()] == split}
        files = [path for path in manifests if ALIASES[path.stem.lower()] == split]
        described = [path for path, tree in trees.items() if tree.manifests]
        sources = files + described or list(trees)
        if len(sources) > 1:
            first, *others = (path.relative_to(draft.root).as_posix() for path in sources)
            reason = f"more than one source for the split {split}: also {' and '.join(others)}"
            draft.findings.append(Finding.of("CLF206", first, reason, others=tuple(others)))
        if not sources:
            continue
        draft.splits.add(split)
        source = sources[0]
        if source in files:
            draft.manifest(source, split)
        elif source in described:
            for name in draft.take(trees[source]).manifests:
                draft.manifest(draft.root / name, split)
        else:
            _class_folders(draft, source, split)


def _class_folders(draft: _Draft, folder: Path, split: str) -> None:
    found = draft.entries(folder)
    for entry in found:
        if is_folder(entry):
            _class_folder(draft, folder / entry.name, split)
    _loose(draft, folder, found)


def _class_folder(draft: _Draft, folder: Path, split: str | None) -> None:
    tree = draft.take(walk(draft.root, folder))
    name = draft.name(folder)
    draft.unread += tree.manifests
    if tree.images:
        draft.samples += [Sample(path, folder.name, split, source=name) for path in tree.images]
    elif not tree.findings:
        draft.findings.append(Finding.of("CLF504", name, "a class folder without images"))


def _loose(draft: _Draft, folder: Path, found: Sequence[os.DirEntry[str]]) -> None:
    """Images beside the class folders have no label."""
    where = draft.name(folder)
    names = [entry.name for entry in found if _is_image(entry)]
    if names:
        some = ", ".join(sorted(names)[:LOOSE_SHOWN]) + (", ..." if len(names) > LOOSE_SHOWN else "")
        reason = f"images in no class folder, not read: {len(names)} ({some})"
        draft.findings.append(Finding.of("CLF605", "" if where == "." else where, reason, count=len(names)))


def _outside(draft: _Draft, folders: list[Path]) -> None:
    read = {sample.path for sample in draft.samples}  # rows of a manifest name images in any folder
    counts = Counter({path.name: sum(name not in read for name in walk(draft.root, path).images) for path in folders})
    total = counts.total()
    if total:
        names = ", ".join(name for name, count in sorted(counts.items()) if count)
        draft.notes.append(f"Outside the splits, not read: {total} {'image' if total == 1 else 'images'} in {names}.")
        draft.findings += [
            Finding.of("CLF208", name, f"images outside the splits, not read: {count}", count=count)
            for name, count in sorted(counts.items())
            if count
        ]
