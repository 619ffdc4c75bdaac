"""Hold a consumer in Python against golden samples: one JSON object; exit code 1 if it does not reproduce them.

python golden.py python_minimal.py model.onnx golden/

A consumer is a module with load(model), which gives the contract and what answers for a batch of tensors, and
tensor(path, contract), which makes one of an image file.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np


def imported(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def difference(answers: np.ndarray, golden: np.ndarray) -> float:
    """The largest, relative to the largest golden answer or to 1."""
    return float(np.abs(answers - golden).max() / max(1.0, np.abs(golden).max()))


def compare(consumer: ModuleType, model: str, folder: Path) -> dict:
    """What the consumer answers for the stored tensors, and for the stored images, against the stored answers."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    samples, tolerances = index["samples"], index["tolerances"]
    golden = np.stack([np.load(folder / one[index["output"]]) for one in samples])
    contract, run = consumer.load(model)
    if contract["labels"] != index["labels"]:
        sys.exit(f"{model} has other labels than the golden samples in {folder}.")
    tensors = np.stack([np.load(folder / one["input"]) for one in samples])
    answers = run(np.stack([consumer.tensor(str(folder / one["image"]), contract) for one in samples]))
    own = {value.__name__.partition(".")[0] for value in vars(consumer).values() if isinstance(value, ModuleType)}
    used = sorted(own & {"onnxruntime", "openvino", "cv2", "PIL", "numpy"})
    from_tensor = {
        "relative_difference": difference(run(tensors), golden),
        "tolerance": tolerances["onnxruntime" if "onnxruntime" in used else "others"],
    }
    from_file = {
        "relative_difference": difference(answers, golden),
        "top1_agreement": float((answers.argmax(axis=1) == golden.argmax(axis=1)).mean()),
    }
    if "PIL" in used:  # nothing else can be held to Pillow's pixels
        from_file["tolerance"] = tolerances["from_file"]
    for found in (from_tensor, from_file):
        if "tolerance" in found:
            found["passed"] = found["relative_difference"] <= found["tolerance"]
    return {
        "consumer": consumer.__name__,
        "versions": {name: sys.modules[name].__version__ for name in used},
        "samples": len(samples),
        "from_tensor": from_tensor,
        "from_file": from_file,
    }


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    if not (Path(sys.argv[3]) / "index.json").is_file():
        sys.exit(f"{sys.argv[3]} holds no golden samples: there is no index.json.")
    report = compare(imported(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]))
    print(json.dumps(report, indent=1))
    sys.exit(0 if report["from_tensor"]["passed"] and report["from_file"].get("passed", True) else 1)
