"""Inputs that are nearly right: seeds with hostile values put into their structure, or into their bytes."""

import json
from collections.abc import Callable
from typing import Any

Draw = Callable[[int], int]  # a number from 0 to below its argument

DEEP = 100_000
TEXTS = (
    *("", " ", "\0", "\n", "\r\n", "\ud800", "\u202egnp.exe", "\x1b]0;x\x07", "\x1b[2J", "\ufeff", "\u2028"),
    *("..", "../../etc/passwd", "/etc/passwd", "a/../../b", "C:\\x", "\\\\host\\share", "~", "-rf", "*", "con"),
    *("http://host/x.png", "file:///etc/passwd", "s3://bucket/x", "hf-hub:a/b", "local-dir:/etc"),
    *("<script>alert(1)</script>", "</script>", "{{ 7 * 7 }}", "${7*7}", "$x_1^2$", "=1+1", "@SUM(A1)", "&amp;", "]]>"),
    *(
        "x" * 5000,
        "é" * 1001,
        "1" * 5000,
        "nan",
        "-inf",
        "1e999",
        "0x10",
        "1_000",
        "null",
        "True",
        "2026-11-20T19:10:39",
    ),
    *("train", "val", "bad\udcff", "[red]x[/red]", '"', "'", ",", ";", "\t", "%s %n", "{}", "\\u0000"),
)
VALUES = (
    *(None, True, False, 0, -1, 1, 2, 65_536, 2**31, 2**53, 2**63, -(2**63), 10**18, 10**400),
    *(0.0, -0.5, 0.5, 1e-300, 1e308, float("nan"), float("inf"), float("-inf")),
    *([], {}, [[]], [None], {"": None}, [1, 2, 3], [{}], {"a": {"b": []}}, [float("nan")] * 3, ["a"] * 3, [0, 0, 0]),
)
LITERALS = ("", "1", "-1", "1e999", "nan", "inf", '""', "''", "[]", "{}", "[[]]", "true", "1979-05-27", '"x"', '"../x"')
PIECES = (
    *(b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\0" * 64, b"\xff" * 9),
    *(b"[" * DEEP, b'{"a":' * DEEP, b"(" * DEEP, b"'" * 9, b'"', b"\n", b"\r", b",", b"{", b"}", b"]", b"=", b"#"),
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"../",
        b"PK\x03\x04",
        b"\x80\x02.",
        b"NaN",
        b"1" * 5000,
        b"\\ud800",
    ),
)


def mutated(seed: bytes, draw: Draw) -> bytes:
    """The seed with one to four edits of its structure, where it has one, or of its bytes."""
    for _ in range(1 + draw(4)):
        way = draw(4)
        edit = _by_structure(seed) if way < 3 else None
        seed = _bytes(seed, draw) if edit is None else edit(draw)
    return seed


def _by_structure(seed: bytes) -> Callable[[Draw], bytes] | None:
    """How to edit JSON, JSON lines, TOML or CSV; None for anything else."""
    try:
        text = seed.decode()
    except UnicodeDecodeError:
        return None
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        pass
    else:
        return lambda draw: _json(tree, draw).encode("utf-8", "surrogatepass")
    lines = text.splitlines(keepends=True)
    return (lambda draw: _line(lines, draw).encode("utf-8", "surrogatepass")) if lines and len(text) < 20_000 else None


def _json(tree: Any, draw: Draw) -> str:
    try:
        return json.dumps(_edited(tree, draw), ensure_ascii=bool(draw(2)))
    except (ValueError, RecursionError):  # too many digits to write, or too deep
        return "[" * DEEP


def _edited(tree: Any, draw: Draw) -> Any:
    """One place of the tree is another value, a text, its neighbour, away, or deeper."""
    if isinstance(tree, dict) and tree and draw(6):
        return _edited_object(tree, draw)
    if isinstance(tree, list) and tree and draw(6):
        place = draw(len(tree))
        inner = ([], [tree[place]] * 2, [_edited(tree[place], draw)])[min(2, draw(10))]
        return [*tree[:place], *inner, *tree[place + 1 :]]
    return (
        [tree],
        {"a": tree},
        TEXTS[draw(len(TEXTS))],
        TEXTS[draw(len(TEXTS))],
        VALUES[draw(len(VALUES))],
    )[min(4, draw(8))]


def _edited_object(tree: dict[str, Any], draw: Draw) -> dict[str, Any]:
    keys = list(tree)
    key = keys[draw(len(keys))]
    way = draw(12)
    if way == 0:
        return {name: value for name, value in tree.items() if name != key}
    if way == 1:
        return {TEXTS[draw(len(TEXTS))] if name == key else name: value for name, value in tree.items()}
    return {**tree, key: tree[keys[draw(len(keys))]] if way == 2 else _edited(tree[key], draw)}


def _line(lines: list[str], draw: Draw) -> str:
    """Of JSON lines, TOML, CSV or plain text: one line is edited, away or there twice."""
    place = draw(len(lines))
    line = lines[place]
    way = draw(8)
    if way == 0:
        return "".join(lines[:place] + lines[place + 1 :])
    if way == 1:
        return "".join([*lines[:place], line, *lines[place:]])
    if line.lstrip().startswith("{"):
        try:
            line = _json(json.loads(line), draw) + "\n"
        except (ValueError, RecursionError):
            line = TEXTS[draw(len(TEXTS))]
    elif " = " in line:
        key, _, rest = line.partition(" = ")
        literal = LITERALS[draw(len(LITERALS))] if draw(2) else json.dumps(TEXTS[draw(len(TEXTS))])
        line = f"{key} = {literal}  # {rest.partition('# ')[2]}" if draw(4) else f"{key}{literal}\n"
    else:
        cells = line.split(",")
        cells[draw(len(cells))] = TEXTS[draw(len(TEXTS))]
        line = ",".join(cells)
    return "".join([*lines[:place], line, *lines[place + 1 :]])


def _bytes(seed: bytes, draw: Draw) -> bytes:
    """A piece is put in, taken out, put over others, doubled, or one bit turns."""
    start = draw(len(seed) + 1)
    end = min(len(seed), start + draw(9))
    way = draw(5)
    if way == 0:
        return seed[:start]
    if way == 1:
        return seed[:start] + seed[end:]
    if way == 2 and start < len(seed):
        return seed[:start] + bytes([seed[start] ^ 1 << draw(8)]) + seed[start + 1 :]
    piece = PIECES[draw(len(PIECES))]
    return seed[:start] + piece + seed[start if way == 3 else min(len(seed), start + len(piece)) :]
