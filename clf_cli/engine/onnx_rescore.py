"""Is the file the model that scored? It scores the images of the checkpoint's score again."""

from dataclasses import dataclass, replace

from clf_cli.engine.metrics import metrics
from clf_cli.engine.onnx_plan import ExportImages
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import ExportError
from clf_cli.models.classifier import Classifier
from clf_cli.values.contract import Score
from clf_cli.values.predictions import Predictions, ties
from clf_cli.values.progress import Progress, silent


@dataclass(frozen=True)
class Rescored:
    """What the file answered for the split, and the score that its contract may tell."""

    answers: Predictions
    score: Score | None
    compared_with: str  # the stored score, or torch


def rescore(
    onnx: Classifier, reference: Classifier, images: ExportImages, progress: Progress = silent
) -> Rescored | None:
    """None where there are no images. Raises ExportError (exit 5) when the file scores otherwise than its weights."""
    dataset, score = images.dataset, reference.score
    if dataset is None:
        return None
    answers = predict_split(onnx, dataset, images.split, images.workers, progress)
    own = score is not None and score.split == images.split and dataset.fingerprint == reference.data_fingerprint
    if not own or score is None or score.value is None:
        return Rescored(answers, score, "nothing")
    now = metrics(answers).scalars[score.metric.partition("/")[2]]
    allowed = float(ties(answers.logits).mean()) + 1e-6
    if abs(now - score.value) > allowed:
        raise ExportError(
            f"The ONNX file scores {score.metric} {now:.4f}, the checkpoint {score.value:.4f}.",
            "Nothing was published.",
        )
    return Rescored(answers, replace(score, rescored=True), "stored score")
