"""Images that are whole and yet may teach little: turned, cut thin, tiny, empty, dark, blurred, or of another depth."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from clf_cli.data.samples import Finding
from clf_cli.data.scan import FileFacts
from clf_cli.settings.data_sections import InspectSection

# Chosen on 6,524 photos and crops, of which these flag none, and on copies of them that were spoilt.
CONSTANT = 5  # levels of standard deviation in every channel; the least of those photos is 33
DARK = 80  # level that 99 % of the values of every channel stay below; the least of those photos is 141
BLURRED = 0.3  # detail (data/detail.py); a Gaussian blur of 1/64 of the shorter side is below it in 97 % of photos
USUAL_MODES = frozenset({"RGB", "L", "P", "1"})  # nothing is lost when these become RGB

Files = Mapping[str, FileFacts]
Measure = Callable[[FileFacts], float | None]


def quality_findings(paths: Iterable[str], files: Files, section: InspectSection) -> tuple[Finding, ...]:
    """One finding for each kind, with every image of it, the most extreme one first; only readable `paths` count."""
    sound = {path: files[path] for path in dict.fromkeys(paths) if files[path].error is None}
    return tuple(
        finding
        for finding in (
            _turned(sound),
            _unusual(sound),
            _extreme("CLF703", sound, _thinner_than(section.max_aspect), _thin(section.max_aspect)),
            _extreme("CLF704", sound, _smaller_than(section.min_side), _tiny(section.min_side)),
            _extreme("CLF705", sound, _constant, "of one colour, or nearly"),
            _extreme("CLF706", sound, _dark, f"with hardly a value above {DARK} of 255"),
            _extreme("CLF707", sound, _blurred, "without fine detail at 64 pixels a side"),
        )
        if finding is not None
    )


def _turned(files: Files) -> Finding | None:
    return _found("CLF701", [path for path, facts in files.items() if facts.exif_rotated], "turned by EXIF")


def _unusual(files: Files) -> Finding | None:
    modes = {path: facts.mode for path, facts in files.items() if facts.mode not in USUAL_MODES}
    counts = ", ".join(f"{mode} {count}" for mode, count in Counter(modes.values()).most_common())
    return _found("CLF702", list(modes), f"of mode {counts}")


def _extreme(code: str, files: Files, measure: Measure, reason: str) -> Finding | None:
    """Images that `measure` gives a number for, the smallest first."""
    ranks = {path: rank for path, facts in files.items() if (rank := measure(facts)) is not None}
    return _found(code, sorted(ranks, key=lambda path: (ranks[path], path)), reason)


def _found(code: str, paths: list[str], reason: str) -> Finding | None:
    if not paths:
        return None
    first, *others = paths
    images = "1 image" if not others else f"{len(paths)} images"
    return Finding.of(code, first, f"{images} {reason}", others=tuple(others))


def _thin(most: float) -> str:
    return f"whose long side is more than {most:g} times the short one"


def _tiny(least: int) -> str:
    return f"with a side of less than {least} pixels"


def _thinner_than(most: float) -> Measure:
    def measure(facts: FileFacts) -> float | None:
        aspect = max(facts.width, facts.height) / min(facts.width, facts.height)
        return -aspect if aspect > most else None

    return measure


def _smaller_than(least: int) -> Measure:
    def measure(facts: FileFacts) -> float | None:
        shorter = min(facts.width, facts.height)
        return shorter if shorter < least else None

    return measure


def _constant(facts: FileFacts) -> float | None:
    spread = max(facts.pixels.std) if facts.pixels else CONSTANT
    return spread if spread < CONSTANT else None


def _dark(facts: FileFacts) -> float | None:
    if facts.pixels is None or _constant(facts) is not None:
        return None
    return facts.pixels.high if facts.pixels.high < DARK else None


def _blurred(facts: FileFacts) -> float | None:
    detail = facts.pixels.detail if facts.pixels else None
    return detail if detail is not None and detail < BLURRED else None
