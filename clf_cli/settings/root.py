"""All sections as one value, and which settings each command shows as flags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from clf_cli.settings.data_sections import CleanSection, GateSection, InspectSection, SplitSection
from clf_cli.settings.onnx_sections import BenchmarkSection, ExportSection, ValidateSection, VariantSection
from clf_cli.settings.section import Flag, Section
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


class Settings(BaseModel):
    """Every setting of every command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    def field(self) -> FieldInfo:
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
        if self.marker.names:
            return self.marker.names
        name = f"{self.section}_{self.key}" if self.prefixed else self.key
        flag = name.replace("_", "-")
        return (f"--{flag}/--no-{flag}",) if self.is_switch else (f"--{flag}",)

    @property
    def flag(self) -> str:
        """The first name, as messages say it."""
        return self.flags[0].partition("/")[0]

    @property
    def is_switch(self) -> bool:
        return self.field.annotation in (bool, bool | None)


# What says which images a trained model is scored on; the hints of bad data name these flags.
SCORED_DATA = ("data.root", "data.on_bad_image", "data.on_label_conflict", "data.on_unknown_class")

WHERE = ("compute.device", "compute.threads", "compute.workers")
SCORED = (*SCORED_DATA, *WHERE)

# What decides, without a model, which images training reads and at which size.
TRAINING_DATA = ("data.val_fraction", "data.test_fraction", "model.image_size", "model.resize_mode")

# What each command shows as flags: "section" for all of it, "section.key" for one, "+section" with the section's name
# before each flag (`--ema-decay`), "-section.key" to leave one out.
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": (
        "data",
        "model",
        "augment",
        "optim",
        "train",
        "compute",
        "+ema",
        "callbacks",
        "inspect.near_duplicates",
        "+export",
        "-export.require_rescore",
    ),
    "verify-resume": (
        "data",
        "model",
        "augment",
        "optim",
        *("train.val", "train.monitor", "train.init_from"),
        "compute",
        "+ema",
    ),
    "export": ("export", "-export.enabled", "variant", *SCORED_DATA, "compute.threads"),
    "benchmark": ("benchmark",),
    "validate-onnx": ("validate_onnx", *SCORED_DATA, "compute.threads"),
    "evaluate": SCORED,
    "confusion": SCORED,
    "predict": ("data.on_bad_image", *WHERE),
    "samples": (*SCORED, "augment", *TRAINING_DATA, "compute.seed"),
    "compare": ("compare", *SCORED, "compute.seed"),
    "calibrate": ("calibrate", *SCORED),
    "average": SCORED,
    "sampler": ("data", "optim.balance", "optim.batch_size", "compute.seed", "compute.workers"),
    "model-info": ("model.image_size",),
    "models": (),
    "history": (),
    "report": WHERE,
    "runs": (),
    "inspect-dataset": (
        "gate",
        "inspect",
        "data",
        "-data.subset",
        "model.image_size",
        "model.resize_mode",
        "model.crop_share",
        "compute.seed",
        *WHERE,
    ),
    "split": (
        "split",
        "data",
        "-data.subset",
        "-data.on_unknown_class",
        "inspect.near_duplicates",
        "compute.seed",
        "compute.workers",
    ),
    "dedupe": ("data.root", "data.scan_cache", "inspect.near_duplicates", "compute.workers"),
    "clean": ("clean", "data.root", "data.scan_cache", "inspect", "compute.workers"),
    "synth": ("synth", "compute.seed"),
    "demo": ("compute.seed", "compute.threads"),
}

# Nothing resumes by itself: a settings file or variable cannot ask for it, nor allow what differs.
FLAG_ONLY = frozenset({"train.resume", "train.allow_drift"})


def settings_of(command: str) -> Iterator[Setting]:
    """The settings that `command` shows, in the order of COMMANDS."""
    entries = COMMANDS[command]
    left_out = {entry[1:] for entry in entries if entry.startswith("-")}
    for entry in entries:
        section, _, key = entry.lstrip("+-").partition(".")
        if entry.startswith("-"):
            continue
        for name in [key] if key else SECTIONS[section].model_fields:
            if f"{section}.{name}" not in left_out:
                yield Setting(section, name, prefixed=entry.startswith("+"))


def all_settings() -> Iterator[Setting]:
    """Every setting, in the order of the sections."""
    for section, table in SECTIONS.items():
        for key in table.model_fields:
            yield Setting(section, key)
