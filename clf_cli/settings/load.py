"""Resolves settings from the command line, the environment and files, and says which of them set what."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clf_cli.errors import UsageError
from clf_cli.reading import SMALL, read_text
from clf_cli.settings.kinds import choices, expected, shown
from clf_cli.settings.nearest import CACHE_DIR, PREFIX, near_key, near_section, near_variable, near_word
from clf_cli.settings.resolved import COMMAND_LINE, Resolved, to_toml
from clf_cli.settings.root import FLAG_ONLY, SECTIONS, Setting, Settings, all_settings, settings_of
from clf_cli.settings.rules import conflicts
from clf_cli.settings.section import split_list, wrong_keys
from clf_cli.values.run_dir import run_of

__all__ = ["Resolved", "read_settings", "resolve", "to_toml"]

_SETTINGS = {setting.path: setting for setting in all_settings()}
_VARIABLES = {setting.variable: setting for setting in all_settings()}


@dataclass(frozen=True)
class _Layer:
    """What one source says: checked values, the source of each by path, and everything that is wrong with it."""

    values: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def resolve(command: str, flags: Mapping[str, Any], config: Path | None = None) -> Resolved:
    """Flags over environment over `config`, ./clf.toml or ./pyproject.toml over defaults.

    `flags` are those that were given, by path (`optim.lr`). With `train.resume` among them the run's own settings take
    the place of environment and files. Raises UsageError (exit 2) with every problem of every source.
    """
    named = {setting.path: setting.flag for setting in settings_of(command)}
    given = _checked(flags, lambda path: named.get(path, path), lambda path: COMMAND_LINE)
    saved = _saved_settings(given.values.get("train.resume"))
    notes: list[str] = []
    if saved is not None:
        layers = [_file_layer(_read_toml(saved), saved.as_posix()), given]
    else:
        file, environment = _from_file(config, notes), _environment()
        layers = [file, environment, given]
        if config is not None:
            notes += _overridden(file, environment, given, config)
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for layer in layers:
        values |= layer.values
        origin |= layer.origin
    _refuse([problem for layer in layers for problem in layer.problems])
    settings = _settings(values)
    _refuse(conflicts(settings))
    return Resolved(settings, origin, tuple(notes))


def read_settings(path: Path) -> Settings:
    """A saved settings file over the defaults, without environment. Raises UsageError (exit 2)."""
    layer = _file_layer(_read_toml(path), path.as_posix())
    _refuse(layer.problems)
    return _settings(layer.values)


def _settings(values: Mapping[str, Any]) -> Settings:
    tables: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        section, _, key = path.partition(".")
        tables.setdefault(section, {})[key] = value
    return Settings.model_validate(tables)


def _refuse(problems: Iterable[str]) -> None:
    found = list(problems)
    if found:
        raise UsageError(
            "\n".join(found), "`clf config show` prints every setting, its value and where that comes from."
        )


# Files


def _from_file(config: Path | None, notes: list[str]) -> _Layer:
    here, project = Path("clf.toml"), Path("pyproject.toml")
    if config is not None:
        table = _read_toml(config)
        return _file_layer(_tool_table(table) if config.name == project.name else table, config.as_posix())
    if here.is_file():
        if project.is_file() and project.stat().st_size <= SMALL and b"[tool.clf" in project.read_bytes():
            notes.append("clf.toml is here, so [tool.clf] in pyproject.toml is not read.")
        return _file_layer(_read_toml(here), here.name)
    return _file_layer(_tool_table(_read_toml(project)), project.name) if project.is_file() else _Layer()


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(read_text(path, SMALL))
    except FileNotFoundError:
        raise UsageError(f"No settings file {path}.", _near_file(path)) from None
    except OSError as error:
        raise UsageError(f"Cannot read the settings file {path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: byte {error.start} cannot be read.") from None
    except (ValueError, RecursionError) as error:  # of numbers of thousands of digits and of deep nesting too
        reason = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise UsageError(f"{path} is not valid TOML: {reason}.") from None


def _near_file(path: Path) -> str | None:
    import difflib

    folder = path.parent
    names = [entry.name for entry in folder.iterdir() if entry.suffix == ".toml"] if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean {(folder / close[0]).as_posix()}?" if close else None


def _tool_table(project: Mapping[str, Any]) -> dict[str, Any]:
    """`[tool.clf]` of a pyproject.toml; empty when it is not there or no table."""
    tools = project.get("tool")
    table = tools.get("clf") if isinstance(tools, dict) else None
    return table if isinstance(table, dict) else {}


def _file_layer(table: Mapping[str, Any], name: str) -> _Layer:
    values: dict[str, Any] = {}
    problems = []
    for section, keys in table.items():
        if section not in SECTIONS:
            problems.append(f"{section} in {name}: no such section; {near_section(section)}")
        elif not isinstance(keys, Mapping):
            problems.append(f"{section} in {name}: it is a section; write [{section}] on a line of its own.")
        else:
            known = {f"{section}.{key}": value for key, value in keys.items() if f"{section}.{key}" in _SETTINGS}
            unknown = [key for key in keys if f"{section}.{key}" not in _SETTINGS]
            problems += [f"{section}.{key} in {name}: no such setting; {near_key(section, key)}" for key in unknown]
            values |= known
    problems += [f"{path} in {name}: {_flag_only(path)}" for path in FLAG_ONLY if path in values]
    layer = _checked(values, lambda path: f"{path} in {name}", lambda path: name, from_toml=True)
    return _Layer(layer.values, layer.origin, (*problems, *layer.problems))


# Environment


def _environment() -> _Layer:
    names = [name for name, value in os.environ.items() if name.startswith(PREFIX) and value and name != CACHE_DIR]
    problems = [f"{name}: no such variable; {near_variable(name)}" for name in names if name not in _VARIABLES]
    values = _variables(names)
    problems += [f"{_SETTINGS[path].variable}: {_flag_only(path)}" for path in FLAG_ONLY if path in values]
    layer = _checked(values, lambda path: _SETTINGS[path].variable, lambda path: _SETTINGS[path].variable)
    return _Layer(layer.values, layer.origin, (*problems, *layer.problems))


def _variables(names: Iterable[str]) -> Mapping[str, Any]:
    """What variables say, by path; lists are comma-separated."""
    loose = any(name.upper().startswith(PREFIX) and name not in _VARIABLES for name in os.environ if name != CACHE_DIR)
    if loose:  # a section's name alone, another case: pydantic-settings says what they mean
        from clf_cli.settings.environment import loose_variables

        return loose_variables()
    given = {_VARIABLES[name]: os.environ[name] for name in names}
    return {setting.path: split_list(value) if setting.is_list else value for setting, value in given.items()}


def _overridden(file: _Layer, environment: _Layer, given: _Layer, config: Path) -> list[str]:
    """The line that says which variables win against an explicit settings file."""
    won = [path for path in environment.values if path in file.values and path not in given.values]
    if not any(environment.values[path] != file.values[path] for path in won):
        return []
    names = ", ".join(_SETTINGS[path].variable for path in won if environment.values[path] != file.values[path])
    return [f"The environment overrides {config.as_posix()}: {names}."]


# Checks


def _checked(
    values: Mapping[str, Any], where: Callable[[str], str], origin: Callable[[str], str], from_toml: bool = False
) -> _Layer:
    """Checks the values of one source. Those of a TOML file must have the right type, others are text to convert."""
    problems = {path: f"{where(path)}: {reason}" for path, value in values.items() if (reason := _unusable(value))}
    checked: dict[str, Any] = {}
    for section in dict.fromkeys(path.partition(".")[0] for path in values):
        table = {
            p.partition(".")[2]: v for p, v in values.items() if p.partition(".")[0] == section and p not in problems
        }
        try:
            model = (
                SECTIONS[section].from_toml(table)
                if from_toml
                else SECTIONS[section].model_validate(
                    {key: _parts(section, key, value) for key, value in table.items()}
                )
            )
        except ValueError as error:
            wrong = [f"{section}.{key}" for key in wrong_keys(error)]
            problems |= {path: f"{where(path)}: {_mismatch(_SETTINGS[path], values[path])}" for path in wrong}
        else:
            checked |= {f"{section}.{key}": _expanded(dict(model)[key]) for key in table}
    return _Layer(checked, {path: origin(path) for path in values}, tuple(problems.values()))


def _flag_only(path: str) -> str:
    return f"it is a flag only; nothing happens by itself. Use {_SETTINGS[path].flag} on the command line."


def _unusable(value: Any) -> str | None:
    """What no text setting can hold."""
    if value == "":
        return "it is empty; leave it out to get the default."
    if isinstance(value, str) and ("\0" in value or value != value.encode(errors="replace").decode()):
        return f"{value!r} holds characters that cannot be saved."
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return f"it is a number of {len(str(value)):,} digits."
    return None


def _parts(section: str, key: str, value: Any) -> Any:
    """Flags of a list may be repeated and each may be comma-separated."""
    if not _SETTINGS[f"{section}.{key}"].is_list:
        return value
    items = value if isinstance(value, (list, tuple)) else [value]
    return [part for item in items for part in split_list(str(item))]


def _expanded(value: Any) -> Any:
    """`~` in files and variables, which no shell has expanded."""
    if not isinstance(value, Path) or not str(value).startswith("~"):
        return value
    try:
        return value.expanduser()
    except RuntimeError:  # no such user
        return value


def _mismatch(setting: Setting, value: Any) -> str:
    got = repr(value) if isinstance(value, str) else shown(value)
    near = near_word(str(value), choices(setting))
    return f"expected {expected(setting)}, got {got}{f'; {near}' if near else '.'}"


def _saved_settings(resumed: Path | None) -> Path | None:
    """The settings file of the run that is resumed; None leaves it to the command to say what is wrong with it."""
    run = run_of(resumed) if resumed is not None else None
    return run.settings if run is not None and run.settings.is_file() else None
