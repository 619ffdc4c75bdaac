"""ONNX files of other tools: what is missing is said, what is given is used, what does not fit is refused."""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper, numpy_helper

from clf_cli.errors import ModelError, UsageError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.models.onnx_given import Given, read_names, read_preprocess
from clf_cli.values.contract import labels_mapping
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, LABELS, linear, write_onnx_file

STAGES = {
    "height": 8,
    "width": 12,
    "resize_mode": "squash",
    "interpolation": "bicubic",
    "crop_share": 1.0,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}


@pytest.fixture
def given(tmp_path: Path) -> Given:
    labels, preprocess = tmp_path / "labels.txt", tmp_path / "preprocess.json"
    labels.write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    preprocess.write_text(json.dumps(STAGES))
    return Given(labels, preprocess)


def toml(**changes: object) -> str:
    """A file of these stages; None leaves one out."""
    return "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in {**STAGES, **changes}.items() if value is not None
    )


def model(
    path: Path,
    *nodes: onnx.NodeProto,
    inputs: dict[str, tuple[int, list]],
    outputs: dict[str, tuple[int, list]],
    metadata: dict[str, str] | None = None,
) -> Path:
    weights = linear()
    constants = {"axes": np.array([2, 3]), "weights": weights.weights, "bias": weights.bias}
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(proto, metadata or {})
    onnx.save(proto, path)
    return path


def node(kind: str, *names: str, **attributes: object) -> onnx.NodeProto:
    """The last name is its output."""
    return helper.make_node(kind, names[:-1], names[-1:], **attributes)


FLOAT, BYTES = TensorProto.FLOAT, TensorProto.UINT8
MEANS, HEAD = node("ReduceMean", "x", "axes", "means", keepdims=0), node("Gemm", "means", "weights", "bias", "y")
IMAGES, ANSWERS = {"x": (FLOAT, ["N", 3, 8, 12])}, {"y": (FLOAT, ["N", 5])}


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 3, 8, 12), dtype=np.float32)


# What is given


def test_the_file_answers_as_the_network_does(tmp_path, given):
    """With names of tensors of its own."""
    path = model(tmp_path / "foreign.onnx", MEANS, HEAD, inputs=IMAGES, outputs=ANSWERS)
    found = onnx_classifier(path, 1, given)
    assert (found.labels, found.preprocess, found.output) == (LABELS, Preprocess(8, 12), "logits")
    assert (found.run, found.score, found.run_id) == (None, None, None)
    np.testing.assert_allclose(found.logits(images(3)), linear()(images(3)), atol=1e-5)
    (said,) = found.findings
    assert said["reason"] == (
        f"made by another tool: labels from {given.labels}, preprocessing from {given.preprocess}"
    )
    assert found.given is not None
    assert found.given.contract.to_json()["input"]["name"] == "x"
    assert found.given.contract.to_json()["output"] == {"name": "y", "kind": "logits"}


@pytest.mark.parametrize("dynamo", [True, False])
def test_a_plain_export_of_torch(tmp_path, given, dynamo):
    """By both of its exporters, as its documentation shows them: names of their own, and the first beside a .data."""
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=5).eval()
    path = tmp_path / "plain.onnx"
    named = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    axes = {"dynamic_shapes": ({0: "batch"},)} if dynamo else named
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own code
        torch.onnx.export(network, (torch.zeros(2, 3, 32, 32),), str(path), dynamo=dynamo, verbose=False, **axes)
    assert path.with_name("plain.onnx.data").exists() is dynamo
    given.preprocess.write_text(json.dumps({**STAGES, "height": 32, "width": 32}))
    found = onnx_classifier(path, 1, given)
    batch = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        np.testing.assert_allclose(found.logits(batch.numpy()), network(batch).numpy(), atol=1e-5)


def test_probabilities_are_told_from_logits(tmp_path, given):
    softmax = node("Softmax", "logits", "y", axis=1)
    head = node("Gemm", "means", "weights", "bias", "logits")
    path = model(tmp_path / "foreign.onnx", MEANS, head, softmax, inputs=IMAGES, outputs=ANSWERS)
    found = onnx_classifier(path, 1, given)
    assert found.output == "probabilities"
    assert found.findings[0]["reason"].endswith("its answers are probabilities")
    expected = linear()(images(4))
    expected -= np.log(np.exp(expected).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.logits(images(4)), expected, atol=1e-4)


def test_pixels(tmp_path, given):
    nodes = [
        node("Cast", "x", "float", to=FLOAT),
        node("Transpose", "float", "chw", perm=[0, 3, 1, 2]),
        node("ReduceMean", "chw", "axes", "means", keepdims=0),
    ]
    path = model(tmp_path / "foreign.onnx", *nodes, HEAD, inputs={"x": (BYTES, ["N", 8, 12, 3])}, outputs=ANSWERS)
    found = onnx_classifier(path, 1, given)
    assert found.preprocess.normalized_in_graph
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), dtype=np.uint8)
    np.testing.assert_allclose(found.logits(pixels), linear()(pixels.transpose(0, 3, 1, 2)), rtol=1e-4)


def test_a_graph_of_any_size_takes_the_size_that_is_told(tmp_path, given):
    path = model(
        tmp_path / "foreign.onnx", MEANS, HEAD, inputs={"x": (FLOAT, ["N", 3, "h", "w"])}, outputs={"y": (FLOAT, None)}
    )
    assert onnx_classifier(path, 1, given).preprocess == Preprocess(8, 12)


def test_a_fixed_batch_is_read_and_refused_for_another_size(tmp_path, given):
    inputs, outputs = {"x": (FLOAT, [1, 3, 8, 12])}, {"y": (FLOAT, [1, 5])}
    found = onnx_classifier(model(tmp_path / "foreign.onnx", MEANS, HEAD, inputs=inputs, outputs=outputs), 1, given)
    assert found.logits(images(1)).shape == (1, 5)
    with pytest.raises(ModelError, match="cannot answer for a batch of 2"):
        found.logits(images(2))


# What is missing


def test_nothing_is_given(tmp_path):
    path = write_onnx_file(tmp_path / "model.onnx", contract=None)
    with pytest.raises(ModelError, match=r"no clf\.contract, so its labels and preprocessing are unknown") as caught:
        onnx_classifier(path)
    assert "--labels FILE --preprocess FILE" in (caught.value.hint or "")


def test_half_is_given(tmp_path, given):
    path = write_onnx_file(tmp_path / "model.onnx", contract=None)
    with pytest.raises(ModelError, match="so its preprocessing is unknown") as caught:
        onnx_classifier(path, 1, Given(given.labels, None))
    assert "--labels" not in (caught.value.hint or "")
    with pytest.raises(ModelError, match="so its labels are unknown"):
        onnx_classifier(path, 1, Given(None, given.preprocess))


@pytest.mark.parametrize(
    "names",
    [
        str(dict(enumerate(LABELS))),  # as Ultralytics writes it
        json.dumps(dict(enumerate(LABELS))),  # as clf does
        json.dumps(list(LABELS)),
    ],
)
def test_names_in_the_metadata_stand_for_labels(tmp_path, given, names):
    path = write_onnx_file(tmp_path / "model.onnx", metadata={"names": names})
    found = onnx_classifier(path, 1, Given(None, given.preprocess))
    assert found.labels == LABELS
    assert "labels from its metadata key names" in found.findings[0]["reason"]


@pytest.mark.parametrize("names", ["", "cat, dog", "{0: 'a', 2: 'b'}", "[1, 2]", "__import__('os')", "[" * 9999])
def test_names_that_are_none(tmp_path, given, names):
    path = write_onnx_file(tmp_path / "model.onnx", metadata={"names": names})
    with pytest.raises(ModelError, match="so its labels are unknown"):
        onnx_classifier(path, 1, Given(None, given.preprocess))


def test_a_file_with_a_contract_needs_nothing(tmp_path, given):
    path = write_onnx_file(tmp_path / "model.onnx")
    for some in (given, Given(given.labels, None), Given(None, given.preprocess)):
        with pytest.raises(UsageError, match="says its labels and preprocessing itself"):
            onnx_classifier(path, 1, some)


# What does not fit


@pytest.mark.parametrize("count", [1, 4, 6])
def test_another_number_of_labels(tmp_path, given, count):
    given.labels.write_text("\n".join(map(str, range(count))))
    path = write_onnx_file(tmp_path / "model.onnx", contract=None)
    with pytest.raises(ModelError, match=rf"has {count} class names, .*model\.onnx answers with 5 numbers"):
        onnx_classifier(path, 1, given)


def test_another_size(tmp_path, given):
    given.preprocess.write_text(json.dumps({**STAGES, "width": 8}))
    path = write_onnx_file(tmp_path / "model.onnx", contract=None)
    with pytest.raises(ModelError, match=r"says height 8 and width 8, .* takes input \[batch_size, 3, 8, 12\]"):
        onnx_classifier(path, 1, given)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (FLOAT, ["N", 5]),
        (FLOAT, ["N", 1, 8, 12]),
        (FLOAT, ["N", 8, 12, 3]),
        (FLOAT, [3, 8, 12]),
        (FLOAT, None),
        (BYTES, ["N", 3, 8, 12]),
        (TensorProto.INT64, ["N", 3, 8, 12]),
        (TensorProto.FLOAT16, ["N", 3, 8, 12]),
    ],
)
def test_an_input_that_is_no_image(tmp_path, given, kind, shape):
    nodes = [node("Cast", "x", "float", to=FLOAT), node("Shape", "float", "y")]
    path = model(
        tmp_path / "foreign.onnx", *nodes, inputs={"x": (kind, shape)}, outputs={"y": (TensorProto.INT64, None)}
    )
    with pytest.raises(ModelError, match=r"takes no images: its input x is tensor\("):
        onnx_classifier(path, 1, given)


def test_several_inputs_or_none(tmp_path, given):
    two = {**IMAGES, "z": (FLOAT, ["N", 5])}
    added = [MEANS, node("Gemm", "means", "weights", "bias", "logits"), node("Add", "logits", "z", "y")]
    path = model(tmp_path / "foreign.onnx", *added, inputs=two, outputs=ANSWERS)
    with pytest.raises(ModelError, match=r"has 2 inputs \(x, z\), an image classifier has one"):
        onnx_classifier(path, 1, given)
    path = model(tmp_path / "foreign.onnx", node("Identity", "bias", "y"), inputs={}, outputs={"y": (FLOAT, [5])})
    with pytest.raises(ModelError, match=r"has 0 inputs \(none\)"):
        onnx_classifier(path, 1, given)


def test_several_outputs(tmp_path, given):
    outputs = {**ANSWERS, "means": (FLOAT, ["N", 3])}
    path = model(tmp_path / "foreign.onnx", MEANS, HEAD, inputs=IMAGES, outputs=outputs)
    with pytest.raises(ModelError, match=r"has 2 outputs \(y, means\)"):
        onnx_classifier(path, 1, given)


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        ([node("Identity", "x", "y")], FLOAT),
        ([node("ReduceMean", "x", "axes", "y", keepdims=1)], FLOAT),
        ([node("ReduceSum", "x", "z", keepdims=0), node("Identity", "z", "y")], FLOAT),
        ([MEANS, node("ArgMax", "means", "y", axis=1, keepdims=1)], TensorProto.INT64),
        ([MEANS, node("Cast", "means", "y", to=TensorProto.FLOAT16)], TensorProto.FLOAT16),
    ],
)
def test_an_output_that_is_no_number_for_each_class(tmp_path, given, nodes, kind):
    path = model(tmp_path / "foreign.onnx", *nodes, inputs=IMAGES, outputs={"y": (kind, None)})
    with pytest.raises(ModelError, match="is no classifier: for 2 images its output y is"):
        onnx_classifier(path, 1, given)


# The files


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.txt", "cat\ndog\n", ["cat", "dog"]),
        ("a.txt", "\ufeffcat\r\ndog", ["cat", "dog"]),
        ("a.txt", "\n0\n00\nü ß\n", ["", "0", "00", "ü ß"]),
        ("a.names", "a\u2028b\n c ", ["a\u2028b", " c "]),
        ("a.json", '["cat", "dog"]', ["cat", "dog"]),
        ("a.json", '{"1": "dog", "0": "cat"}', ["cat", "dog"]),
        ("a.json", '{"dog": 1, "cat": 0}', ["cat", "dog"]),
        ("a.json", '{"labels": 0, "cat": 1}', ["labels", "cat"]),
        ("a.json", json.dumps(labels_mapping(CONTRACT)), list(LABELS)),
        ("a.json", json.dumps(CONTRACT.to_json()), list(LABELS)),
    ],
)
def test_names_from_files(tmp_path, name, text, names):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert read_names(tmp_path / name) == names


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"", "labels is empty"),
        ("a.txt", b"a\nb\na\n", "'a' more than once"),
        ("a.txt", b"\xff\xfe", "no UTF-8 text"),
        ("a.json", b"{", "is no JSON"),
        ("a.json", b"[" * 99999, "is no JSON"),
        ("a.json", b"[1, 2]", "holds no class names"),
        ("a.json", b"[]", "holds no class names"),
        ("a.json", b"3", "holds no class names"),
        ("a.json", b'{"0": "a", "2": "b"}', "holds no class names"),
        ("a.json", b'["a", "a"]', "'a' more than once"),
        ("gone.txt", None, "gone.txt cannot be read: No such file"),
        ("folder", None, "Is a directory"),
    ],
)
def test_files_without_names(tmp_path, name, content, words):
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        read_names(tmp_path / name)
    assert name in caught.value.message


def test_preprocessing_from_files(tmp_path):
    expected = Preprocess(8, 12)
    files = {
        "a.toml": toml(),
        "b.toml": f"[preprocess]\n{toml()}",
        "c.json": json.dumps(STAGES),
        "d.json": json.dumps(labels_mapping(CONTRACT)),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        assert read_preprocess(tmp_path / name) == expected, name
    (tmp_path / "e.toml").write_text(toml(resize_mode="letterbox", background=[1, 2, 3]))
    assert read_preprocess(tmp_path / "e.toml").background == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "text", "words", "hint"),
    [
        ("a.toml", toml(mean=None, std=None), "lacks mean, std", "Every stage"),
        ("a.toml", toml(resize_mode="letterbox"), "lacks background", "Every stage"),
        ("a.toml", toml(crop_pct=0.9), "the key 'crop_pct'", "Did you mean crop_share?"),
        ("a.toml", toml(colour="BGR"), "the key 'colour'", "Known: height, width"),
        ("a.toml", toml(height="8"), "height is '8', not a whole number", None),
        ("a.toml", toml(interpolation="area"), "interpolation is 'area', not 'nearest' or", None),
        ("a.toml", toml(std=[0, 1, 1]), "std is .*, not three numbers above 0", None),
        ("a.toml", "height: 8", "is no TOML", "It needs height, width"),
        ("a.json", "{", "is no JSON", None),
        ("a.json", "[]", "holds no keys", "It needs height, width"),
        ("a.json", '{"contract": {"version": 9}}', "contract version 9", None),
        ("a.json", '{"contract": {}}', "its contract cannot be read: 'version'", None),
    ],
)
def test_files_without_preprocessing(tmp_path, name, text, words, hint):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        read_preprocess(tmp_path / name)
    assert name in caught.value.message
    assert (hint or "") in (caught.value.hint or "")
