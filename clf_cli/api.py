"""Trained classifiers in Python: `from clf_cli import load_model`."""

import logging
import os
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.images import UnreadableImageError, upright_rgb
from clf_cli.data.named_images import NamedImage
from clf_cli.data.scan_threads import scan_threads
from clf_cli.engine.predictions import TOP, is_calibrated, predict_images, uncalibrated
from clf_cli.engine.stored_calibration import calibrated
from clf_cli.errors import DataError, UsageError
from clf_cli.models.classifier import Classifier, model_file, open_classifier
from clf_cli.models.compute import Compute, compute_for
from clf_cli.settings.section import wrong_keys
from clf_cli.settings.sections import ComputeSection
from clf_cli.values.contract import Score
from clf_cli.values.prediction import Candidate, Prediction
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import Weights

__all__ = ["Candidate", "Model", "Picture", "Prediction", "Preprocess", "Score", "load_model"]

Picture: TypeAlias = "str | os.PathLike[str] | Image.Image | npt.NDArray[np.uint8]"
OnBadImage = Literal["error", "skip"]

_log = logging.getLogger("clf_cli")


class Model:
    """A trained classifier: weights, preprocessing and labels together. Made by `load_model`."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.labels: tuple[str, ...] = classifier.labels.names  # an index is a position here
        self.preprocess: Preprocess = classifier.preprocess  # input size, resize mode, mean and std
        self.arch: str = classifier.arch
        self.weights: Weights = classifier.weights  # "ema" or "live"
        self.score: Score | None = classifier.score  # of these weights in training; None: never validated
        self.path: Path = classifier.path  # the file that was opened

    def __repr__(self) -> str:
        return f"Model(path={str(self.path)!r}, arch={self.arch!r}, classes={len(self.labels)})"

    @overload
    def predict(  # type: ignore[overload-overlap]  # a str is a collection of str too; it is one path
        self, images: Picture, *, top: int = ..., calibration: bool = ..., on_bad_image: OnBadImage = ...
    ) -> Prediction: ...

    @overload
    def predict(
        self, images: Collection[Picture], *, top: int = ..., calibration: bool = ..., on_bad_image: OnBadImage = ...
    ) -> list[Prediction]: ...

    @overload
    def predict(
        self, images: Iterator[Picture], *, top: int = ..., calibration: bool = ..., on_bad_image: OnBadImage = ...
    ) -> Iterator[Prediction]: ...

    def predict(
        self,
        images: object,
        *,
        top: int = TOP,
        calibration: bool = True,
        on_bad_image: OnBadImage = "error",
    ) -> Prediction | list[Prediction] | Iterator[Prediction]:
        """What the model says of one image, of a collection (a list comes back), or of an iterator (an iterator does).

        An image is a path, a PIL image (turned as its EXIF data say) or a uint8 array (H, W, 3) in RGB. Answers come in
        order and equal those of `clf predict`; an iterator is read at most two batches, 128 images, ahead, in this
        thread, while others decode. `top` is the number of candidates; `calibration` uses the model's temperature and
        thresholds, if it has any. `on_bad_image="skip"` gives an image that cannot be read a prediction whose `error`
        says why, instead of DataError. Raises UsageError for what is no image at all.
        """
        if top < 1:
            raise UsageError(f"top is {top}.", "It counts candidates, from 1.")
        classifier = self._classifier if calibration else uncalibrated(self._classifier)
        if isinstance(images, (str, os.PathLike, Image.Image, np.ndarray)):
            return next(_predicted(classifier, [images], top, on_bad_image))
        if isinstance(images, Iterator):
            return _predicted(classifier, images, top, on_bad_image)
        if isinstance(images, Collection):
            return list(_predicted(classifier, images, top, on_bad_image))
        raise _no_picture(images)


def load_model(
    path: str | os.PathLike[str], *, device: str = "cpu", threads: int | None = None, ema: bool | None = None
) -> Model:
    """Opens a run folder (its best checkpoint), a checkpoint or an .onnx file; an .onnx file needs no torch.

    `device` is cpu, auto, cuda, cuda:1 or mps; an .onnx file runs on the CPU. `threads` of math default to those of
    torch or ONNX Runtime. `ema` chooses a checkpoint's averaged or live weights, by default those that scored. Raises
    ModelError for what cannot be opened, UsageError for a device that is not there; both are ClfErrors.
    """
    file = model_file(Path(path))
    classifier, note = calibrated(open_classifier(file, ema, _compute(file, device, threads)))
    if note is not None:
        _log.log(logging.INFO if is_calibrated(classifier) else logging.WARNING, "%s", note)
    return Model(classifier)


def _compute(file: Path, device: str, threads: int | None) -> Compute | None:
    """None, which leaves torch and ONNX Runtime as they are, for a CPU without a number of threads."""
    try:
        section = ComputeSection(device=device, threads="auto" if threads is None else threads)
    except ValueError as error:
        given = {"device": device, "threads": threads}
        wrong = ", ".join(f"{name}={given[name]!r}" for name in given if name in wrong_keys(error))
        raise UsageError(
            f"Not possible: {wrong}.", "A device is cpu, auto, cuda, cuda:1 or mps; threads count from 1."
        ) from error
    compute, notes = compute_for(file, section)
    for note in notes:
        _log.info("%s", note)
    return None if threads is None and compute.device == "cpu" else compute


def _predicted(
    classifier: Classifier, images: Iterable[object], top: int, on_bad_image: OnBadImage
) -> Generator[Prediction, None, None]:
    named = (_named(image) for image in images)
    with closing(predict_images(classifier, named, top, scan_threads("auto"))) as batches:
        for batch in batches:
            for prediction in batch:
                if prediction.error is not None and on_bad_image == "error":
                    raise DataError(
                        f"{prediction.path or 'An image'}: {prediction.error}.",
                        'With on_bad_image="skip" its prediction says so instead.',
                    )
                yield prediction


def _named(image: object) -> NamedImage:
    """Pixels are taken now, so that the caller may go on to change them."""
    if isinstance(image, (str, os.PathLike)):
        return NamedImage(os.fspath(image), Path(image))
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise UsageError(
                f"An array of {image.dtype} with the shape {image.shape} is no image.",
                "An image is uint8, height x width x 3 (RGB); of several, pass a list.",
            )
        return NamedImage(None, Image.fromarray(image))
    if not isinstance(image, Image.Image):
        raise _no_picture(image)
    try:
        return NamedImage(None, upright_rgb(image))
    except UnreadableImageError as error:
        return NamedImage(None, error)


def _no_picture(image: object) -> UsageError:
    return UsageError(
        f"An object of type {type(image).__name__} is no image.",
        "An image is a path, a PIL image or a uint8 array (H, W, 3) in RGB.",
    )
