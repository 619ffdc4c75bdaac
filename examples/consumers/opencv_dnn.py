"""Label (null: not sure enough) and probability of images, by an ONNX file of clf. Needs OpenCV and numpy.

python opencv_dnn.py model.onnx image.jpg ...
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np

KERNELS = {  # half the width, and the weight at a distance below it
    "bilinear": (1, lambda x: 1 - x),
    "bicubic": (2, lambda x: np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2)),
    "lanczos": (3, lambda x: np.sinc(x) * np.sinc(x / 3)),
}


def contract_of(model: str) -> dict:
    """The file's own metadata, which OpenCV does not read: a key and a value in protobuf's encoding."""
    data = Path(model).read_bytes()
    at = data.rindex(b"\x0a\x0cclf.contract\x12") + 15
    length = shift = 0
    while True:  # seven bits a byte, the lowest first; the last byte has its highest bit clear
        length |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return json.loads(data[at : at + length])


def open_rgb(path: str, background: list[int]) -> np.ndarray:
    """Upright, 8 bits, RGB; what is transparent shows the background."""
    image = cv2.imread(path, cv2.IMREAD_UNCHANGED)  # as it is stored, not turned by its EXIF
    if image is None:
        sys.exit(f"{path} cannot be read as an image.")
    if image.ndim == 2 or image.shape[2] < 4:
        return cv2.imread(path, cv2.IMREAD_COLOR_RGB)  # turned, 8 bits
    image = image / np.iinfo(image.dtype).max
    color, alpha = image[:, :, 2::-1], image[:, :, 3:]
    return np.rint(255 * color * alpha + np.array(background) * (1 - alpha)).astype(np.uint8)


def resized(pixels: np.ndarray, width: int, interpolation: str) -> np.ndarray:
    """To another width as Pillow does it, bit by bit: antialiased where it shrinks, which OpenCV's INTER_* are not."""
    scale = pixels.shape[1] / width
    if interpolation == "nearest":
        return pixels[:, ((np.arange(width) + 0.5) * scale).astype(int)]
    half, weight = KERNELS[interpolation]
    half, stretch = half * max(scale, 1.0), max(scale, 1.0)
    result = np.empty((len(pixels), width, 3), np.uint8)
    for column in range(width):
        center = (column + 0.5) * scale
        near = np.arange(max(0, int(center - half + 0.5)), min(pixels.shape[1], int(center + half + 0.5)))
        weights = weight(np.abs(near - center + 0.5) / stretch)
        weights = np.rint(weights / weights.sum() * (1 << 22))
        sums = np.tensordot(weights, pixels[:, near].astype(np.float64), (0, 1))
        result[:, column] = np.clip(np.floor(sums / (1 << 22) + 0.5), 0, 255)
    return result


def resize(pixels: np.ndarray, width: int, height: int, interpolation: str) -> np.ndarray:
    """First to the width, then to the height."""
    wide = resized(pixels, width, interpolation)
    return resized(wide.transpose(1, 0, 2), height, interpolation).transpose(1, 0, 2)


def tensor(path: str, contract: dict) -> np.ndarray:
    """The network's input: uint8 (H, W, 3), or normalised float32 (3, H, W)."""
    how, width, height = contract["preprocess"], contract["input"]["width"], contract["input"]["height"]
    image = open_rgb(path, how["background"])
    wide, high = round(width / how["crop_share"]), round(height / how["crop_share"])
    if how["resize_mode"] == "crop":  # one scale for both sides, and what is too much is cut
        scale = max(wide / image.shape[1], high / image.shape[0])
        wide, high = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
    if how["resize_mode"] == "letterbox":  # one scale for both sides, with bars
        scale = min(width / image.shape[1], height / image.shape[0])
        wide, high = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    pixels = resize(image, wide, high, how["interpolation"])
    if how["resize_mode"] == "letterbox":
        canvas = np.full((height, width, 3), how["background"], np.uint8)
        left, top = (width - wide) // 2, (height - high) // 2
        canvas[top : top + high, left : left + wide] = pixels
    else:
        left, top = (wide - width) // 2, (high - height) // 2
        canvas = pixels[top : top + height, left : left + width]
    if contract["input"]["dtype"] == "uint8":  # the graph normalises
        return canvas
    scaled = canvas.astype(np.float32) / np.float32(255)
    return ((scaled - np.array(how["mean"], np.float32)) / np.array(how["std"], np.float32)).transpose(2, 0, 1)


def load(model: str) -> tuple:
    """The contract, and a function from N tensors to (N, classes) answers."""
    contract = contract_of(model)
    # Of OpenCV 5.0 only the older engine reads int8 files.
    engine = cv2.dnn.ENGINE_CLASSIC if contract["precision"] == "int8" else cv2.dnn.ENGINE_AUTO
    network = cv2.dnn.readNetFromONNX(model, engine=engine)

    def run(tensors: np.ndarray) -> np.ndarray:
        network.setInput(np.ascontiguousarray(tensors))
        return network.forward().copy()  # the next call writes into the same memory

    return contract, run


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
