"""Help texts that cut no flag off in 80 columns: flag and value share a column, switches are `--[no-]flag`."""

import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand, TyperGroup

from clf_cli.cli.coercion import spared
from clf_cli.cli.console import delivery

if TYPE_CHECKING:  # rich takes 30 ms to import, of use to help alone
    from rich.text import Text

LEFT = 27  # columns of the names; longer ones get a line of their own
NARROW, WIDE = 60, 120  # columns


class HelpCommand(TyperCommand):
    """A command with our help."""

    def get_params(self, ctx: Any) -> Any:
        """Its parameters; the help and mistakes do without pydantic."""
        return spared(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help; nothing goes through `formatter`."""
        with delivery():
            _print_help(self, ctx)


class HelpGroup(TyperGroup):
    """A command of commands with our help."""

    def get_params(self, ctx: Any) -> Any:
        """Its parameters; the help and mistakes do without pydantic."""
        return spared(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help; nothing goes through `formatter`."""
        with delivery():
            _print_help(self, ctx)


def _print_help(command: Any, ctx: Any) -> None:
    """`command` and `ctx` are Typer's; their classes are not in its public names."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.text import Text

    console = Console()
    width = max(NARROW, min(WIDE, console.width))
    console = Console(width=width, highlight=False)
    console.print(Padding(Text(command.get_usage(ctx), style="bold"), (1, 1)))
    for part in (command.help, command.epilog):
        if part:
            console.print(Padding(_text(inspect.cleandoc(part)), (0, 1, 1, 1)))
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        default = "Arguments" if isinstance(parameter, TyperArgument) else "Options"
        if not parameter.hidden:
            panels.setdefault(parameter.rich_help_panel or default, []).append(_row(parameter, ctx))
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            assert isinstance(child, (TyperCommand, TyperGroup))
            panels.setdefault(child.rich_help_panel or "Commands", []).append((name, child.help or ""))
    for title, rows in panels.items():
        lines = Text("\n", end="").join(_lines(rows, width - 4))
        console.print(Panel(lines, title=_text(title), title_align="left", border_style="dim"))


def _row(parameter: Any, ctx: Any) -> tuple[str, str]:
    if isinstance(parameter, TyperArgument):
        name = parameter.display_name_raw
    else:
        name = ", ".join(sorted(parameter.opts, key=len))
        if parameter.secondary_opts:
            name = name.replace("--", "--[no-]", 1)
        elif not parameter.is_flag:
            name += f" {parameter.metavar or parameter.display_type(ctx)}"
    notes = []
    if parameter.required:
        notes.append("[required]")
    elif parameter.show_default and parameter.default is not None and not isinstance(parameter.default, bool):
        notes.append(f"[default: {parameter.default}]")
    return name, " ".join([_text(parameter.help or "").plain, *notes])


def _lines(rows: list[tuple[str, str]], width: int) -> "list[Text]":
    """Each row as lines of at most `width` columns, the second column wrapped at blanks outside of `[> 0]`."""
    from rich.text import Text

    left = min(LEFT, max(len(name) for name, _ in rows)) + 2
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(_glued(text), width - left, break_on_hyphens=False, break_long_words=False) or [""]
        first = Text(name.ljust(left), style="cyan")
        if len(name) + 2 > left:
            lines.append(first)
            first = Text(" " * left)
        for number, line in enumerate(wrapped):
            lines.append((first if number == 0 else Text(" " * left)) + Text(line.replace("\u00a0", " "), style=""))
    return lines


def _glued(text: str) -> str:
    """A blank after `≥` or `default:` that no line ends at."""
    for sign in (">", "≥", "<", "≤", "default:"):
        text = text.replace(f"{sign} ", f"{sign}\u00a0")
    return text


def _text(markup: str) -> "Text":
    """Typer's help texts are markup: `\\[data]` stands for `[data]`."""
    from rich.markup import render

    return render(markup)
