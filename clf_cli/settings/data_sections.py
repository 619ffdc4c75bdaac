"""What the commands on data sets look for, and what stops them."""

from pathlib import Path
from typing import Annotated, ClassVar

from clf_cli.settings.plain import Field
from clf_cli.settings.section import Flag, Section

Words = tuple[str, ...]


class InspectSection(Section):
    title: ClassVar[str] = "Findings"

    near_duplicates: bool = Field(default=True, description="Search for images that are nearly the same.")
    min_side: Annotated[int, Field(ge=1)] = Field(
        default=16, description="Images with a shorter side than this, in pixels, are tiny."
    )
    max_aspect: Annotated[float, Field(gt=1)] = Field(
        default=4.0, description="Images whose long side is more than this many times the short one are extreme."
    )


class GateSection(Section):
    title: ClassVar[str] = "Gate"

    fail_on: Annotated[Words, Flag(metavar="WORDS")] = Field(
        default=("error",), description="Exit 1 for findings of these severities, categories or codes; none is never."
    )
    warn_on: Annotated[Words, Flag(metavar="WORDS")] = Field(
        default=(), description="Say on stderr that there are findings of these, without exit 1."
    )
    max_imbalance: Annotated[float, Field(ge=1)] | None = Field(
        default=None, description="Exit 1 when train's largest class is more than this many times its smallest."
    )
    min_per_class: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Exit 1 when a class has fewer train images than this."
    )
    baseline: Annotated[Path | None, Flag(metavar="FILE")] = Field(
        default=None,
        description="Accepted findings, which do not count; clf inspect-dataset --update-baseline writes them.",
    )


class SplitSection(Section):
    title: ClassVar[str] = "Split"

    group_by: Annotated[str | None, Flag(metavar="KEY")] = Field(
        default=None,
        description="Images of one group stay in one split: a key of the manifest's rows, path:REGEX, or parent.",
    )
    folds: Annotated[int, Field(ge=2, le=100)] | None = Field(
        default=None, description="Write this many manifests: each part validates once and trains in the others."
    )
    stratify: bool = Field(
        default=False,
        description="Hold the shares in every class, not on average; an image's split then depends on the others.",
    )
    redraw: bool = Field(default=False, description="Draw anew where the data bring splits, instead of mending those.")


class CleanSection(Section):
    title: ClassVar[str] = "Clean"

    drop: Annotated[Words, Flag(metavar="WORDS")] = Field(
        default=("error",), description="Leave out the rows of findings of these severities, categories or codes."
    )
