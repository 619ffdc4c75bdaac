"""The nearest right name of a misspelt section, key or variable, as the end of a message."""

from collections.abc import Iterable

from clf_cli.settings.root import SECTIONS, all_settings

PREFIX = "CLF_"
CACHE_DIR = "CLF_CACHE_DIR"  # the one variable that is no setting


def near_section(name: str) -> str:
    """Also for a key that stands above the first section."""
    homes = [setting.section for setting in all_settings() if setting.key == name]
    return f"did you mean {name} under [{homes[0]}]?" if homes else _near(name, SECTIONS, "[{}]")


def near_key(section: str, key: str) -> str:
    """Of the same section first, then the same key of another."""
    keys = SECTIONS[section].model_fields
    elsewhere = [setting.path for setting in all_settings() if setting.key == key]
    if elsewhere and not _close(key, keys, n=1):
        return f"did you mean {elsewhere[0]}?"
    return _near(key, keys, f"{section}.{{}}")


def near_variable(name: str) -> str:
    """Wrong underscores come first, then a section that was left out, then letters."""
    known = {setting.variable: setting.key.upper() for setting in all_settings()}
    letters = name.replace("_", "")
    same = [variable for variable in known if variable.replace("_", "") == letters]
    leaf = [variable for variable, key in known.items() if key == name.removeprefix(PREFIX).strip("_")]
    close = [*same, *leaf, *_close(name, [*known, CACHE_DIR], n=1, cutoff=0.7)]
    return f"did you mean {close[0]}?" if close else "`clf config show` prints every section and key."


def near_word(word: str, known: Iterable[str]) -> str:
    """The first of a few words that begins so, else the nearest, or an empty string."""
    names = list(known)
    begins = [name for name in names if word and name.lower().startswith(word.lower())]
    close = begins or _close(word.lower(), names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else ""


def _near(name: str, known: Iterable[str], form: str) -> str:
    names = list(known)
    close = _close(name, names, n=1)
    return f"did you mean {form.format(close[0])}?" if close else f"there are {', '.join(names)}."


def _close(word: str, known: Iterable[str], n: int, cutoff: float = 0.6) -> list[str]:
    import difflib  # of use to mistakes alone

    return difflib.get_close_matches(word, list(known), n, cutoff)
