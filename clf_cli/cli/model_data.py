"""The images that a command on a model looks at: those of --data, else those that its run was trained with."""

from clf_cli.cli.console import progress, say
from clf_cli.cli.opened_model import say_model_notes
from clf_cli.data.dataset import Dataset, load_run_dataset
from clf_cli.data.scan_threads import scan_threads
from clf_cli.errors import DataError, first_line
from clf_cli.models.classifier import Classifier
from clf_cli.settings.resolved import Resolved
from clf_cli.values.run_record import read_record


def model_data(resolved: Resolved, classifier: Classifier, scores: bool = False) -> Dataset | None:
    """The data set, matched with the model's labels by name; None where there is neither a run nor --data.

    What a file or variable says of the data, the architecture or the preprocessing is not the model's: it is left
    aside, each in a line. That weights have no score is not said where the command `scores` them. Raises DataError,
    and ModelError for a run of a later clf.
    """
    say_model_notes(resolved, classifier, scores)
    section, run = resolved.settings.data, classifier.run
    if section.root is not None and not resolved.given("data.root"):
        say(f"Not used: data.root = {section.root} ({resolved.origin['data.root']}). Name data with --data.")
        section = section.model_copy(update={"root": None})
    if run is not None and not run.settings.is_file():
        run = None
    if run is None and section.root is None:
        return None
    if run is not None and section.root is None:
        read_record(run)  # of a later clf, which may keep its splits in another way, it raises
    workers = scan_threads(resolved.settings.compute.workers)
    dataset = load_run_dataset(run, section, classifier.labels, workers, progress, classifier.data_fingerprint)
    for note in dataset.notes:
        say(note)
    return dataset


def model_data_if_there(resolved: Resolved, classifier: Classifier) -> tuple[Dataset | None, str | None]:
    """As `model_data`, for a command that scores and can do without: where the images cannot be read, or there is
    neither a run nor --data, a sentence says so."""
    try:
        dataset = model_data(resolved, classifier, scores=True)
    except DataError as error:
        return None, first_line(error)
    return dataset, None if dataset is not None else f"{classifier.path} lies in no run, and no --data names images."
