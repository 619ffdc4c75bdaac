"""Turns a command's settings into Typer options, so that no setting is written down twice."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer
from typer.models import OptionInfo

from clf_cli.cli.completion import COMPLETIONS, complete_model
from clf_cli.cli.console import start_logging, write_line
from clf_cli.cli.help import LEFT
from clf_cli.cli.resolving import resolved_settings
from clf_cli.settings.option import Option, options_of
from clf_cli.settings.resolved import to_toml

JsonOption = Annotated[bool, typer.Option("--json", metavar="", help="Print the result as one JSON document.")]
ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="Run folder, checkpoint or .onnx file.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
SplitOption = Annotated[
    Literal["train", "val", "test", "all"],
    typer.Option("--split", metavar="SPLIT", help="Images to look at: train, val, test or all."),
]
_Config = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings file instead of ./clf.toml.")
]
_PrintConfig = Annotated[
    bool, typer.Option("--print-config", metavar="", help="Print the settings with their sources as TOML, and stop.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="Only warnings and errors on stderr.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Debug messages too.")]


def configured(command: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replaces the function's parameter `settings` or `resolved` by one option per setting that `command` shows.

    It also gets --config, --print-config, --quiet and --verbose; its other parameters are Typer's as they stand.
    """
    settings = tuple(options_of(command))

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function).parameters
        takes = "resolved" if "resolved" in own else "settings"

        @wraps(function)
        def run(  # Typer calls it by the names of the signature below
            ctx: typer.Context, config: Path | None, print_config: bool, quiet: bool, verbose: bool, **arguments: Any
        ) -> None:
            start_logging(quiet, verbose)
            given = _given(ctx, settings, arguments)
            resolved = resolved_settings(command, given, config)
            if print_config:
                write_line(to_toml(resolved.settings, resolved.origin, {setting.path for setting in settings}))
                return
            others = {name: value for name, value in arguments.items() if name in own}
            function(**others, **{takes: resolved if takes == "resolved" else resolved.settings})

        parameters = [parameter for name, parameter in own.items() if name != takes]
        _set_signature(run, [*parameters, *_common(), *(_parameter(setting) for setting in settings)])
        return run

    return decorate


def _given(ctx: typer.Context, settings: tuple[Option, ...], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that stand on the command line, by path; equal to the default or not."""
    given = {}
    for setting in settings:
        source = ctx.get_parameter_source(_name(setting))
        if source is not None and source.name == "COMMANDLINE":
            given[setting.path] = arguments[_name(setting)]
    return given


def _set_signature(run: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    flags = [flag for parameter in keywords for flag in _flags(parameter)]
    twice = sorted({flag for flag in flags if flags.count(flag) > 1})
    assert not twice, f"two options of {run.__name__} share {', '.join(twice)}"
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]  # read by inspect.signature
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}


def _flags(parameter: inspect.Parameter) -> list[str]:
    """Every spelling of an option: a setting's are in its default, others in the type's annotation or the name."""
    options = [item for item in (parameter.default, *get_args(parameter.annotation)) if isinstance(item, OptionInfo)]
    declared = [text for option in options for text in (option.default, *(option.param_decls or ()))]
    return [flag for text in declared if isinstance(text, str) for flag in text.split("/") if flag.startswith("-")]


def _common() -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter("config", kind, default=None, annotation=_Config),
        inspect.Parameter("print_config", kind, default=False, annotation=_PrintConfig),
        inspect.Parameter("quiet", kind, default=False, annotation=QuietOption),
        inspect.Parameter("verbose", kind, default=False, annotation=VerboseOption),
        inspect.Parameter("ctx", kind, annotation=typer.Context),
    ]


def _parameter(setting: Option) -> inspect.Parameter:
    """Typer hands over text and switches as they are; the settings check them, together with the other sources."""
    annotation = bool | None if setting.is_switch else list[str] if setting.is_list else str | None
    return inspect.Parameter(
        _name(setting), inspect.Parameter.KEYWORD_ONLY, default=_option(setting), annotation=annotation
    )


def _option(setting: Option) -> OptionInfo:
    fits = len(f"{setting.flags[-1]} {setting.metavar}") <= LEFT
    named = "CHOICE" if setting.choices and not fits else setting.metavar
    notes = [
        *([", ".join(setting.choices)] if named == "CHOICE" else []),
        *([setting.bounds] if setting.bounds else []),
        *([] if setting.default is None else [f"default: {_shown_default(setting)}"]),
    ]
    option: OptionInfo = typer.Option(
        None if setting.is_list else setting.default,
        *setting.flags,
        metavar=named,
        show_default=False,
        help=_plain(" ".join([setting.description, *([f"[{'; '.join(notes)}]"] if notes else [])])),
        rich_help_panel=_plain(f"{setting.title} · [{setting.section}] · CLF_{setting.section.upper()}__*"),
        autocompletion=_completion(setting),
    )
    return option


def _shown_default(setting: Option) -> str:
    return ("on" if setting.default else "off") if setting.is_switch else str(setting.default)


def _completion(setting: Option) -> Callable[[str], list[str]] | None:
    words = setting.choices
    if setting.path in COMPLETIONS:
        return COMPLETIONS[setting.path]
    return (lambda incomplete: [word for word in words if word.startswith(incomplete)]) if words else None


def _name(setting: Option) -> str:
    return f"{setting.section}__{setting.key}"


def _plain(text: str) -> str:
    """Brackets are markup in help texts."""
    return text.replace("[", r"\[")
