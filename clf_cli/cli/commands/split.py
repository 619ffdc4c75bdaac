"""clf split."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import progress, publish, say, warn, warn_of
from clf_cli.cli.named_data import DataArgument, ManifestOption, named_data
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import CheckFailedError, UsageError
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # they import pydantic or numpy, which --help does without
    from clf_cli.data.draft import Draft
    from clf_cli.settings.sections import DataSection
    from clf_cli.values.report import Report

app = typer.Typer(add_completion=False)

CheckOption = Annotated[
    bool, typer.Option("--check", metavar="", help="Look for leaks in the splits that the data bring; write nothing.")
]
PreviousOption = Annotated[
    Path | None,
    typer.Option(
        "--previous",
        metavar="FILE",
        help="Earlier manifest of clf split, whose images stay where they are. Default: --out, if it is there.",
        show_default=False,
    ),
]


@app.command()
@configured("split")
def split(
    resolved: Resolved,
    data: DataArgument = None,
    out: ManifestOption = None,
    previous: PreviousOption = None,
    check: CheckOption = False,
    as_json: JsonOption = False,
) -> None:
    """Split images without leaks: near duplicates and groups stay on one side."""
    section = named_data(resolved, data, "split")
    if check:
        _refuse_with_check(resolved, out, previous)
        _check(resolved, section, as_json)
        return
    if resolved.settings.split.folds is not None and resolved.given("data.val_fraction"):
        raise UsageError(
            "--val-fraction has no effect with --folds.", "Each of K folds validates a K-th of the images."
        )
    report = _split(resolved, section, out, previous)
    publish(report, as_json=as_json)
    warn_of(report.findings)
    assert section.root is not None  # named_data refuses None
    _say_next(report, section.root)


def _split(resolved: Resolved, section: "DataSection", out: Path | None, previous: Path | None) -> "Report":
    from clf_cli.data.written_manifests import folder_of
    from clf_cli.engine.split import plan_split
    from clf_cli.engine.split_draw import SplitPolicy
    from clf_cli.engine.split_files import continued, earlier_parts, split_files, write_split
    from clf_cli.engine.split_report import split_report

    settings = resolved.settings
    policy = SplitPolicy(
        settings.split,
        settings.compute.seed,
        section.val_fraction,
        section.test_fraction,
        settings.inspect.near_duplicates,
    )
    assert section.root is not None  # named_data refuses None
    files = () if out is None else continued(out, section.root, policy, afresh=previous is not None)
    if previous is not None:
        files = split_files(previous, settings.split.folds)
    earlier = earlier_parts(files, folder_of(section.root), settings.split.folds)
    draft = _draft(resolved, section)
    if resolved.given("data.val_fraction") and "val" in draft.splits and not settings.split.redraw:
        warn("--val-fraction is not used: the data bring a val split; --redraw draws anew.")
    result = plan_split(draft, policy, earlier, _threads(resolved), progress)
    if out is not None:
        result = write_split(result, out, section.root)
        for file in result.files:
            say(f"Wrote {file}")
    return split_report(result, draft)


def _say_next(report: "Report", root: Path) -> None:
    """What the manifests that were written, of the data in `root`, are for."""
    from clf_cli.engine.split import SplitResult

    assert isinstance(report.result, SplitResult)
    files = report.result.files
    if not files:
        return
    say(f"Next: {shlex.join(['clf', 'train', '--data', files[0]])}" + (", and so on for each." if files[1:] else ""))
    if files[1:]:
        inspect = shlex.join(["clf", "inspect-dataset", str(root)])
        say(f"The runs judge every label together: {inspect} --model RUN --model RUN ...")


def _check(resolved: Resolved, section: "DataSection", as_json: bool) -> None:
    from clf_cli.engine.split_check import check_split
    from clf_cli.values.report import Report

    settings = resolved.settings
    draft = _draft(resolved, section)
    near = settings.inspect.near_duplicates
    result = check_split(draft, settings.split.group_by, near, _threads(resolved), progress)
    publish(Report(result), as_json=as_json)
    if not result.passed:
        group = settings.split.group_by
        again = shlex.join(["clf", "split", str(section.root), *(("--group-by", group) if group else ())])
        raise CheckFailedError(
            f"{section.root} leaks between its splits.",
            f"Splits that keep such images on one side: {again} --out FILE.",
        )


def _draft(resolved: Resolved, section: "DataSection") -> "Draft":
    """Rows that can be used. Raises DataError (exit 3) for errors: a row that nobody could read may be a leak."""
    from clf_cli.data.dataset import read_draft, refuse

    draft = read_draft(section, _threads(resolved), progress)
    draft.check_images(section)
    refuse(draft.root, draft.findings)
    if draft.left:
        rows = "row" if len(draft.left) == 1 else "rows"
        say(f"Left out: {len(draft.left)} {rows}; clf inspect-dataset {section.root} -v names each.")
    return draft


def _threads(resolved: Resolved) -> int:
    from clf_cli.data.scan_threads import scan_threads

    return scan_threads(resolved.settings.compute.workers)


def _refuse_with_check(resolved: Resolved, out: Path | None, previous: Path | None) -> None:
    """--check looks at splits that are there."""
    settings = ("split.folds", "split.redraw", "split.stratify", "data.val_fraction", "data.test_fraction")
    given = [path.partition(".")[2].replace("_", "-") for path in settings if resolved.given(path)]
    given += [name for name, value in (("out", out), ("previous", previous)) if value is not None]
    if given:
        raise UsageError(f"--{given[0]} has no effect with --check.", "Leave one of them out.")
