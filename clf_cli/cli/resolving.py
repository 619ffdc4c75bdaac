"""The settings of a command line, with what a person should know of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clf_cli.cli.console import say
from clf_cli.settings.option import options_of
from clf_cli.settings.resolved import Resolved


def resolved_settings(command: str, given: Mapping[str, Any], config: Path | None) -> Resolved:
    """`given` are those of the command line, by path. Raises UsageError (exit 2)."""
    from clf_cli.settings.load import resolve  # 10 ms, of no use to --help

    resolved = resolve(command, given, config)
    for note in resolved.notes:
        say(note)
    if any(setting.path == "model.arch" for setting in options_of(command)):
        from clf_cli.models.archs import check_arch

        check_arch(resolved.settings.model.arch)
    return resolved
