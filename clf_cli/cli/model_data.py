"""The images that a command on a model looks at: those of --data, else those that its run was trained with."""

from clf_cli.cli.console import progress, say
from clf_cli.data.dataset import Dataset, load_run_dataset
from clf_cli.data.scan import scan_threads
from clf_cli.errors import DataError
from clf_cli.settings.resolved import Resolved
from clf_cli.values.labels import Labels
from clf_cli.values.run_dir import RunDir


def model_data(resolved: Resolved, run: RunDir | None, labels: Labels) -> Dataset | None:
    """The data set, matched with the model's labels by name; None where there is neither a run nor --data.

    A data set that a file or variable names is not the model's: it is left aside, said in a line. Raises DataError.
    """
    section = resolved.settings.data
    if section.root is not None and not resolved.given("data.root"):
        say(f"Not used: data.root = {section.root} ({resolved.origin['data.root']}). Name data with --data.")
        section = section.model_copy(update={"root": None})
    if run is not None and not run.settings.is_file():
        run = None
    if run is None and section.root is None:
        return None
    dataset = load_run_dataset(run, section, labels, scan_threads(resolved.settings.compute.workers), progress)
    for note in dataset.notes:
        say(note)
    return dataset


def model_data_if_there(resolved: Resolved, run: RunDir | None, labels: Labels) -> Dataset | None:
    """As `model_data`, for a command that can do without: a run's data that cannot be read are said and left aside."""
    try:
        return model_data(resolved, run, labels)
    except DataError as error:
        if resolved.given("data.root"):
            raise
        say(error.message)
        return None
