"""Every public word is checked: commands, flags and variables in the docs and in messages, links, versions."""

import ast
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from clf_cli import __version__
from clf_cli.__main__ import main
from clf_cli.cli.app import COMMAND_TABLE
from clf_cli.settings.root import COMMANDS, all_settings

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SCRIPTS = sorted((ROOT / "examples").rglob("*.sh"))
SETUP = ("pip install uv && uv run clf demo", "uv run pytest")
OF_OTHERS = {"--help", "--version", "--install-completion", "--show-completion"}  # of Typer's group
OF_OTHER_PROGRAMS = {  # tensorboard, mlflow, docker: messages name them; npm: docs/consumers.md
    *("--logdir", "--backend-store-uri", "--shm-size", "--ignore-scripts"),
}
OUR_TOOLS = {"--locked", "--check", "--regenerate-golden", "--dist"}  # of uv, ruff and pytest, in CONTRIBUTING.md


WrongUsage = typer.BadParameter.__base__  # of Typer's parser: its name is not public


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def real_commands():
    """Each command as Typer parses it; those of `clf config` by both words."""
    found = {}
    for name, _, module in COMMAND_TABLE:
        command = get_command(import_module(f"clf_cli.cli.commands.{module}").app)
        if isinstance(command, TyperGroup):
            found |= {f"{name} {child}": real for child, real in command.commands.items()}
        else:
            found[name] = command
    return found


REAL = real_commands()
FLAGS = OF_OTHERS | {
    flag for command in REAL.values() for option in command.params for flag in (*option.opts, *option.secondary_opts)
}


# Commands


def code_of(page):
    """Lines of code blocks, fenced or indented by four blanks; backslashes at their ends joined."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".sh":
        return text.replace("\\\n", " ").splitlines()
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```[^\n]*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^ {4,}\S.*\n?)+", rest, flags=re.MULTILINE)
    return "\n".join([*fenced, *indented]).replace("\\\n", " ").splitlines()


def inline_code_of(page):
    """What stands between single backticks, without forms such as `clf config show [COMMAND]`."""
    text = re.sub(r"^```[^\n]*\n.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"(?<!`)`([^`]+)`(?!`)", text)


def commands_in(lines):
    """Arguments of each `clf ...`, after `uv run`, `$` and `&&`; comments left out."""
    found = []
    for line in lines:
        for part in re.split(r"&&|\|\||;|(?<!\|)\|(?!\|)", line):
            words = re.sub(r"^\s*(\$ |uv run (--\S+ )*)*", "", re.sub(r"\s[<>]\s*\S+", "", part))
            if re.match(r"clf(\s|$)", words):
                found.append(shlex.split(words, comments=True)[1:])
    return found


BLOCKS = [(page, arguments) for page in (*PAGES, *SCRIPTS) for arguments in commands_in(code_of(page))]
INLINE = [
    (page, arguments)
    for page in PAGES
    for arguments in commands_in(code for code in inline_code_of(page) if not re.search(r"[\[<…]|\.\.\.", code))
]


def parse(arguments):
    """As the program parses them; raises what Typer raises for a wrong command or flag."""
    words = 2 if arguments[0] == "config" else 1
    command = REAL.get(" ".join(arguments[:words]))
    assert command is not None, f"there is no command clf {' '.join(arguments[:words])}"
    command.make_context("clf", list(arguments[words:]))


def identify(value):
    return name_of(value) if isinstance(value, Path) else " ".join(value)[:60]


@pytest.mark.parametrize(("page", "arguments"), BLOCKS, ids=identify)
def test_a_command_in_a_code_block_is_one(page, arguments, tmp_path, monkeypatch, capsys):
    """Its flags exist, its required arguments are there, and its values are in bounds."""
    if not arguments or set(arguments) <= {"-h", *OF_OTHERS}:
        return
    parse(arguments)
    if arguments[0] in COMMANDS:
        monkeypatch.chdir(tmp_path)
        without_file = [word for before, word in zip(["", *arguments], arguments, strict=False)
                        if "--config" not in (before, word)]  # fmt: skip
        assert main([*without_file, "--print-config"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(("page", "arguments"), INLINE, ids=identify)
def test_a_command_in_a_sentence_is_one(page, arguments):
    """`clf train --resume` names no run, and need not: its words exist."""
    if not arguments or set(arguments) <= {"-h", *OF_OTHERS}:
        return
    names = {" ".join(arguments[:1]), " ".join(arguments[:2])}
    assert names & {*REAL, "config"}, f"there is no command clf {arguments[0]}"
    flags = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    options = [option for name in names & set(REAL) for option in REAL[name].params]
    assert flags <= OF_OTHERS | {flag for option in options for flag in (*option.opts, *option.secondary_opts)}


def test_the_readme_shows_every_command():
    readme = ROOT / "README.md"
    shown = {" ".join(arguments[:1]) for page, arguments in (*BLOCKS, *INLINE) if page == readme}
    assert {name for name, _, _ in COMMAND_TABLE} <= shown


def test_wrong_lines_would_be_found():
    lines = ["uv run clf train --dta x  # a comment", "$ clf trian", "echo && clf config shwo", "clf confusion > x.txt"]
    found = commands_in(lines)
    assert found == [["train", "--dta", "x"], ["trian"], ["config", "shwo"], ["confusion"]]
    for arguments in found:
        with pytest.raises((AssertionError, WrongUsage), match=r"command clf|--dta|Missing parameter"):
            parse(arguments)


# Words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_flags_and_variables_exist(page):
    code = " ".join([*code_of(page), *inline_code_of(page)])
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", code)) - {
        flag for flag in OUR_TOOLS if page.name == "CONTRIBUTING.md"
    }
    assert flags <= FLAGS | OF_OTHER_PROGRAMS
    variables = set(re.findall(r"CLF_[A-Z_]+__[A-Z_]+", code)) - {"CLF_SECTION__NAME"}
    assert variables <= {setting.variable for setting in all_settings()}


def strings_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_messages_name_flags_that_exist():
    """But for the files that spell flags from the names of settings."""
    spelling = [
        ROOT / "clf_cli" / "settings" / name for name in ("root.py", "section.py", "sections.py", "commands.py")
    ]
    sources = sorted({*(ROOT / "clf_cli").rglob("*.py")} - {*spelling})
    named = {
        (flag, name_of(path))
        for path in sources
        for text in strings_of(path)
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text)
    }
    assert len(named) > 50
    assert {(flag, path) for flag, path in named if flag not in FLAGS | OF_OTHER_PROGRAMS} == set()


def test_no_page_has_a_gap():
    for page in PAGES:
        found = re.findall(r"\b(?:TODO|TBD|FIXME|XXX|[A-Z]{3,}_TABLE)\b", page.read_text(encoding="utf-8"))
        assert found == [], name_of(page)


# Links


def slug(heading):
    """An anchor as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_are_there(page):
    text = re.sub(r"^```[^\n]*\n.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [*re.findall(r"\]\(([^)\s]+)(?:\s[^)]*)?\)", text), *re.findall(r'(?:src|href)="([^"]+)"', text)]
    wrong = []
    for target in targets:
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if re.match(r"[a-z]+:", target):
            wrong += [] if target.startswith(("https://", "mailto:")) else [target]
        elif not file.exists():
            wrong.append(target)
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            wrong += [] if anchor in {slug(heading) for heading in headings} else [target]
    assert wrong == []


def test_the_readme_has_a_picture_and_links():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"!\[[^\]]+\]\([^)]+\.(png|jpg|webp|svg)\)", text), (
        "a picture with words for those who cannot see it"
    )
    assert len(re.findall(r"(?<!!)\[[^\]]+\]\(", text)) >= 3


# Set-up and versions


@pytest.mark.parametrize("command", SETUP)
def test_the_readme_has_both_set_up_commands_on_lines_of_their_own(command):
    lines = [line.strip() for line in code_of(ROOT / "README.md")]
    assert command in lines


def test_ci_finds_the_test_command_in_the_readme():
    """.ci/run takes it from there: the first line that ends with it."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in lines if line.endswith("uv run pytest")][0] == "uv run pytest"  # noqa: RUF015


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", changelog, flags=re.MULTILINE)
    assert re.search(r"^## \[Unreleased\]$", changelog, flags=re.MULTILINE)


def test_the_design_describes_the_result_of_every_kind_of_report():
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "clf_cli").rglob("*.py"))
    kinds = set(re.findall(r'^    kind: ClassVar\[str\] = "(\w+)"$', sources, re.MULTILINE))
    schemas = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").partition("## 8. ")[2]
    assert kinds == set(re.findall(r"^\| `(\w+)` \|", schemas, re.MULTILINE))
