"""A second name of a file: a copy that costs nothing, and is safe because no file of a run is edited in place."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import IO

from clf_cli.files import TEMP_SUFFIX, require_kept, write_atomic


def copy_into_place(source: Path, target: Path) -> None:
    """Makes `target` a second name of a whole file, or a copy where there are no hard links.

    The name is on the disk with what is written into its folder next. Raises UnwritableError (exit 6).
    """

    def copy(file: IO[bytes]) -> None:
        with source.open("rb") as content:
            shutil.copyfileobj(content, file)

    if not link_into_place(source, target):
        write_atomic(target, copy)


def link_into_place(source: Path, target: Path) -> bool:
    """Whether a whole file could be given a second name (exFAT and some network shares have no hard links), which takes
    `target`'s place at once; otherwise `target` is as it was.

    Raises RunError (exit 6) for a run's folder that is gone.
    """
    require_kept(target)
    spare = target.with_name(f".{target.name}.link{TEMP_SUFFIX}")
    try:
        spare.unlink(missing_ok=True)
        os.link(source, spare)
        spare.replace(target)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            spare.unlink(missing_ok=True)  # it stays also where `target` was a name of the same file already
    return True
