"""Values as people read them in tables and pictures."""

import math
import unicodedata

from clf_cli.values.labels import shown

UNDEFINED = "–"
_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def percent(share: float, digits: int = 1) -> str:
    """A fraction from 0 to 1 as `93.2 %`; undefined is `–`."""
    return f"{100 * share:.{digits}f} %" if math.isfinite(share) else UNDEFINED


def decimal(value: float, digits: int = 4) -> str:
    """A number with fixed decimals; undefined is `–`."""
    return f"{value:.{digits}f}" if math.isfinite(value) else UNDEFINED


def counted(count: int, noun: str) -> str:
    """`1 image`, `1,024 images`, `2 classes`, `3 batches`, `4 epochs`."""
    plural = f"{noun}es" if noun.endswith(("s", "tch")) else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def label(name: str, limit: int = 40) -> str:
    """A class name on one line: `(empty)` for the empty string, control characters as spaces, cut with `…`."""
    line = "".join(" " if _steers(character) else character for character in name)
    return shorten(shown(line if line.strip() or not name else repr(name)), limit)


def _steers(character: str) -> bool:
    """Control characters, and those that turn the direction of all that follows on the line."""
    return unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in _TURNS


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, `…` for what is cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def scaled(count: int) -> str:
    """`1.82 G`, `37.3 M`."""
    return f"{count / 1e9:.2f} G" if count >= 1e9 else f"{count / 1e6:.1f} M"


def duration(seconds: float) -> str:
    """`4.2 s`, `45 s`, `11 min`, `2 h 05 min`."""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def named(names: tuple[str, ...], limit: int = 12) -> str:
    """`42: 0, 00, 1, …`: how many class names there are, and the first of them."""
    shown_names = [label(name, 20) for name in names[:limit]]
    return f"{len(names):,}: {', '.join([*shown_names, *(['…'] if len(names) > limit else [])])}"
