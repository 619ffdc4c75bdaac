"""Which findings stop a pipeline: words that are named, limits that are crossed, less what a baseline accepts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from clf_cli.data.codes import CATEGORIES, CODES, SEVERITIES, WORDS
from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import Finding, refused
from clf_cli.engine.dataset_baseline import BASELINE, Entry, Identity, read_baseline
from clf_cli.engine.dataset_findings import few_images, imbalance
from clf_cli.errors import CheckFailedError, UsageError
from clf_cli.settings.data_sections import GateSection, InspectSection
from clf_cli.settings.nearest import near_word

NEVER = "none"
LIMITS = ("CLF506", "CLF507")  # an error only where --min-per-class, --max-imbalance are crossed
_NEAR = frozenset({"CLF302", "CLF303", "CLF402", "CLF412"})
Outcome = Literal["failed", "warned", "accepted"]


@dataclass(frozen=True)
class Gate:
    """What fails and what warns, as sets of severities, categories and codes; empty is never."""

    fail_on: frozenset[str]
    warn_on: frozenset[str]
    max_imbalance: float | None = None
    min_per_class: int | None = None
    baseline: Path | None = None
    known: frozenset[Entry] = frozenset()  # that the baseline holds
    update: bool = False  # accept whatever would fail or warn

    @property
    def conditions(self) -> tuple[str, ...]:
        """What it fails on, in words; limits hold unless nothing fails."""
        limits = {"--max-imbalance": self.max_imbalance, "--min-per-class": self.min_per_class}
        crossed = [f"{flag} {limit:g}" for flag, limit in limits.items() if limit is not None]
        return (*in_order(self.fail_on), *crossed) if self.fail_on else ()

    def outcome(self, finding: Finding) -> Outcome | None:
        """Of a finding that no baseline accepts. A crossed limit fails unless nothing does."""
        words = {finding.severity, finding.category, finding.code}
        crossed = finding.code in LIMITS and finding.severity == "error"
        if self.fail_on & words or (crossed and self.fail_on):
            return "failed"
        return "warned" if self.warn_on & words else None


@dataclass(frozen=True)
class Judged:
    """A finding, what the gate makes of it, and which of its places the baseline holds."""

    finding: Finding
    outcome: Outcome | None
    accepted: tuple[str, ...] = ()

    @property
    def new(self) -> Finding:
        """Of those places alone that are not accepted."""
        held = frozenset(self.accepted)
        places = [place for place in self.finding.places if place not in held]
        if not held or not places:
            return self.finding
        count = max(self.finding.count - len(self.accepted), len(places))
        return replace(self.finding, path=places[0], others=tuple(places[1:]), count=count)

    def to_json(self) -> dict[str, Any]:
        return {**self.finding.to_json(), "gate": self.outcome, "accepted": list(self.accepted)}


@dataclass(frozen=True)
class Verdict:
    """Every finding of a data set under a gate."""

    root: Path
    judged: tuple[Judged, ...]
    gate: Gate
    entries: frozenset[Entry]  # the baseline as it should now be
    stale: tuple[Entry, ...]  # that the baseline holds and nothing stands for any more
    not_searched: Mapping[str, str]  # codes that were not looked for, and why

    @property
    def passed(self) -> bool:
        return not self.of("failed")

    def of(self, outcome: Outcome) -> tuple[Judged, ...]:
        return tuple(item for item in self.judged if item.outcome == outcome)

    def counts(self, outcome: Outcome) -> dict[str, int]:
        """What the findings of each code are about: images, rows, files or classes; accepted places are not failed."""
        found: Counter[str] = Counter()
        for item in self.of(outcome):
            found[item.finding.code] += (item.finding if outcome == "accepted" else item.new).count
        return dict(sorted(found.items()))

    def to_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "fail_on": in_order(self.gate.fail_on),
            "warn_on": in_order(self.gate.warn_on),
            "max_imbalance": self.gate.max_imbalance,
            "min_per_class": self.gate.min_per_class,
            "failed": self.counts("failed"),
            "warned": self.counts("warned"),
            "accepted": self.counts("accepted"),
            "baseline": None if self.gate.baseline is None else self.gate.baseline.as_posix(),
            "stale": [entry.to_json() for entry in self.stale],
            "not_searched": dict(self.not_searched),
        }

    def notes(self) -> tuple[str, ...]:
        """Lines to say: what the gate waits for in vain, what the baseline now holds, what it changes nothing about."""
        said = [f"Not looked for: {code} ({why})." for code, why in self.not_searched.items() if self._waits_for(code)]
        if self.gate.update:
            added, gone = len(self.entries - self.gate.known), len(self.gate.known - self.entries)
            said.append(f"{self.gate.baseline}: {len(self.entries)} accepted, {added} of them new; {gone} removed.")
        if errors := self._refused("accepted"):
            said.append(f"Accepted here, but training stops at errors all the same: {errors}.")
        return tuple(said)

    def raise_if_failed(self, data: Path) -> None:
        """Raises CheckFailedError (exit 1) naming `data`, the codes that failed and what to do about the first."""
        if self.passed:
            return
        codes = ", ".join(f"{code} ({count})" for code, count in self.counts("failed").items())
        refusal = " Training refuses it." if self._refused("failed") else ""
        fixes = dict.fromkeys(f"{code}: {CODES[code].fix}" for code in self.counts("failed"))
        more = "" if len(fixes) <= 3 else f"\nAnd {len(fixes) - 3} more: see the findings."
        raise CheckFailedError(f"{data} does not pass: {codes}.{refusal}", "\n".join([*fixes][:3]) + more)

    def _waits_for(self, code: str) -> bool:
        """Whether the gate names the code or its category; a severity asks for nothing in particular."""
        return bool({code, CODES[code].category} & (self.gate.fail_on | self.gate.warn_on))

    def _refused(self, outcome: Outcome) -> int:
        """Findings that training stops at too; it knows no limits."""
        return len(refused(item.finding for item in self.of(outcome) if item.finding.code not in LIMITS))


def open_gate(section: GateSection, update: bool = False) -> Gate:
    """Raises UsageError (exit 2) for unknown words, contradictory flags, and a baseline that cannot be read."""
    fail_on, warn_on = gate_words("--fail-on", section.fail_on), gate_words("--warn-on", section.warn_on)
    if both := in_order(fail_on & warn_on):
        raise UsageError(f"--fail-on and --warn-on both name {both[0]}.", "Leave it out of one of them.")
    if update and not fail_on | warn_on:
        raise UsageError(
            "--update-baseline accepts what the gate names, and it names nothing.", "Leave --fail-on none away."
        )
    path = section.baseline or (Path(BASELINE) if update else None)
    known: frozenset[Entry] = frozenset()
    if path is not None and (path.exists() or not update):
        known = read_baseline(path)
    return Gate(fail_on, warn_on, section.max_imbalance, section.min_per_class, path, known, update)


def judge(dataset: Dataset, findings: Sequence[Finding], gate: Gate, not_searched: Mapping[str, str]) -> Verdict:
    """`findings` with the crossed limits among them, each with its outcome."""
    found = with_limits(dataset, findings, gate)
    identity = Identity(dataset, found) if gate.baseline is not None else None
    entries = [identity.entries(finding) if identity else () for finding in found]
    kinds = {(finding.code, finding.severity): finding for finding in found}
    of_kind = {kind: gate.outcome(finding) for kind, finding in kinds.items()}
    outcomes = [of_kind[finding.code, finding.severity] for finding in found]
    hidden = frozenset(entry for entry in gate.known if entry.code in not_searched)
    accepted = gate.known
    if gate.update:
        named = zip(entries, outcomes, strict=True)
        accepted = hidden.union(entry for own, outcome in named if outcome for entry in own)
    judged = tuple(map(_judged, found, outcomes, entries, [accepted] * len(found)))
    there = frozenset(entry for own in entries for entry in own)
    gone = gate.known - (accepted if gate.update else there) - hidden
    return Verdict(dataset.root, judged, gate, accepted, tuple(sorted(gone)), not_searched)


def not_searched(section: InspectSection, model: bool = False) -> dict[str, str]:
    """Codes that an inspection leaves out, and why."""
    near = {} if section.near_duplicates else dict.fromkeys(sorted(_NEAR), "--no-near-duplicates")
    return near if model else {**near, "CLF901": "no --model is named"}


def require_searched(gate: Gate, not_searched: Mapping[str, str]) -> None:
    """Raises UsageError (exit 2) for a word of --fail-on that nothing can answer: such a gate would always pass."""
    for word in in_order(gate.fail_on):
        codes = [code for code, kind in CODES.items() if word in (code, kind.category)]
        if codes and all(code in not_searched for code in codes):
            raise UsageError(
                f"--fail-on {word} would always pass: it is not looked for ({not_searched[codes[0]]}).",
                "Name a run, checkpoint or .onnx file with --model, or leave the word away."
                if codes == ["CLF901"]
                else "Leave --no-near-duplicates away, or the word.",
            )


def with_limits(dataset: Dataset, findings: Sequence[Finding], gate: Gate) -> tuple[Finding, ...]:
    """What is told of the sizes of classes, with the limits of the gate: those that are crossed are errors."""
    others = [finding for finding in findings if finding.code not in LIMITS]
    return (*others, *few_images(dataset, gate.min_per_class), *imbalance(dataset, gate.max_imbalance))


def in_order(words: Iterable[str]) -> list[str]:
    """Severities first, then categories, then codes."""
    return sorted(words, key=WORDS.index)


def _judged(finding: Finding, outcome: Outcome | None, entries: Sequence[Entry], baseline: frozenset[Entry]) -> Judged:
    held = [entry in baseline for entry in entries]
    places = tuple(place for place, is_held in zip(finding.places, held, strict=False) if is_held)
    return Judged(finding, "accepted" if outcome and held and all(held) else outcome, places)


def gate_words(flag: str, given: Iterable[str]) -> frozenset[str]:
    """Severities, categories and codes as CODES spells them; `none` is empty. Raises UsageError (exit 2) for others."""
    words = dict.fromkeys(_word(flag, word) for word in given)
    if NEVER in words and len(words) > 1:
        raise UsageError(f"{flag} {NEVER} stands alone.", "Leave it or the other words away.")
    return frozenset(words) - {NEVER}


def _word(flag: str, given: str) -> str:
    known = {word.lower(): word for word in (NEVER, *WORDS)}
    found = known.get(given.strip().lower())
    if found is None:
        near = near_word(given, known).replace("clf", "CLF")
        raise UsageError(
            f'{flag}: no such severity, category or code: "{given}"' + (f"; {near}" if near else "."),
            f"Severities: {', '.join(SEVERITIES)}. Categories: {', '.join(CATEGORIES)}. Codes: CLF101 to CLF901.",
        )
    return found
