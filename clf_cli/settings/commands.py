"""Which settings each command shows as flags, and how a flag is named. Imports no pydantic: the help reads it."""

from collections.abc import Collection, Iterator, Mapping

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
    "benchmark": (
        "benchmark",
        *("data", "model", "augment", "optim", "train.val", "train.init_from", "compute"),
        *("-compute.threads", "-compute.compile", "+ema"),
        *("callbacks.confusion", "callbacks.samples", "callbacks.sampler_stats"),
        *("callbacks.history", "callbacks.pictures"),
    ),
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


def shown_by(command: str, keys: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, bool]]:
    """Section, key and whether the section's name stands before the flag, of each setting that `command` shows, in the
    order of COMMANDS; `keys` are those of every section."""
    entries = COMMANDS[command]
    left_out = {entry[1:] for entry in entries if entry.startswith("-")}
    for entry in entries:
        section, _, key = entry.lstrip("+-").partition(".")
        if entry.startswith("-"):
            continue
        for name in [key] if key else keys[section]:
            if f"{section}.{name}" not in left_out:
                yield section, name, entry.startswith("+")


def flags_of(section: str, key: str, declared: tuple[str, ...], switch: bool, prefixed: bool) -> tuple[str, ...]:
    """Names of the option in Typer's spelling: `--lr`, or `--flip/--no-flip` for a switch; `declared` ones win."""
    if declared:
        return declared
    flag = (f"{section}_{key}" if prefixed else key).replace("_", "-")
    return (f"--{flag}/--no-{flag}",) if switch else (f"--{flag}",)
