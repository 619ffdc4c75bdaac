"""The consumer examples answer like clf: from golden samples, from files, every way to resize, odd image modes."""

import ast
import base64
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clf_cli.__main__ import main
from clf_cli.data.images import open_image
from clf_cli.data.named_images import NamedImage
from clf_cli.engine.onnx_consumer import decode, recipe_of, resized, tensor
from clf_cli.engine.onnx_golden import GoldenImage, golden_of, read_golden, write_golden
from clf_cli.engine.predictions import predict_images
from clf_cli.models.onnx import onnx_classifier
from clf_cli.values.onnx_files import files_beside
from clf_cli.values.predictions import softmax
from clf_cli.values.preprocess import Preprocess, preprocess_image
from clf_cli.values.run_dir import RunDir
from tests.browser import CHROMIUM, ORIGIN, Browser, browser
from tests.onnx_models import CONTRACT, linear, write_onnx_file

CONSUMERS = Path(__file__).parents[1] / "examples" / "consumers"
MINIMAL = CONSUMERS / "python_minimal.py"
PILLOW = ("python_minimal", "openvino_runtime")  # these must reproduce the golden answers from the images too
PYTHON = (*PILLOW, "opencv_dnn")
NODE, WEB = CONSUMERS / "onnxruntime_node", CONSUMERS / "onnxruntime_web"
VARIANTS = {
    "fp32": (),
    "fp16": ("--precision", "fp16"),
    "int8": ("--precision", "int8"),
    "uint8-probabilities": ("--with-preprocess", "--with-softmax"),
}
PREPROCESSES = [
    Preprocess(8, 12),
    Preprocess(8, 12, crop_share=0.8, interpolation="bilinear"),
    Preprocess(8, 12, "crop", "lanczos", 0.875),
    Preprocess(8, 12, "letterbox", "nearest", mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3), background=(9, 99, 199)),
]
each_preprocess = pytest.mark.parametrize("preprocess", PREPROCESSES, ids=lambda value: value.resize_mode)

Model = tuple[Path, Path]  # an ONNX file and its golden samples


def installed(folder: Path) -> pytest.MarkDecorator:
    there = shutil.which("node") is not None and (folder / "node_modules").is_dir()
    return pytest.mark.skipif(not there, reason=f"needs `npm ci --ignore-scripts` in examples/consumers/{folder.name}")


@functools.cache
def imported(name: str) -> Any:
    """A file of examples/consumers as a module, openvino_runtime.py with what it does to openvino's telemetry."""
    specification = spec_from_file_location(name, CONSUMERS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(*command: object, code: int = 0, **options: Any) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False, **options)
    assert done.returncode == code, done.stderr
    return done.stdout


def said(model, paths, name="python_minimal"):
    return [json.loads(line) for line in run(sys.executable, CONSUMERS / f"{name}.py", model, *paths).splitlines()]


@pytest.fixture(scope="module")
def exported(tiny_run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """A variant of a trained network, as `clf export` makes it with its golden samples."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def export(variant: str) -> Model:
        if not VARIANTS[variant]:
            return tiny_run.onnx, tiny_run.golden
        model = folder / f"{variant}.onnx"
        assert main(["export", str(tiny_run.root), *VARIANTS[variant], "-o", str(model), "--quiet"]) == 0
        return model, files_beside(model).golden

    return export


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def compared(name: str, model: Model) -> dict[str, Any]:
    """The report of golden.py on a consumer, in this process."""
    report: dict[str, Any] = imported("golden").compare(imported(name), str(model[0]), model[1])
    return report


def compared_in_node(model: Model) -> dict[str, Any]:
    command = ("node", NODE / "classify.mjs", model[0], "--golden", model[1])
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    report: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
    assert done.returncode == (0 if report.get("from_tensor", {}).get("passed") else 1)
    return report


def compared_in(tab: Browser, model: Model) -> dict[str, Any]:
    tab.serve({"consumers": CONSUMERS, "model": model[0].parent, "golden": model[1]})
    tab.open(f"{ORIGIN}/consumers/onnxruntime_web/index.html")
    script = f"window.golden('{ORIGIN}/model/{model[0].name}', '{ORIGIN}/golden/')"
    report: dict[str, Any] = tab.value(f"{script}.catch((error) => ({{error: String(error)}}))")
    assert all(address.startswith(ORIGIN) for address in tab.requests)
    return report


def expect(report: dict[str, Any], kind: str) -> None:
    """It reproduces the answers from the tensors, and as well from the PNG images: all resize as Pillow does."""
    assert report["samples"] == 8
    by = "onnxruntime" if "onnxruntime" in str(report["versions"]) else "others"
    wanted = {"fp16": {"onnxruntime": 1e-4, "others": 1e-2}, "int8": {"onnxruntime": 0.1, "others": 0.1}}
    tolerance = wanted.get(kind, {"onnxruntime": 1e-4, "others": 1e-3})[by]
    assert report["from_tensor"]["tolerance"] == tolerance
    assert report["from_tensor"]["relative_difference"] <= tolerance
    assert report["from_tensor"]["passed"]
    assert report["from_file"]["relative_difference"] == pytest.approx(
        report["from_tensor"]["relative_difference"], abs=1e-6
    )
    assert report["from_file"]["top1_agreement"] >= (0.75 if kind == "int8" else 1.0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", PYTHON)
def test_python_reproduces_golden_samples(exported, name, variant):
    report = compared(name, exported(variant))
    expect(report, variant)
    assert report["from_file"].get("tolerance") == ((0.1 if variant == "int8" else 1e-4) if name in PILLOW else None)


@installed(NODE)
@pytest.mark.parametrize("variant", VARIANTS)
def test_node_reproduces_golden_samples(exported, variant):
    expect(compared_in_node(exported(variant)), variant)


@installed(WEB)
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_browser_reproduces_golden_samples(exported, tab, variant):
    expect(compared_in(tab, exported(variant)), variant)
    assert not tab.complaints


def spoilt(model: Model, folder: Path, edit: Callable[[Path], None]) -> Model:
    shutil.copytree(model[1], folder / "golden")
    edit(folder / "golden")
    return model[0], folder / "golden"


def change_a_logit(golden: Path) -> None:
    file = golden / "3.logits.npy"
    logits = np.load(file)
    logits[1] += 0.02 * max(1.0, np.abs(logits).max())
    np.save(file, logits)


def change_an_image(golden: Path) -> None:
    Image.open(golden / "2.png").transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(golden / "2.png")


def change_a_label(golden: Path) -> None:
    index = json.loads((golden / "index.json").read_text(encoding="utf-8"))
    index["labels"].reverse()
    (golden / "index.json").write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"), [((), "python golden.py"), ((MINIMAL, "m.onnx", "."), "no index.json")]
)
def test_golden_py_says_what_it_lacks(tmp_path, arguments, words):
    command = [sys.executable, str(CONSUMERS / "golden.py"), *map(str, arguments)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_golden_samples_are_seen_in_python(exported, tmp_path):
    """golden.py's exit code tells; an image counts against those that decode with Pillow."""
    model, golden = exported("fp32")
    command = (sys.executable, CONSUMERS / "golden.py")
    assert json.loads(run(*command, MINIMAL, model, golden))["from_file"]["passed"]
    wrong = spoilt((model, golden), tmp_path / "logit", change_a_logit)
    assert not json.loads(run(*command, MINIMAL, *wrong, code=1))["from_tensor"]["passed"]
    turned = spoilt((model, golden), tmp_path / "image", change_an_image)
    report = json.loads(run(*command, MINIMAL, *turned, code=1))
    assert (report["from_tensor"]["passed"], report["from_file"]["passed"]) == (True, False)
    report = compared("opencv_dnn", turned)
    assert report["from_file"]["relative_difference"] > 1e-3
    assert "passed" not in report["from_file"], "it is told, and gates nothing"
    assert not compared("opencv_dnn", wrong)["from_tensor"]["passed"]
    with pytest.raises(SystemExit, match="other labels"):
        compared("opencv_dnn", spoilt((model, golden), tmp_path / "label", change_a_label))


@installed(NODE)
def test_wrong_golden_samples_are_seen_in_node(exported, tmp_path):
    assert not compared_in_node(spoilt(exported("fp32"), tmp_path / "a", change_a_logit))["from_tensor"]["passed"]
    turned = compared_in_node(spoilt(exported("fp32"), tmp_path / "b", change_an_image))
    assert turned["from_file"]["relative_difference"] > 1e-3
    assert "other labels" in compared_in_node(spoilt(exported("fp32"), tmp_path / "c", change_a_label))["error"]


@installed(WEB)
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)")
def test_wrong_golden_samples_are_seen_in_a_browser(exported, tab, tmp_path):
    assert not compared_in(tab, spoilt(exported("fp32"), tmp_path / "a", change_a_logit))["from_tensor"]["passed"]
    turned = compared_in(tab, spoilt(exported("fp32"), tmp_path / "b", change_an_image))
    assert turned["from_file"]["relative_difference"] > 1e-3
    assert "other labels" in compared_in(tab, spoilt(exported("fp32"), tmp_path / "c", change_a_label))["error"]


@each_preprocess
@pytest.mark.parametrize("pixels_in", [False, True])
def test_the_stored_image_leads_to_exactly_the_stored_tensor(tmp_path, preprocess, pixels_in):
    """By nothing but the contract: through python_minimal.py, opencv_dnn.py and clf's own second implementation."""
    contract = replace(CONTRACT, preprocess=replace(preprocess, normalized_in_graph=pixels_in))
    images = tuple(GoldenImage(f"{i}.png", None, noise(size)) for i, size in enumerate([(31, 57), (90, 20), (8, 12)]))
    file = replace(linear().classifier(), preprocess=contract.preprocess)
    write_golden(tmp_path / "golden", golden_of(images, file, linear().classifier()))
    stored, recipe = read_golden(tmp_path / "golden").inputs, recipe_of(contract.to_json())
    for number, wanted in enumerate(stored):
        path = tmp_path / "golden" / f"{number}.png"
        np.testing.assert_array_equal(tensor(resized(decode(path, recipe), recipe), recipe), wanted)
        for name in ("python_minimal", "opencv_dnn"):
            found = imported(name).tensor(str(path), contract.to_json())
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted, err_msg=name)


def noise(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)


IN_NODE = """
import { readFileSync } from "node:fs";
const { tensor } = await import(process.argv[1]);
for (const { data, width, height, contract } of JSON.parse(readFileSync(0))) {
  const made = tensor({ data: new Uint8Array(Buffer.from(data, "base64")), width, height }, contract);
  console.log(Buffer.from(made.buffer).toString("base64"));
}
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine")
def test_javascript_makes_exactly_the_tensor():
    """Bit by bit, whatever the sizes; the program imports no package."""
    sizes = [(31, 57), (57, 31), (8, 12), (1, 90), (90, 1), (3, 200), (61, 64)]
    cases, wanted = [], []
    for preprocess in PREPROCESSES:
        for pixels_in in (False, True):
            contract = replace(CONTRACT, preprocess=replace(preprocess, normalized_in_graph=pixels_in))
            for size in sizes:
                data = base64.b64encode(noise(size).tobytes()).decode()
                cases.append({"data": data, "width": size[1], "height": size[0], "contract": contract.to_json()})
                wanted.append(preprocess_image(Image.fromarray(noise(size)), contract.preprocess))
    command = ("node", "--input-type=module", "-e", IN_NODE, (CONSUMERS / "clf.mjs").as_uri())
    found = run(*command, input=json.dumps(cases)).splitlines()
    for line, one in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(np.frombuffer(base64.b64decode(line), one.dtype).reshape(one.shape), one)


def draw_images(folder):
    """Every mode that open_image treats in a way of its own, in odd sizes."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (31, 57, 3), dtype=np.uint8))
    alpha = Image.fromarray(rng.integers(0, 256, (40, 23, 4), dtype=np.uint8))
    turned = rgb.copy()
    turned.getexif()[0x0112] = 6
    grey = Image.fromarray(rng.integers(0, 65536, (20, 33), dtype=np.uint16))
    for image, name in (
        (rgb, "rgb.png"), (alpha, "alpha.png"), (rgb.convert("P"), "palette.png"), (rgb.convert("L"), "grey.png"),
        (grey, "grey16.png"), (rgb.convert("CMYK"), "cmyk.jpg"), (rgb.resize((8, 12)), "size.png"),
        (rgb.resize((1, 90)), "thin.png"),
    ):  # fmt: skip
        image.save(folder / name)
    turned.save(folder / "turned.jpg", exif=turned.getexif())
    return sorted(folder.iterdir())


@each_preprocess
@pytest.mark.parametrize("pixels_in", [False, True])
def test_python_minimal(tmp_path, preprocess, pixels_in):
    contract = replace(
        CONTRACT,
        preprocess=replace(preprocess, normalized_in_graph=pixels_in),
        output="probabilities" if pixels_in else "logits",
    )
    model = write_onnx_file(tmp_path / "model.onnx", contract=contract)
    (tmp_path / "images").mkdir()
    paths = draw_images(tmp_path / "images")
    images = np.stack([preprocess_image(open_image(path), preprocess) for path in paths])
    shares = softmax(linear()(images))
    for path, share, answer in zip(paths, shares, said(model, paths), strict=True):
        if path.name == "alpha.png" and preprocess.background != (128, 128, 128):
            continue  # clf composites on its own grey, whatever the bars of a letterbox
        assert answer["label"] == contract.labels.names[share.argmax()], path
        assert answer["probability"] == pytest.approx(share.max(), abs=1e-4), path


OTHER_DECODERS = {"alpha.png": 1, "grey16.png": 1, "cmyk.jpg": 4}  # levels of 255 that OpenCV decodes otherwise


def test_opencv_decodes_like_pillow(tmp_path):
    contract = replace(CONTRACT, preprocess=Preprocess(8, 12, "letterbox", "nearest", normalized_in_graph=True))
    for path in draw_images(tmp_path):
        found = imported("opencv_dnn").tensor(str(path), contract.to_json())
        wanted = preprocess_image(open_image(path), contract.preprocess)
        assert np.abs(found.astype(int) - wanted).max() <= OTHER_DECODERS.get(path.name, 0), path
    with pytest.raises(SystemExit, match="cannot be read"):
        imported("opencv_dnn").tensor(str(tmp_path / "none.png"), contract.to_json())


def calibrated_model(folder):
    """A file with a temperature and thresholds, one of them null, and golden samples that some of them hold back."""
    colors = np.random.default_rng(1).integers(0, 256, (8, 3), dtype=np.uint8)
    images = tuple(GoldenImage(f"{i}.png", None, np.full((30, 20, 3), color)) for i, color in enumerate(colors))
    golden, temperature = golden_of(images, linear().classifier()), 2.5
    shares = softmax(golden.logits.astype(np.float64) / temperature)
    order = np.argsort(shares.max(axis=1))
    middle = float(shares.max(axis=1)[order[3:5]].mean())
    thresholds = tuple(None if index == shares[order[7]].argmax() else middle for index in range(len(CONTRACT.labels)))
    contract = replace(CONTRACT, temperature=temperature, thresholds=thresholds)
    write_golden(folder / "golden", golden, temperature, thresholds)
    index = json.loads((folder / "golden" / "index.json").read_text(encoding="utf-8"))["samples"]
    assert {sample["answered"] for sample in index} == {True, False}
    return write_onnx_file(folder / "model.onnx", contract=contract), index


def test_a_temperature_and_thresholds_are_honoured(tmp_path):
    """As `clf predict` does, and as the golden samples of the file say."""
    model, index = calibrated_model(tmp_path)
    paths = [tmp_path / "golden" / sample["image"] for sample in index]
    ours = predict_images(onnx_classifier(model), [NamedImage(str(path), path) for path in paths])
    answers = {name: said(model, paths, name) for name in PYTHON}
    if shutil.which("node") is not None and (NODE / "node_modules").is_dir():
        answers["node"] = [json.loads(line) for line in run("node", NODE / "classify.mjs", model, *paths).splitlines()]
    for position, prediction in enumerate([one for batch in ours for one in batch]):
        sample = index[position]
        for name, found in answers.items():
            assert found[position]["path"] == str(paths[position])
            assert found[position]["probability"] == pytest.approx(sample["probability"], abs=1e-4), name
            expected = sample["predicted"] if sample["answered"] else None
            assert found[position]["label"] == prediction.label == expected, name


@installed(WEB)
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)")
def test_the_page_answers_for_chosen_files(tmp_path, tab):
    model, index = calibrated_model(tmp_path)
    tab.serve({"consumers": CONSUMERS})
    tab.open(f"{ORIGIN}/consumers/onnxruntime_web/index.html")
    document = tab.call("DOM.getDocument")["root"]["nodeId"]
    images = [str(tmp_path / "golden" / sample["image"]) for sample in index]
    for selector, files in (("#images", images), ("#model", [str(model)])):
        node = tab.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        tab.call("DOM.setFileInputFiles", nodeId=node, files=files)
    lines = tab.value(
        """new Promise((done) => {
          const ask = () => {
            const lines = document.getElementById("answers").textContent.trim().split("\\n");
            lines.length === 8 ? done(lines) : setTimeout(ask, 50);
          };
          ask();
        })"""
    )
    for sample, line in zip(index, map(json.loads, lines), strict=True):
        assert line["path"] == sample["image"]
        assert line["label"] == (sample["predicted"] if sample["answered"] else None)
        assert line["probability"] == pytest.approx(sample["probability"], abs=1e-4)


def test_nothing_is_sent_or_kept_for_sending(exported, tmp_path):
    """Importing onnxruntime or openvino leaves an identity in the home folder and reports, unless it is told not to."""
    model, golden = exported("fp32")
    told = ("CI", "GITHUB", "ORT_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(told)}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name in PYTHON:
        run(sys.executable, CONSUMERS / f"{name}.py", model, golden / "0.png", env=environment)
    if shutil.which("node") is not None and (NODE / "node_modules").is_dir():
        run("node", NODE / "classify.mjs", model, golden / "0.png", env=environment)
    assert list(tmp_path.rglob("*")) == []


def test_what_two_consumers_share_is_one_text():
    """Each is copied alone, so each holds it."""
    sources = [(CONSUMERS / f"{name}.py").read_text(encoding="utf-8") for name in PILLOW]
    parts = [source[source.index("def open_rgb") : source.index("def load")] for source in sources]
    assert parts[0] == parts[1]


def test_it_is_short_and_needs_three_packages():
    source = MINIMAL.read_text(encoding="utf-8")
    imported_names = {
        (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imported_names == {"json", "os", "sys", "numpy", "onnxruntime", "PIL"}
    assert len(source.splitlines()) < 60
