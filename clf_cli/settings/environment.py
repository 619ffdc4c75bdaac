"""Variables that are not simply named after a setting, as pydantic-settings reads them."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from clf_cli.settings.judge import twin
from clf_cli.settings.nearest import PREFIX
from clf_cli.settings.root import Settings, all_settings
from clf_cli.settings.section import split_list


class _Variables(EnvSettingsSource):
    """pydantic-settings' source; lists are comma-separated instead of JSON."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: str) -> list[str]:
        return split_list(value)


def loose_variables() -> Mapping[str, Any]:
    """What all of them say, by path; names in any case, as the operating system may spell them."""
    model = type("_EnvironmentSettings", (BaseSettings, twin(Settings)), {})
    try:
        tables = _Variables(model, env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True)()
    except SettingsError:  # CLF_DATA=x: a section's name alone is among the problems already
        tables = {}
    return {
        setting.path: tables[setting.section][setting.key]
        for setting in all_settings()
        if setting.key in tables.get(setting.section, {})
    }
