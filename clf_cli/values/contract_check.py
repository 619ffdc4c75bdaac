"""Which contracts this version can read: what it would misread is refused by the key's name."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from clf_cli.values.precision import OnnxPrecision
from clf_cli.values.predictions import Output
from clf_cli.values.preprocess import Interpolation, ResizeMode
from clf_cli.values.report import Weights

MOST_CLASSES = 100_000  # a matrix of confusions has its square
LARGEST_SCALED = 1 << 14  # pixels a side: 0.8 GB as RGB
LONGEST_LABEL = 1000  # characters; tables, files and metrics carry every label


class Rule(NamedTuple):
    """What a value must be, in words and as a test of any plain value."""

    words: str
    test: Callable[[Any], bool]


def check_contract(data: Any) -> None:
    """Raises KeyError with the dotted name of a missing key, ValueError with what is wrong about the value of one."""
    if not isinstance(data, dict):
        raise ValueError(f"it is {_shown(data)}, not an object with keys")
    _check(data, _TOP)
    pixels = data["preprocess"].get("normalized_in_graph") is True
    _check(data["input"], _INPUT | (_PIXELS if pixels else _VALUES), "input.")
    _check(data["output"], _OUTPUT, "output.")
    _check(data["preprocess"], _FIXED | PREPROCESS, "preprocess.")
    if data["score"] is not None:
        _check(data["score"], _SCORE, "score.")
        check_values(data["score"], _PRECISION, "score.")
    check_values(data, _PRECISION)
    check_scaled(data["input"], data["preprocess"])
    check_names(data["labels"])
    thresholds, classes = data["thresholds"], len(data["labels"])
    if thresholds is not None and len(thresholds) != classes:
        raise ValueError(f"thresholds has {len(thresholds)} numbers, not {classes}, one for each class")


def check_names(names: Sequence[str]) -> None:
    """Raises ValueError where there are none or too many, some repeat, or one is too long or no Unicode."""
    if not names:
        raise ValueError("labels is empty")
    if len(names) > MOST_CLASSES:
        raise ValueError(f"labels has {len(names):,} names: {MOST_CLASSES:,} at most")
    odd = next((name for name in names if len(name) > LONGEST_LABEL or not _is_unicode(name)), None)
    if odd is not None:
        raise ValueError(f"labels has {_shown(odd)}: a name is Unicode of at most {LONGEST_LABEL:,} characters")
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        shown = ", ".join(map(_shown, repeated[:3]))
        raise ValueError(f"labels has {shown}{' and others' if len(repeated) > 3 else ''} more than once")


def check_scaled(size: Mapping[str, Any], how: Mapping[str, Any]) -> None:
    """Raises ValueError where a small crop_share would have every image enlarged beyond all memory."""
    scaled = max(size["height"], size["width"]) / how["crop_share"]
    if scaled > LARGEST_SCALED:
        raise ValueError(f"crop_share is {how['crop_share']}, which enlarges images to {scaled:,.0f} pixels a side")


def check_values(data: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str = "") -> None:
    """Raises ValueError naming the first key of `data` that breaks its rule."""
    for key, rule in rules.items():
        if key in data and not rule.test(data[key]):
            raise ValueError(f"{prefix}{key} is {_shown(data[key])}, not {rule.words}")


def _check(data: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str = "") -> None:
    for key in rules:
        if key not in data:
            raise KeyError(f"{prefix}{key}")
    check_values(data, rules, prefix)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(value: Any) -> bool:
    """Finite, and no whole number beyond all floats, which have no other way to be infinite."""
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 1000
    return whole or (isinstance(value, float) and math.isfinite(value))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _one_of(*known: Any) -> Rule:
    """Values of the same type too: 1 is no True."""
    words = " or ".join(map(repr, known)).replace("True", "true").replace("False", "false")
    return Rule(words, lambda value: any(type(value) is type(one) and value == one for one in known))


def _three(words: str, test: Callable[[Any], bool]) -> Rule:
    return Rule(f"three {words}", lambda value: isinstance(value, list) and len(value) == 3 and all(map(test, value)))


def _or_null(rule: Rule) -> Rule:
    return Rule(f"{rule.words}, or null", lambda value: value is None or rule.test(value))


_TEXT = Rule("text", lambda value: isinstance(value, str))
_OBJECT = Rule("an object with keys", lambda value: isinstance(value, dict))
_SIDE = Rule("a whole number from 1 to 4,096", lambda value: _is_whole(value, 1, 4096))
_POSITIVE = Rule("a positive number", lambda value: _is_number(value) and value > 0)
_NUMBER = Rule("a number", _is_number)
_NAMES = Rule("a list of texts", lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value))
_THRESHOLDS = Rule(
    "a list of numbers from 0 to 1 and nulls",
    lambda value: isinstance(value, list) and all(one is None or _is_share(one) for one in value),
)

PREPROCESS = {
    "resize_mode": _one_of(*get_args(ResizeMode)),
    "interpolation": _one_of(*get_args(Interpolation)),
    "crop_share": Rule("a number above 0, at most 1", lambda value: _is_share(value) and value > 0),
    "mean": _three("numbers", _is_number),
    "std": _three("numbers above 0", _POSITIVE.test),
    "background": _three("whole numbers from 0 to 255", lambda value: _is_whole(value, 0, 255)),
}
SIZE = {"height": _SIDE, "width": _SIDE}
_FIXED = {"exif": _one_of(True), "engine": _one_of("pillow"), "normalized_in_graph": _one_of(True, False)}
_INPUT = {"name": _TEXT, "color": _one_of("RGB"), **SIZE}
_PIXELS = {"layout": _one_of("NHWC"), "dtype": _one_of("uint8")}
_VALUES = {"layout": _one_of("NCHW"), "dtype": _one_of("float32")}
_OUTPUT = {"name": _TEXT, "kind": _one_of(*get_args(Output))}
_SCORE = {
    "metric": _TEXT,
    "split": _TEXT,
    "value": _or_null(_NUMBER),
    "rescored": _one_of(True, False),
}
_PRECISION = {"precision": _one_of(*get_args(OnnxPrecision))}
_TOP = {
    "version": _one_of(1),
    "labels": _NAMES,
    "input": _OBJECT,
    "output": _OBJECT,
    "preprocess": _OBJECT,
    "arch": _TEXT,
    "weights": _one_of(*get_args(Weights)),
    "score": _or_null(_OBJECT),
    "temperature": _or_null(_POSITIVE),
    "thresholds": _or_null(_THRESHOLDS),
    "run_id": _or_null(_TEXT),
    "data_fingerprint": _or_null(_TEXT),
    "clf": _TEXT,
}
