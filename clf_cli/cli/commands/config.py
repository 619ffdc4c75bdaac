"""clf config: what is set, by whom, and what can be."""

import json
from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.console import say, start_logging, write_line
from clf_cli.cli.help import HelpCommand, HelpGroup
from clf_cli.errors import UsageError
from clf_cli.settings.commands import COMMANDS
from clf_cli.settings.resolved import to_toml

app = typer.Typer(
    cls=HelpGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Show the settings with their sources, or their JSON schema.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _commands() -> list[str]:
    return list(COMMANDS)


@app.command(cls=HelpCommand)
def show(
    command: Annotated[
        str | None,
        typer.Argument(help="Only the settings of this command.", autocompletion=_commands, show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings file instead of ./clf.toml.")
    ] = None,
) -> None:
    """Print every setting, its value and where that comes from."""
    from clf_cli.settings.load import resolve  # pydantic, of no use to --help
    from clf_cli.settings.root import all_settings, settings_of

    if command is not None and command not in COMMANDS:
        raise UsageError(f"No command {command!r} has settings.", f"There are {', '.join(COMMANDS)}.")
    start_logging()
    resolved = resolve(command or "train", {}, config)
    for note in resolved.notes:
        say(note)
    settings = settings_of(command) if command else all_settings()
    write_line(to_toml(resolved.settings, resolved.origin, {setting.path for setting in settings}))


@app.command(cls=HelpCommand)
def schema() -> None:
    """Print the JSON schema of clf.toml, for editors that complete and check TOML."""
    from clf_cli.settings.root import Settings

    write_line(json.dumps(Settings.model_json_schema(), indent=2))
