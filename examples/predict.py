"""The images that a model is least sure of, first: python examples/predict.py MODEL IMAGE..."""

import sys
from pathlib import Path

from clf_cli import ClfError, Prediction, load_model


def least_sure_first(model_path: str, images: list[Path]) -> list[Prediction]:
    """What the model says of each image that can be read."""
    model = load_model(model_path)
    predictions = model.predict(images, on_bad_image="skip")
    readable = [prediction for prediction in predictions if prediction.error is None]
    return sorted(readable, key=lambda prediction: prediction.probability or 0.0)


if __name__ == "__main__":
    try:
        for prediction in least_sure_first(sys.argv[1], [Path(name) for name in sys.argv[2:]]):
            others = ", ".join(candidate.label for candidate in prediction.top[1:3])
            print(f"{prediction.probability:.3f}  {prediction.label}  (or {others})  {prediction.path}")
    except ClfError as error:
        sys.exit(f"{error.message} {error.hint or ''}")
