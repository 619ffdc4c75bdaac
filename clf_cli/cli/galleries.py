"""The pictures of clf samples: what was predicted, what two models disagree on, what augmentation does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clf_cli.cli.console import progress, say, warn_of
from clf_cli.cli.paired import scored_pair
from clf_cli.cli.places import stem_for, stem_in
from clf_cli.cli.scored import Scored, opened, scored
from clf_cli.data.dataset import NO_DATA_HINT, Dataset, load_dataset
from clf_cli.data.scan_threads import scan_threads
from clf_cli.engine.augmented import augmented, augmented_pixels
from clf_cli.engine.flips import flips
from clf_cli.engine.paired import pair_findings
from clf_cli.engine.samples import sample_predictions, worst_samples
from clf_cli.engine.thumbnails import Pixels, thumbnails
from clf_cli.errors import UsageError
from clf_cli.models.classifier import Classifier
from clf_cli.settings.load import read_settings
from clf_cli.settings.resolved import Resolved, left_aside
from clf_cli.settings.root import Settings, settings_of
from clf_cli.settings.sections import AugmentSection
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import Report

if TYPE_CHECKING:  # matplotlib, which is loaded where a picture is drawn
    from matplotlib.figure import Figure

AUGMENTED_COUNT = 6


@dataclass(frozen=True)
class Place:
    """What the command line says of model, images and the folder for the picture."""

    out: Path | None
    model: Path | None
    split: str

    def stem(self, resolved: Resolved, name: str) -> Path | None:
        """Where the files go, without their suffix; None for nowhere."""
        if self.model is None:
            return None if self.out is None else stem_in(self.out, name)
        return stem_for(resolved, self.out, self.model, name, self.split)

    @property
    def named_model(self) -> Path:
        assert self.model is not None, "the command refuses a missing model"
        return self.model


@dataclass(frozen=True)
class Gallery:
    """A report, the picture of it, and where both go; `stem` None: nowhere."""

    report: Report
    figure: Callable[[], "Figure"]
    stem: Path | None


def predicted_gallery(resolved: Resolved, place: Place, count: int | None, worst: bool) -> Gallery:
    """Images of the split with predictions: the callback's choice, or those of the highest loss."""
    model = place.named_model
    stem = place.stem(resolved, "samples-worst" if worst else "samples")
    found = scored(resolved, model, place.split)
    shown = count or _run_settings(found.classifier, resolved).callbacks.sample_count
    if worst:
        result = worst_samples(found.predictions, shown)
    else:
        result = sample_predictions(found.predictions, shown, _choice_seed(resolved))

    def figure() -> "Figure":
        from clf_cli.render.samples import figure as draw

        return draw(result, _pixels(found, [s.path for s in result.samples]), f"{_name(model)}, {found.data.split}")

    return Gallery(found.report(result), figure, stem)


def flips_gallery(resolved: Resolved, place: Place, other: Path, count: int | None) -> Gallery:
    """Images that both models call different names."""
    model = place.named_model
    stem = place.stem(resolved, "samples-flips")
    ours, theirs = scored_pair(resolved, model, other, place.split)
    shown = count or _run_settings(ours.classifier, resolved).callbacks.sample_count
    named = other.as_posix(), theirs.classifier.ref
    result = flips(ours.predictions, theirs.predictions, named, shown, _choice_seed(resolved))
    both = ((model.as_posix(), ours.classifier), (other.as_posix(), theirs.classifier))
    findings = pair_findings(both, ours.data.fingerprint)
    warn_of(findings)
    report = Report(result, ours.classifier.ref, ours.data, findings)

    def figure() -> "Figure":
        from clf_cli.render.flips import figure as draw

        pixels = _pixels(ours, [flip.model.path for flip in result.flips])
        return draw(result, pixels, model.as_posix(), ours.data.split)

    return Gallery(report, figure, stem)


def augmented_gallery(resolved: Resolved, place: Place, count: int | None) -> Gallery:
    """Train images as training sees them; the run's own settings, where MODEL lies in one."""
    stem = place.stem(resolved, "samples-augmented")
    if place.model is None:
        classifier, settings = None, resolved.settings
        dataset, preprocess = _training_data(resolved)
    else:
        classifier, dataset = opened(resolved, place.model)
        settings, preprocess = _run_settings(classifier, resolved), classifier.preprocess
    section = _augment_section(resolved, settings.augment)
    seed = resolved.settings.compute.seed if resolved.given("compute.seed") else settings.compute.seed
    result = augmented(dataset, section, seed, count or AUGMENTED_COUNT)
    for note in result.augment.notes:
        say(note)
    data = dataset.ref("train")

    def figure() -> "Figure":
        from clf_cli.render.augmented import figure as draw

        return draw(result, augmented_pixels(dataset, result, preprocess), _name(place.model or dataset.root))

    if classifier is None:
        return Gallery(Report(result, data=data), figure, stem)
    return Gallery(Report(result, classifier.ref, data, classifier.findings), figure, stem)


def _training_data(resolved: Resolved) -> tuple[Dataset, Preprocess]:
    """What `clf train` would read with these settings."""
    settings = resolved.settings
    if settings.data.root is None:
        raise UsageError("Neither a model nor data are named.", f"Name a run, or data alone. {NO_DATA_HINT}")
    workers = scan_threads(settings.compute.workers)
    dataset = load_dataset(settings.data, settings.compute.seed, workers, progress)
    for note in dataset.notes:
        say(note)
    from clf_cli.models.build import preprocess_for  # timm, which a mistake in the data need not wait for

    return dataset, preprocess_for(settings.model)


def _run_settings(classifier: Classifier, resolved: Resolved) -> Settings:
    """Those that the model was trained with; outside a run, those of this command."""
    run = classifier.run
    return read_settings(run.settings) if run is not None and run.settings.is_file() else resolved.settings


def _augment_section(resolved: Resolved, own: AugmentSection) -> AugmentSection:
    """The run's own with the flags of this command; --augment starts from that preset. Says what is left aside."""
    if own is resolved.settings.augment:
        return own
    for line in left_aside(resolved, {f"augment.{key}": value for key, value in own}):
        say(line)
    given = {
        setting.key: dict(resolved.settings.augment)[setting.key]
        for setting in settings_of("samples")
        if setting.section == "augment" and resolved.given(setting.path)
    }
    return (AugmentSection() if "preset" in given else own).model_copy(update=given)


def _choice_seed(resolved: Resolved) -> int:
    """0, with which training's callback chooses, unless --seed is on the command line."""
    return resolved.settings.compute.seed if resolved.given("compute.seed") else 0


def _pixels(found: Scored, paths: Sequence[str]) -> list[Pixels]:
    return thumbnails(found.dataset.root, paths, found.classifier.preprocess)


def _name(path: Path) -> str:
    return path.resolve().name
