"""What a group of settings is, and the types that several share."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Flag:
    """Names of an option that is not `--key`, in Typer's spelling, and what its value is called in the help."""

    names: tuple[str, ...] = ()
    metavar: str | None = None


class Section(BaseModel):
    """A frozen group of settings; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    title: ClassVar[str] = ""


Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Auto = Literal["auto"]
