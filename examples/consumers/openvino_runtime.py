"""Label (null: not sure enough) and probability of images, by an ONNX file of clf. Needs openvino, numpy, Pillow.

python openvino_runtime.py model.onnx image.jpg ...
"""

import json
import sys

import numpy as np
from PIL import Image, ImageOps

sys.modules["openvino_telemetry"] = None  # else importing openvino reports to Google Analytics
import openvino  # noqa: E402 - after the line above


def open_rgb(path: str, background: list[int]) -> Image.Image:
    """Upright, 8 bits, RGB; what is transparent shows the background."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):  # 16-bit grey
        return Image.fromarray(((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image.convert("RGBA"))
    return image.convert("RGB")


def tensor(path: str, contract: dict) -> np.ndarray:
    """The network's input: uint8 (H, W, 3), or normalised float32 (3, H, W)."""
    how, target = contract["preprocess"], (contract["input"]["width"], contract["input"]["height"])
    image, scaled = open_rgb(path, how["background"]), tuple(round(side / how["crop_share"]) for side in target)
    if how["resize_mode"] == "crop":  # one scale for both sides, and what is too much is cut
        scale = max(scaled[0] / image.width, scaled[1] / image.height)
        scaled = tuple(max(side, round(own * scale)) for side, own in zip(target, image.size, strict=True))
    if how["resize_mode"] == "letterbox":  # one scale for both sides, with bars
        scale = min(target[0] / image.width, target[1] / image.height)
        scaled = tuple(max(1, round(own * scale)) for own in image.size)
    canvas, kernel = Image.new("RGB", target, tuple(how["background"])), Image.Resampling[how["interpolation"].upper()]
    image = image.resize((scaled[0], image.height), kernel).resize(scaled, kernel)  # in one call the order varies
    canvas.paste(image, tuple(int((a - b) / 2) for a, b in zip(target, scaled, strict=True)))
    if contract["input"]["dtype"] == "uint8":  # the graph normalises
        return np.asarray(canvas)
    pixels = np.asarray(canvas, np.float32) / np.float32(255)
    return ((pixels - np.array(how["mean"], np.float32)) / np.array(how["std"], np.float32)).transpose(2, 0, 1)


def load(model: str) -> tuple:
    """The contract, and a function from N tensors to (N, classes) answers.

    Left to itself OpenVINO computes in bfloat16 where the processor can: answers are then off by 3 % of their scale.
    """
    core = openvino.Core()
    network = core.read_model(model)
    contract = json.loads(network.get_rt_info(["framework", "clf.contract"]).astype(str))
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return contract, lambda tensors: compiled(tensors)[0]


if __name__ == "__main__":
    contract, run = load(sys.argv[1])
    for path in sys.argv[2:]:
        output = run(tensor(path, contract)[None])[0].astype(np.float64)
        logits = np.log(np.maximum(output, 1e-30)) if contract["output"]["kind"] == "probabilities" else output
        shares = np.exp((logits - logits.max()) / (contract["temperature"] or 1.0))
        best, shares = int(shares.argmax()), shares / shares.sum()
        least = (contract["thresholds"] or [0.0] * len(shares))[best]  # None: never sure enough
        label = contract["labels"][best] if least is not None and shares[best] >= least else None
        print(json.dumps({"path": path, "label": label, "probability": shares[best]}))
