"""The clf command: the table of its commands, each imported only when it is called."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from clf_cli import __version__
from clf_cli.cli.console import show_misuse
from clf_cli.cli.help import HelpCommand, HelpGroup
from clf_cli.cli.invocation import invoked
from clf_cli.errors import UsageError
from clf_cli.values.run_dir import newest_runs

# by what a person wants: name, one line of help (a test compares it with the command's docstring), module
COMMAND_PANELS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Train": (
        ("train", "Train a classifier and export it.", "train"),
        (
            "verify-resume",
            "Prove that your runs continue exactly: kill a short one, continue it and compare.",
            "verify_resume",
        ),
        ("runs", "List the runs of a folder with their scores.", "runs"),
        ("history", "Show the course of runs: loss, accuracy and learning rate over the epochs.", "history"),
        ("report", "Write a run as one HTML page, to look at without a network.", "report"),
        ("average", "Average the weights of checkpoints, and score the mean before it is written.", "average"),
    ),
    "Judge a model": (
        ("evaluate", "Score a model on a split, with intervals, per class and per slice.", "evaluate"),
        ("confusion", "Count true against predicted classes.", "confusion"),
        ("samples", "Show images with what is predicted for them, or what augmentation makes of them.", "samples"),
        ("compare", "Hold a candidate against a baseline on the same images.", "compare"),
        ("calibrate", "Fit a temperature and per-class thresholds, so that a model can abstain.", "calibrate"),
    ),
    "Ship it": (
        ("export", "Write a checkpoint as an ONNX file and check it.", "export"),
        ("validate-onnx", "Compare an ONNX file with the checkpoint that it came from.", "validate_onnx"),
        ("benchmark", "Time a model, precision by precision, or with --train this machine's training.", "benchmark"),
        ("predict", "Label images with a model.", "predict"),
    ),
    "Data": (
        ("inspect-dataset", "Count a data set's images and list what is wrong with it.", "inspect_dataset"),
        ("split", "Split images without leaks: near duplicates and groups stay on one side.", "split"),
        ("dedupe", "Keep one copy of each image, in a new manifest.", "dedupe"),
        ("clean", "Leave out the rows that findings name, in a new manifest.", "clean"),
        ("sampler", "Count the images of each class that an epoch draws, without training.", "sampler"),
        ("synth", "Draw a data set of jersey numbers.", "synth"),
    ),
    "Look up": (
        ("model-info", "Count a network's parameters, cost and layers, or read an ONNX file's graph.", "model_info"),
        ("models", "List timm's architectures and their published weights.", "models"),
        ("config", "Show the settings with their sources, or their JSON schema.", "config"),
        ("doctor", "Look at this machine: versions, devices, workers, folders and settings.", "doctor"),
        ("demo", "Draw data, train, export and validate, in minutes and without a network.", "demo"),
    ),
}
COMMAND_TABLE = tuple(row for rows in COMMAND_PANELS.values() for row in rows)
_MODULES = {name: module for name, _, module in COMMAND_TABLE}

# arguments that a message lists the newest runs for when they are missing, by metavar: what they name, what it may be
_NEVER_GUESSED = {
    "MODEL": ("model", "a run folder or a file"),
    "A": ("baseline", "a run folder or a file"),
    "B": ("candidate", "a run folder or a file"),
    "RUN": ("run", "a run folder"),
    "CKPT": ("checkpoint", "checkpoints, or a run folder for its top three"),
    "ARCH|MODEL": ("architecture or model", "an architecture of timm, a run folder or a file"),
}

EPILOG = (
    "Settings come from the command line, then the environment, then ./clf.toml or "
    r"\[tool.clf] in ./pyproject.toml, then the defaults below."
)

app = typer.Typer(
    cls=HelpGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Lazy(HelpCommand):
    """Stands in for a command until it is called, so that `clf --help` imports none of them."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the real command, whose place it takes from then on."""
        assert self.name is not None
        real = get_command(import_module(f"clf_cli.cli.commands.{_MODULES[self.name]}").app)
        if isinstance(real, TyperGroup):
            return real.make_context(info_name, args, parent, **extra)
        self.params, self.callback, self.help, self.epilog = real.params, real.callback, real.help, EPILOG
        try:
            return super().make_context(info_name, args, parent, **extra)
        except typer.BadParameter as error:
            if error.param is None or error.param.metavar not in _NEVER_GUESSED:
                raise
            thing, expected = _NEVER_GUESSED[error.param.metavar]
            hint = f"Expected {expected}. {newest_runs()}"
            raise UsageError(f"No {thing} is named, and none is guessed.", hint) from None

    def invoke(self, ctx: Any) -> Any:
        """Runs the real command."""
        return invoked(lambda: super(Lazy, self).invoke(ctx))


def _never_called() -> None:
    raise AssertionError("a lazy command makes the context of the real one")


for _panel, _rows in COMMAND_PANELS.items():
    for _name, _help, _ in _rows:
        app.command(_name, help=_help, cls=Lazy, rich_help_panel=_panel)(_never_called)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clf {__version__}")
        raise typer.Exit


@app.callback()
def clf(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """From a folder of labelled images to an ONNX file that production can trust."""


def run(arguments: list[str]) -> int:
    """Runs the command line and returns its exit code; mistakes in it are told."""
    try:
        code = app(arguments, prog_name="clf", standalone_mode=False)
    except TyperException as error:
        show_misuse(error)
        return error.exit_code
    except typer.Abort:
        return 1
    return code if isinstance(code, int) else 0
