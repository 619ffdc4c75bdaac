"""Label (null: not sure enough) and probability of images, by an ONNX file of clf. Needs onnxruntime, numpy, Pillow.

python python_minimal.py model.onnx image.jpg ...
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def open_rgb(path: str, background: list[int]) -> Image.Image:
    """Upright, 8 bits, RGB; what is transparent shows the background."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):  # 16-bit grey
        return Image.fromarray(((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    return image.convert("RGB")


def resize(image: Image.Image, contract: dict) -> Image.Image:
    """To the network's size: stretched, cut, or fitted with bars."""
    how, kernel = contract["preprocess"], Image.Resampling[contract["preprocess"]["interpolation"].upper()]
    width, height = contract["input"]["width"], contract["input"]["height"]
    if how["resize_mode"] == "letterbox":
        scale = min(width / image.width, height / image.height)
        small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), kernel)
        canvas = Image.new("RGB", (width, height), tuple(how["background"]))
        canvas.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
        return canvas
    wide, high = round(width / how["crop_share"]), round(height / how["crop_share"])
    if how["resize_mode"] == "crop":
        scale = max(wide / image.width, high / image.height)
        wide, high = max(width, round(image.width * scale)), max(height, round(image.height * scale))
    left, top = (wide - width) // 2, (high - height) // 2
    return image.resize((wide, high), kernel).crop((left, top, left + width, top + height))


def main(model: str, paths: list[str]) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    contract = json.loads(session.get_modelmeta().custom_metadata_map["clf.contract"])
    how = contract["preprocess"]
    for path in paths:
        pixels = np.asarray(resize(open_rgb(path, how["background"]), contract), np.float32) / np.float32(255)
        tensor = (pixels - np.array(how["mean"], np.float32)) / np.array(how["std"], np.float32)
        logits = session.run(None, {"input": tensor.transpose(2, 0, 1)[None]})[0][0].astype(np.float64)
        logits /= contract["temperature"] or 1.0
        shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        least = (contract["thresholds"] or [0.0] * len(shares))[best := int(shares.argmax())]  # None: never sure
        label = contract["labels"][best] if least is not None and shares[best] >= least else None
        print(json.dumps({"path": path, "label": label, "probability": shares[best]}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
