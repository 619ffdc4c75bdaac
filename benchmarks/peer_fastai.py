"""One training with fastai, run by benchmarks/peers.py in fastai's own environment.

    python benchmarks/peer_fastai.py DATA PX EPOCHS BATCH OUT

resnet18 without pretrained weights, random resized crops and flips, one cycle, and the weights saved at the end.
"""

import sys
from pathlib import Path

from fastai.vision.all import (
    ImageDataLoaders,
    Normalize,
    RandomResizedCrop,
    accuracy,
    imagenet_stats,
    resnet18,
    vision_learner,
)


def main() -> None:
    data, px, epochs, batch, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])
    loaders = ImageDataLoaders.from_folder(
        data,
        train="train",
        valid="val",
        item_tfms=RandomResizedCrop(px, min_scale=0.35),
        batch_tfms=Normalize.from_stats(*imagenet_stats),
        bs=batch,
    )
    learner = vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy, path=out)
    learner.fit_one_cycle(epochs, 1e-3)
    learner.save("last")


if __name__ == "__main__":
    main()
