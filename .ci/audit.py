"""Known vulnerabilities of what uv.lock names: `uv run --locked python .ci/audit.py [SERVICE]`, SERVICE as OSV's API.

Exit 1 with the findings, or for an entry of .ci/audit-allowed.toml that is over; 0 where there are none, and, with a
word, where the service cannot be reached.
"""

import datetime
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ALLOWED = HERE / "audit-allowed.toml"
SECONDS = 60
_UNREACHABLE = ("error sending request", "Request failed", "timed out", "HTTP status")
_NO_AUDIT = ("unrecognized subcommand",)


def allowed(file: Path, today: datetime.date) -> list[str]:
    """The ids that may be found. Raises SystemExit for an entry without a reason, or one whose day has passed."""
    entries: list[dict[str, Any]] = tomllib.loads(file.read_text(encoding="utf-8")).get("allowed", [])
    for entry in entries:
        if (
            set(entry) != {"id", "reason", "until"}
            or not entry["reason"]
            or not isinstance(entry["until"], datetime.date)
        ):
            sys.exit(f"{file.name}: an entry needs id, reason and until (a date), not {entry}")
        if entry["until"] < today:
            sys.exit(f"{file.name}: {entry['id']} was allowed until {entry['until']}; look at it again")
    return [entry["id"] for entry in entries]


def audit(ids: list[str], service: str | None) -> int:
    """The exit code; what uv says is printed."""
    command = ["uv", "audit", "--frozen", "--preview-features", "audit-command"]
    command += [word for name in ids for word in ("--ignore", name)]
    command += [] if service is None else ["--service-url", service]
    environment = {**os.environ, "UV_HTTP_RETRIES": "1"}
    try:
        done = subprocess.run(
            command, cwd=HERE.parent, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"The advisory service could not be reached in {SECONDS} s: nothing was audited.")
        return 0
    print(done.stdout + done.stderr)
    if done.returncode == 0:
        return 0
    if done.returncode != 1 and any(words in done.stderr for words in _UNREACHABLE):
        print("The advisory service could not be reached: nothing was audited.")
        return 0
    if done.returncode != 1 and any(words in done.stderr for words in _NO_AUDIT):
        print("This uv is too old to audit: nothing was audited.")
        return 0
    return 1


if __name__ == "__main__":
    today = datetime.datetime.now(datetime.UTC).date()
    sys.exit(audit(allowed(ALLOWED, today), sys.argv[1] if len(sys.argv) > 1 else None))
