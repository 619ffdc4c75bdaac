"""Images that exercise every stage before the network: fine detail, odd shapes, turned by EXIF, with transparency."""

from pathlib import Path

import numpy as np
from PIL import Image

from clf_cli.engine.onnx_fault_images import drawn


def draw_odd_images(folder: Path, count: int = 12) -> list[Path]:
    """`count` files; every third is turned by EXIF, every third shows its background through a hole."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, large in enumerate(drawn(count)):
        pixels = large[:110, :130]  # the searches resize each of them a hundred times
        image, path = Image.fromarray(pixels), folder / f"{number:02d}.png"
        if number % 3 == 1:
            exif = Image.Exif()
            exif[0x0112] = 6
            image.save(path, exif=exif)
        elif number % 3 == 2:
            alpha = np.full(pixels.shape[:2], 255, np.uint8)
            alpha[: alpha.shape[0] // 2] = np.linspace(0, 255, alpha.shape[1], dtype=np.uint8)
            image.putalpha(Image.fromarray(alpha))
            image.save(path)
        else:
            image.save(path)
        paths.append(path)
    return paths
