"""Our numpy metrics against scikit-learn and torchmetrics, our evaluation transform against timm's."""

import numpy as np
import pytest
import timm.data
import torch
from PIL import Image
from sklearn import metrics as sk
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError, MulticlassConfusionMatrix

from clf_cli.engine.confusion import confusion
from clf_cli.engine.metrics import metrics
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.preprocess import Preprocess, preprocess_image

CASES = [
    (373, 42, 2.5),
    (60, 2, 0.5),
    (40, 30, 0.1),
    (500, 7, 6.0),
    (1, 3, 1.0),
]  # some with absent, unpredicted classes


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-images-{case[1]}-classes")
def predictions(request):
    images, classes, signal = request.param
    rng = np.random.default_rng(images)
    weights = rng.dirichlet(np.full(classes, 0.7))
    targets = rng.choice(classes, images, p=weights)
    logits = rng.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), targets] += signal
    labels = Labels(tuple(f"class {i:03d}" for i in range(classes)))
    return Predictions(tuple(f"{i}.png" for i in range(images)), targets, logits, labels)


def test_scikit_learn_counts_the_same_confusions(predictions):
    expected = sk.confusion_matrix(
        predictions.targets, predictions.predicted, labels=np.arange(len(predictions.labels))
    )
    np.testing.assert_array_equal(confusion(predictions).counts, expected)


def test_scikit_learn_has_the_same_scores_per_class_and_averages(predictions):
    present = np.unique(predictions.targets)
    arguments = {"y_true": predictions.targets, "y_pred": predictions.predicted, "labels": present, "zero_division": 0}
    ours = metrics(predictions)
    precision, recall, f1, support = sk.precision_recall_fscore_support(**arguments)
    np.testing.assert_allclose(np.nan_to_num(ours.per_class.precision[present]), precision)
    np.testing.assert_allclose(ours.per_class.recall[present], recall)
    np.testing.assert_allclose(ours.per_class.f1[present], f1)
    np.testing.assert_array_equal(ours.per_class.support[present], support)
    for average in ("macro", "weighted"):
        expected = sk.precision_recall_fscore_support(**arguments, average=average)[:3]
        averages = [ours.scalars[f"{score}_{average}"] for score in ("precision", "recall", "f1")]
        np.testing.assert_allclose(averages, expected, rtol=1e-9)


def test_scikit_learn_has_the_same_loss_and_accuracies(predictions):
    classes = np.arange(len(predictions.labels))
    ours = metrics(predictions)
    assert ours.loss == pytest.approx(
        sk.log_loss(predictions.targets, predictions.probabilities, labels=classes), rel=1e-9
    )
    assert ours.acc_top1 == pytest.approx(sk.accuracy_score(predictions.targets, predictions.predicted))
    if len(classes) > 5:
        assert ours.acc_top5 == pytest.approx(
            sk.top_k_accuracy_score(predictions.targets, predictions.logits, k=5, labels=classes)
        )


def test_torchmetrics_agrees(predictions):
    classes = len(predictions.labels)
    targets, logits = torch.from_numpy(predictions.targets), torch.from_numpy(predictions.logits)
    ours = metrics(predictions)
    accuracy = MulticlassAccuracy(classes, average="micro")
    assert ours.acc_top1 == pytest.approx(float(accuracy(logits, targets)))
    if classes > 5:
        top_5 = MulticlassAccuracy(classes, top_k=5, average="micro")
        assert ours.acc_top5 == pytest.approx(float(top_5(logits, targets)))
    per_class = MulticlassAccuracy(classes, average="none")(logits, targets).numpy()
    np.testing.assert_allclose(np.nan_to_num(ours.per_class.recall), per_class, rtol=1e-6)
    matrix = MulticlassConfusionMatrix(classes)(logits, targets)
    np.testing.assert_array_equal(confusion(predictions).counts, matrix.numpy())
    calibration = MulticlassCalibrationError(classes, n_bins=15, norm="l1")
    assert ours.ece == pytest.approx(
        float(calibration(torch.from_numpy(predictions.probabilities), targets)), abs=1e-6
    )  # float32 state
    assert ours.loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits.double(), targets)), rel=1e-9)


# The evaluation transform against timm's, which rounds the long side and an odd margin down, we to the nearest: crops
# are compared where neither has anything to round.

SIZES = {"landscape": (97, 33), "portrait": (33, 97), "square": (64, 64), "small": (7, 9), "pixel": (1, 1)}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(size):
    width, height = size
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))


def levels(values):
    """(3, H, W) normalised float32 as levels of 255."""
    return (values * np.array(STD).reshape(3, 1, 1) + np.array(MEAN).reshape(3, 1, 1)) * 255


def of_timm(image, side, crop_mode, interpolation, crop_share=1.0):
    arguments = {"interpolation": interpolation, "mean": MEAN, "std": STD, "crop_mode": crop_mode}
    transform = timm.data.create_transform((3, side, side), is_training=False, crop_pct=crop_share, **arguments)
    return levels(transform(image).numpy())


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_timm_squashes_to_the_same_pixels(size, interpolation):
    """timm gets the image at its final width, for in one call Pillow 13 begins with the height of tall ones."""
    image = noise(size)
    ours = levels(preprocess_image(image, Preprocess(48, 48, "squash", interpolation, mean=MEAN, std=STD)))
    wide = image.resize((48, image.height), Image.Resampling[interpolation.upper()])
    assert np.abs(ours - of_timm(wide, 48, "squash", interpolation)).max() <= 1


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(96, 32), (32, 96), (64, 64), (200, 150), (8, 12), (1, 1)])
def test_timm_crops_the_same_pixels(size, interpolation):
    image = noise(size)
    ours = levels(preprocess_image(image, Preprocess(48, 48, "crop", interpolation, mean=MEAN, std=STD)))
    assert np.abs(ours - of_timm(image, 48, "center", interpolation)).max() <= 1


@pytest.mark.parametrize(("mode", "crop_mode"), [("crop", "center"), ("squash", "squash")])
def test_timm_reads_a_crop_share_the_same_way(mode, crop_mode):
    image = noise((80, 80))
    ours = levels(preprocess_image(image, Preprocess(48, 48, mode, crop_share=0.75, mean=MEAN, std=STD)))
    assert np.abs(ours - of_timm(image, 48, crop_mode, "bicubic", 0.75)).max() <= 1
