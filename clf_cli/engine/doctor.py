"""Whether clf can be used on this machine as it is set up, and what it would touch there."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from clf_cli.engine.doctor_check import Check
from clf_cli.engine.doctor_folders import folders
from clf_cli.engine.doctor_hardware import hardware
from clf_cli.engine.doctor_settings import settings_checks
from clf_cli.engine.doctor_software import software, versions
from clf_cli.engine.doctor_workers import workers
from clf_cli.errors import CheckFailedError
from clf_cli.values.progress import Progress

GROUPS = 5


@dataclass(frozen=True)
class DoctorResult:
    """The report of kind `doctor`."""

    kind: ClassVar[str] = "doctor"
    versions: dict[str, str | None]  # of what clf can use; None for what is not installed
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.status == "problem")

    def to_result(self) -> dict[str, Any]:
        return {
            "usable": not self.problems,
            "versions": self.versions,
            "checks": [asdict(check) for check in self.checks],
        }

    def raise_if_unusable(self) -> None:
        """Raises CheckFailedError (exit 1) that names the problems."""
        if self.problems:
            names = ", ".join(dict.fromkeys(f"{check.group}: {check.name}" for check in self.problems))
            raise CheckFailedError(f"clf cannot be used as it is set up here ({names}).", self.problems[-1].hint)


def doctor(progress: Progress) -> DoctorResult:
    """Looks at everything, without a network; what it writes to try a folder is gone at once."""
    with progress("Looking at this machine", GROUPS) as advance:
        set_up, settings = settings_checks()
        advance(1)
        installed = software()
        advance(1)
        writable = folders(settings.train.out)
        advance(1)
        machine, compute = hardware(settings.compute)
        advance(1)
        readers = workers(compute.workers if compute else 0, settings.model.image_size)
        advance(1)
    return DoctorResult(versions(), (*installed, *machine, *readers, *writable, *set_up))
