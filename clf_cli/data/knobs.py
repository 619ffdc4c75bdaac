"""The knobs of training augmentation: what the settings' preset comes to for a data set's labels."""

from dataclasses import dataclass, replace

from clf_cli.settings.sections import AugmentSection
from clf_cli.values.labels import Labels

NUMBER_CROP = 0.85  # smallest crop where labels are numbers: half of "23" is another class


@dataclass(frozen=True)
class Augment:
    """Every knob of AugmentSection made concrete; `crop_scale` 1 and all else 0 or False is no augmentation.

    `erase_area` is the largest share of the picture that erasing hides. `notes` are lines to say at start.
    """

    preset: str
    flip: bool = False
    crop_scale: float = 1.0
    rotate: float = 0.0
    translate: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    color: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0
    noise: float = 0.0
    downscale: float = 0.0
    erase: float = 0.0
    randaugment: int = 0
    erase_area: float = 0.2
    notes: tuple[str, ...] = ()

    @property
    def warps(self) -> bool:
        """Whether the knobs turn, move or bend every image, beyond crops and flips."""
        return any((self.rotate, self.translate, self.zoom, self.shear, self.perspective))

    @property
    def only_on_cpu(self) -> tuple[str, ...]:
        """The knobs that are on and that no GPU draws here."""
        return tuple(name for name in ("downscale", "jpeg", "blur", "randaugment") if getattr(self, name))

    @property
    def moves(self) -> bool:
        """Whether anything but flips changes which part of an image is seen."""
        return self.crop_scale < 1 or self.warps or self.randaugment > 0


PRESETS: dict[str, Augment] = {
    "none": Augment("none"),
    "basic": Augment("basic", flip=True, crop_scale=0.65, color=0.2),
    "strong": Augment("strong", flip=True, crop_scale=0.35, color=0.3, erase=0.25, randaugment=9),
    # Harder ones (rotation 15, half more blur and perspective, erase 0.25) were tried on basketball-jersey, one seed
    # against another: lower on val, no better on the test (docs/results.md).
    "ocr": Augment(
        "ocr",
        rotate=10.0,
        translate=0.08,
        zoom=0.15,
        shear=8.0,
        perspective=0.25,
        color=0.4,
        blur=0.2,
        jpeg=0.2,
        noise=0.15,
        downscale=0.2,
        erase=0.1,
        erase_area=0.08,
    ),
}


def resolve_augment(section: AugmentSection, labels: Labels) -> Augment:
    """The section's preset with its knobs on top; `labels` are those of the train split.

    Where every label reads as a number or a single character, presets neither flip nor crop hard, unless the knob says
    so; `notes` then tell.
    """
    preset = PRESETS[section.preset]
    given = section.model_dump(exclude={"preset", "mixup", "cutmix"}, exclude_none=True)
    if are_numbers(labels):
        preset = _for_numbers(preset, flip_given="flip" in given, crop_given="crop_scale" in given)
    return replace(preset, **given)


def are_numbers(labels: Labels) -> bool:
    """Whether every label is empty, made of digits, or a single character: their mirror image is another class."""
    return all(len(name) <= 1 or name.isdecimal() for name in labels)


def _for_numbers(preset: Augment, flip_given: bool, crop_given: bool) -> Augment:
    notes: list[str] = []
    if preset.flip and not flip_given:
        preset = replace(preset, flip=False)
        notes.append("No flips: every label is empty, a number or a single character (--flip turns them on).")
    if preset.crop_scale < NUMBER_CROP and not crop_given:
        preset = replace(preset, crop_scale=NUMBER_CROP)
        share = f"{NUMBER_CROP:.0%}"
        notes.append(f"Crops keep at least {share} of a picture, so that numbers stay whole (--crop-scale decides).")
    return replace(preset, notes=tuple(notes))
