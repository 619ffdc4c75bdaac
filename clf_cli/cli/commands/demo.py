"""clf demo."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.console import progress, publish, say, watcher, write_line
from clf_cli.cli.options import JsonOption, configured
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

OutOption = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="New folder for all of it; one that exists is refused.")
]


@app.command()
@configured("demo")
def demo(resolved: Resolved, out: OutOption = Path("clf-demo"), as_json: JsonOption = False) -> None:
    """Draw data, train, export and validate, in minutes and without a network."""
    from clf_cli.training.demo import demo as run_demo
    from clf_cli.training.demo import demo_settings, where_to_look
    from clf_cli.training.train import command_line

    result = run_demo(demo_settings(out, resolved), watcher(), progress, command_line())
    for line in where_to_look(result):
        say(line)
    if as_json:
        publish(result.train.report, as_json=True)
    else:
        write_line(result.train.run)
    result.check.raise_if_failed(Path(result.train.run, result.train.onnx or ""))
