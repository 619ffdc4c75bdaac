"""The report of a split: where its data came from, and what a person should know of it."""

from collections.abc import Iterator

from clf_cli.data.draft import Draft
from clf_cli.data.remarks import named
from clf_cli.data.samples import WHOLE
from clf_cli.engine.split import SplitResult
from clf_cli.engine.split_draw import FOLD
from clf_cli.values.report import DataRef, FindingJson, Report, finding


def split_report(result: SplitResult, draft: Draft) -> Report:
    """Its findings are warnings: classes that cannot be split, and parts that nothing fell into."""
    fingerprint = draft.fingerprint()
    data = DataRef(draft.root.as_posix(), WHOLE, fingerprint, len(result.samples), len(result.left))
    return Report(result, data=data, findings=tuple(_findings(result, draft)))


def _findings(result: SplitResult, draft: Draft) -> Iterator[FindingJson]:
    folds = result.policy.section.folds
    if result.kept_in_train:
        what = (
            "too few images for every fold, so in train of some" if folds else "too few images to split, all in train"
        )
        yield finding("balance", f"{what}: {named(result.kept_in_train)}")
    parts = result.counts()
    if folds is None and result.policy.val_fraction > 0 and "val" not in parts:
        yield finding("split", "no image is in val: there are too few clusters to split")
    if bare := _without_val(result):
        yield finding("balance", f"drawn by chance, no image is in val of {named(bare)}: --stratify shares them out")
    empty = sum(f"{FOLD}{number}" not in parts for number in range(1, (folds or 0) + 1))
    if empty:
        why = (
            "there are too few clusters" if result.policy.section.stratify else "--stratify shares clusters out evenly"
        )
        yield finding("split", f"no image validates in {empty} of {folds} folds: {why}")
    own = set() if result.policy.section.redraw else {"val", "test"} & set(draft.splits)
    if result.policy.test_fraction > 0 and own:
        yield finding("split", "--test-fraction is not used: the data bring their own splits; --redraw draws anew")


def _without_val(result: SplitResult) -> list[str]:
    """Classes of which a drawn val has nothing, though its share of them is half an image or more."""
    policy, counts = result.policy, result.counts()
    drawn = policy.section.redraw or not any(sample.split == "val" for sample in result.samples)
    if policy.section.stratify or policy.section.folds is not None or not drawn or "val" not in counts:
        return []
    bare = [label for label in result.labels if not counts["val"][label] and label not in result.kept_in_train]
    return [label for label in bare if counts["train"][label] * policy.val_fraction >= 0.5]
