"""What is wrong with a data set: a line for each code, or every finding; the same as cases for JUnit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.data.codes import CODES, SEVERITIES, Severity
from clf_cli.data.samples import Finding, printable
from clf_cli.engine.dataset_gate import Judged, Outcome, Verdict
from clf_cli.errors import ClfError
from clf_cli.render.junit import Case
from clf_cli.render.text import shorten

SHOWN = 3  # findings or places of each code
LONGEST = 240  # letters of one finding in the short table
STALE_SHOWN = 5
DETAILS = 1000  # lines of a JUnit failure
STYLES: dict[str, str] = {"error": "bold red", "warning": "yellow", "info": "dim"}
_SAID: dict[Outcome, str] = {"failed": "fails", "warned": "warns", "accepted": "accepted"}


@dataclass(frozen=True)
class CodeGroup:
    """The findings of one code, severity and outcome; accepted places are left out."""

    code: str
    severity: Severity
    outcome: Outcome | None
    findings: tuple[Finding, ...]

    @property
    def count(self) -> int:
        """Images, rows, files or classes that they are about."""
        return sum(finding.count for finding in self.findings)

    @property
    def title(self) -> str:
        return CODES[self.code].title


def judged_of(findings: Sequence[Finding], verdict: Verdict | None) -> tuple[Judged, ...]:
    """Without a gate, as at the start of training, nothing has an outcome."""
    return verdict.judged if verdict else tuple(Judged(finding, None) for finding in findings)


def by_code(judged: Iterable[Judged]) -> list[CodeGroup]:
    """By severity, then code; accepted findings are no group."""
    groups: dict[tuple[int, str, Severity, Outcome | None], list[Finding]] = {}
    for item in judged:
        if item.outcome != "accepted":
            severity = item.finding.severity
            key = (SEVERITIES.index(severity), item.finding.code, severity, item.outcome)
            groups.setdefault(key, []).append(item.new)
    keys = sorted(groups, key=lambda key: key[:2])
    return [CodeGroup(key[1], key[2], key[3], tuple(groups[key])) for key in keys]


def table(findings: Sequence[Finding], verdict: Verdict | None) -> RenderableType:
    """One row for each code: how bad, how many, the first places, and the fix."""
    grid = Table(title="Findings", title_justify="left")
    grid.add_column("severity")
    grid.add_column("code")
    grid.add_column("count", justify="right")
    grid.add_column("what, where, and the next step", overflow="fold")
    groups = by_code(judged_of(findings, verdict))
    for group in groups:
        severity = Text(group.severity, style=STYLES[group.severity])
        if verdict is not None and group.outcome:
            severity.append(f"\n{_SAID[group.outcome]}", style="bold")
        grid.add_row(severity, group.code, f"{group.count:,}", _cell(group))
    parts: list[RenderableType] = [grid] if groups else []
    return Group(*parts, *gate_lines(verdict))


def listing(findings: Sequence[Finding], verdict: Verdict | None) -> RenderableType:
    """Every finding on a line of its own with all its places below it, worst first."""
    judged = sorted(judged_of(findings, verdict), key=_rank)
    return Group(*(_entry(item) for item in judged), *gate_lines(verdict))


def gate_lines(verdict: Verdict | None) -> list[Text]:
    """What the gate says, and what it passed over."""
    if verdict is None:
        return []
    lines = []
    if accepted := verdict.counts("accepted"):
        lines.append(f"Accepted by {_baseline(verdict)}: {_counts(accepted)}")
    if verdict.stale:
        named = "; ".join(f"{entry.code} {entry.place or entry.reason}" for entry in verdict.stale[:STALE_SHOWN])
        more = f" and {len(verdict.stale) - STALE_SHOWN} more" if len(verdict.stale) > STALE_SHOWN else ""
        lines.append(f"No longer found, though {_baseline(verdict)} holds it: {named}{more}")
    words = ", ".join(verdict.gate.conditions) or "nothing"
    failed = verdict.counts("failed")
    lines.append(f"Gate: fails on {words}: {_counts(failed)}" if failed else f"Gate: passes; it fails on {words}")
    return [Text(printable(line)) for line in lines]


def cases(verdict: Verdict) -> tuple[Case, ...]:
    """One JUnit case for each code, in the order of the codes: it fails where the gate does."""
    failed: dict[str, list[Finding]] = {}
    for item in verdict.of("failed"):
        failed.setdefault(item.finding.code, []).append(item.new)
    return tuple(_case(code, failed.get(code, []), verdict.not_searched.get(code)) for code in CODES)


def cases_of_failure(findings: Iterable[Finding], error: ClfError) -> tuple[Case, ...]:
    """Those of an inspection that came to no verdict: the error, and a case for each code that was found until then."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    first, *more = (line for text in (error.message, error.hint) if text for line in text.splitlines())
    stopped = Case("the data can be judged", (first,), tuple(more))
    return (stopped, *(_case(code, groups[code], None) for code in sorted(groups)))


def _case(code: str, findings: Sequence[Finding], skipped: str | None) -> Case:
    name = f"{code} {CODES[code].title}"
    if not findings:
        return Case(name, skipped=skipped)
    more = f", and {len(findings) - 1:,} more" if len(findings) > 1 else ""
    lines = (line for finding in findings for line in (str(finding), *_others(finding)))
    hidden = sum(1 + len(_others(finding)) for finding in findings) - DETAILS
    left = [f"and {hidden:,} more lines; --json has all"] if hidden > 0 else []
    return Case(name, (f"{findings[0]}{more}",), (CODES[code].fix, *islice(lines, 1, DETAILS), *left))


def further_places(finding: Finding) -> list[str]:
    """Places that the finding's sentence does not name."""
    named = set(finding.reason.replace(",", " ").replace('"', " ").split())
    return [place for place in finding.others if place not in named]


def _others(finding: Finding) -> list[str]:
    return [f"  {printable(place)}" for place in further_places(finding)]


def _cell(group: CodeGroup) -> Text:
    cell = Text(f"{group.title} ({CODES[group.code].category})", style="bold")
    for line in _places(group):
        cell.append(f"\n{line}", style="not bold")
    cell.append(f"\n{CODES[group.code].fix}", style="not bold italic")
    return cell


def _places(group: CodeGroup) -> list[str]:
    """The first findings; those that say no more than the title are places on one line."""
    if all(finding.reason == group.title and finding.places for finding in group.findings):
        places = [printable(place) for finding in group.findings for place in finding.places]
        more = f" and {len(places) - SHOWN:,} more" if len(places) > SHOWN else ""
        return [", ".join(places[:SHOWN]) + more]
    lines = [shorten(str(finding), LONGEST) for finding in group.findings[:SHOWN]]
    hidden = len(group.findings) - SHOWN
    return [*lines, f"and {hidden:,} more; -v shows all"] if hidden > 0 else lines


def _entry(item: Judged) -> Text:
    finding = item.finding
    said = f" {_SAID[item.outcome]}" if item.outcome else ""
    entry = Text.assemble((finding.severity, STYLES[finding.severity]), f"{said} {finding.code} {finding}")
    for line in _others(finding):
        entry.append(f"\n{line}")
    return entry


def _rank(item: Judged) -> tuple[int, str]:
    return SEVERITIES.index(item.finding.severity), item.finding.code


def _counts(counts: dict[str, int]) -> str:
    """`CLF301 2, CLF401 8`."""
    return ", ".join(f"{code} {count:,}" for code, count in counts.items())


def _baseline(verdict: Verdict) -> str:
    return verdict.gate.baseline.as_posix() if verdict.gate.baseline else "the baseline"
