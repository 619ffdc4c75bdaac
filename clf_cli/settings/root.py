"""All sections as one value, and each setting under its names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clf_cli.settings.commands import COMMANDS, flags_of, shown_by
from clf_cli.settings.data_sections import CleanSection, GateSection, InspectSection, SplitSection
from clf_cli.settings.onnx_sections import BenchmarkSection, ExportSection, ValidateSection, VariantSection
from clf_cli.settings.section import Declared, Flag, Section, takes_several
from clf_cli.settings.sections import (
    AugmentSection,
    CalibrateSection,
    CallbacksSection,
    CompareSection,
    ComputeSection,
    DataSection,
    EmaSection,
    ModelSection,
    OptimSection,
    SynthSection,
    TrainSection,
)

__all__ = ["COMMANDS", "FLAG_ONLY", "SECTIONS", "Setting", "Settings", "all_settings", "settings_of"]


class Settings(Section):
    """Every setting of every command."""

    data: DataSection = DataSection()
    model: ModelSection = ModelSection()
    augment: AugmentSection = AugmentSection()
    optim: OptimSection = OptimSection()
    ema: EmaSection = EmaSection()
    train: TrainSection = TrainSection()
    compute: ComputeSection = ComputeSection()
    callbacks: CallbacksSection = CallbacksSection()
    export: ExportSection = ExportSection()
    variant: VariantSection = VariantSection()
    validate_onnx: ValidateSection = ValidateSection()
    benchmark: BenchmarkSection = BenchmarkSection()
    compare: CompareSection = CompareSection()
    calibrate: CalibrateSection = CalibrateSection()
    synth: SynthSection = SynthSection()
    inspect: InspectSection = InspectSection()
    gate: GateSection = GateSection()
    split: SplitSection = SplitSection()
    clean: CleanSection = CleanSection()


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


@dataclass(frozen=True)
class Setting:
    """One field of one section, under each of its names; `prefixed` puts the section before the flag."""

    section: str
    key: str
    prefixed: bool = False

    @property
    def field(self) -> Declared:
        return SECTIONS[self.section].model_fields[self.key]

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        return f"CLF_{self.section}__{self.key}".upper()

    @property
    def marker(self) -> Flag:
        return next((item for item in self.field.metadata if isinstance(item, Flag)), Flag())

    @property
    def default(self) -> Any:
        return self.field.default

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the option in Typer's spelling: `--lr`, or `--flip/--no-flip` for a switch."""
        return flags_of(self.section, self.key, self.marker.names, self.is_switch, self.prefixed)

    @property
    def flag(self) -> str:
        """The first name, as messages say it."""
        return self.flags[0].partition("/")[0]

    @property
    def is_switch(self) -> bool:
        return self.field.annotation in (bool, bool | None)

    @property
    def is_list(self) -> bool:
        """Whether it takes several values: repeated or comma-separated."""
        return takes_several(self.field.annotation)


# Nothing resumes by itself: a settings file or variable cannot ask for it, nor allow what differs.
FLAG_ONLY = frozenset({"train.resume", "train.allow_drift"})


def settings_of(command: str) -> Iterator[Setting]:
    """The settings that `command` shows, in the order of COMMANDS."""
    for section, key, prefixed in shown_by(command, {name: table.model_fields for name, table in SECTIONS.items()}):
        yield Setting(section, key, prefixed)


def all_settings() -> Iterator[Setting]:
    """Every setting, in the order of the sections."""
    for section, table in SECTIONS.items():
        for key in table.model_fields:
            yield Setting(section, key)
