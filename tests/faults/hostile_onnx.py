"""ONNX files that a stranger may send."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.run_dir import RunDir
from tests.faults.hostile_case import MODEL, RIGHT, Build, Case
from tests.onnx_models import write_onnx_file

Edit = Callable[[onnx.ModelProto], object]


def edited(change: Edit, command: str = "predict") -> Build:
    """A small sound file of ours, changed, and an image for it."""

    def build(folder: Path, run: RunDir) -> list[Any]:
        path = write_onnx_file(folder / "a.onnx")
        model = onnx.load(path)
        change(model)
        path.write_bytes(model.SerializeToString())
        return [command, path, *images(run)[: 1 if command == "predict" else 0]]

    return build


def images(run: RunDir) -> list[Path]:
    data = Path(json.loads(run.report("dataset").read_text())["data"]["path"])
    return sorted(data.rglob("*.png"))


def contract(**changes: Any) -> Build:
    """The contract says otherwise; a double underscore goes into a section."""

    def change(model: onnx.ModelProto) -> None:
        for entry in model.metadata_props:
            if entry.key == CONTRACT_KEY:
                data = json.loads(entry.value)
                for name, value in changes.items():
                    section, _, key = name.partition("__")
                    if key:
                        data[section][key] = value
                    else:
                        data[section] = value
                entry.value = json.dumps(data)

    return edited(change)


def contract_text(text: str) -> Build:
    def change(model: onnx.ModelProto) -> None:
        for entry in model.metadata_props:
            if entry.key == CONTRACT_KEY:
                entry.value = text

    return edited(change)


def outside(location: str, offset: int = 0, length: int = 60) -> Edit:
    """The weights lie in another file."""

    def change(model: onnx.ModelProto) -> None:
        tensor = next(one for one in model.graph.initializer if len(one.dims) == 2)
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    return change


def linked(folder: Path, run: RunDir) -> list[Any]:
    """Its data file is a link to a file elsewhere."""
    (folder / "secret").mkdir()
    (folder / "secret" / "x").write_bytes(bytes(60))
    arguments = edited(outside("a.onnx.data"))(folder, run)
    (folder / "a.onnx.data").symlink_to(folder / "secret" / "x")
    return arguments


def before_logits(nodes: Sequence[onnx.NodeProto], tensors: Sequence[onnx.TensorProto] = ()) -> Edit:
    """The nodes come between the network, whose output they know as `l0`, and the output."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.node[-1].output[0] = "l0"
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(tensors)

    return change


def loop() -> onnx.NodeProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Identity", ["x"], ["x2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x2", TensorProto.FLOAT, None),
        ],
    )
    return helper.make_node("Loop", ["n", "t", "l0"], ["logits"], body=body)


def graphs(depth: int) -> onnx.NodeProto:
    """`If` inside `If`."""
    inner = helper.make_graph([helper.make_node("Identity", ["l0"], ["b"])], "g", [], [_value("b")])
    for number in range(depth):
        other = helper.make_graph(
            [helper.make_node("Identity", ["l0"], [f"o{number}"])], "o", [], [_value(f"o{number}")]
        )
        node = helper.make_node("If", ["t"], [f"b{number}"], then_branch=inner, else_branch=other)
        inner = helper.make_graph([node], "g", [], [_value(f"b{number}")])
    return helper.make_node("If", ["t"], ["logits"], then_branch=inner, else_branch=inner)


def _value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def reshaped(*dims: int) -> Edit:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[-1].dims[:] = dims

    return change


def metadata(size: int) -> Edit:
    def change(model: onnx.ModelProto) -> None:
        entry = model.metadata_props.add()
        entry.key, entry.value = "more", "x" * size

    return change


def big(count: int) -> Edit:
    """The biggest number of as many ones is added to every logit."""
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["ones"]),
        helper.make_node("ReduceMax", ["ones"], ["m"], keepdims=0),
        helper.make_node("Add", ["l0", "m"], ["logits"]),
    ]
    return before_logits(nodes, [helper.make_tensor("s", TensorProto.INT64, [1], [count])])


def custom(domain: str) -> Edit:
    def change(model: onnx.ModelProto) -> None:
        before_logits([helper.make_node("Run", ["l0"], ["logits"], domain=domain)])(model)
        model.opset_import.append(helper.make_opsetid(domain, 1))

    return change


def raw(content: bytes) -> Build:
    def build(folder: Path, run: RunDir) -> list[Any]:
        (folder / "a.onnx").write_bytes(content)
        return ["predict", folder / "a.onnx", images(run)[0]]

    return build


_TRUE = helper.make_tensor("t", TensorProto.BOOL, [], [True])
_NAN = float("nan")

ONNX: dict[str, Case] = {
    "onnx: weights in ../../etc/passwd": Case(edited(outside("../../etc/passwd")), MODEL, "clf reads no such file"),
    "onnx: weights in /etc/passwd": Case(edited(outside("/etc/passwd")), MODEL, "clf reads no such file"),
    "onnx: weights in a link": Case(linked, MODEL, "does not lie beside it"),
    "onnx: weights before the start of a file": Case(edited(outside("a.onnx.data", offset=-8)), MODEL, "does not lie"),
    "onnx: weights of 2^62 bytes": Case(edited(outside("a.onnx.data", length=1 << 62)), MODEL, "does not lie"),
    "onnx: weights at an address": Case(edited(outside("http://host/x")), MODEL, "clf reads no such file"),
    "onnx: an operator of another library": Case(edited(custom("evil")), MODEL, "loads no libraries"),
    "onnx: an operator of a domain of letters": Case(edited(custom("\x1b[2J")), MODEL, "loads no libraries"),
    "onnx: an operator that ONNX does not have": Case(
        edited(before_logits([helper.make_node("Evil", ["l0"], ["logits"])])), MODEL, "checker"
    ),
    "onnx: a loop of 2^62 steps": Case(
        edited(before_logits([loop()], [helper.make_tensor("n", TensorProto.INT64, [], [1 << 62]), _TRUE])),
        MODEL,
        "never end",
    ),
    "onnx: 20 graphs inside each other": Case(edited(before_logits([graphs(20)], [_TRUE])), MODEL, "inside each other"),
    "onnx: 100,001 nodes": Case(
        edited(lambda m: m.graph.node.extend([helper.make_node("Identity", ["l0"], ["l1"])] * 100_001)),
        MODEL,
        "100,000 nodes",
    ),
    "onnx: a tensor of 2^40 numbers": Case(edited(reshaped(1 << 20, 1 << 20)), MODEL, "tensor of shape"),
    "onnx: a tensor of 2^128 numbers": Case(edited(reshaped(1 << 62, 1 << 62)), MODEL, "tensor of shape"),
    "onnx: a tensor of less than no numbers": Case(edited(reshaped(-1, -5)), MODEL, "tensor of shape"),
    "onnx: 4 TB are made": Case(edited(big(1 << 40)), MODEL, "cannot answer"),
    "onnx: more than all memory is made": Case(edited(big(1 << 62)), MODEL, "cannot"),
    "onnx: 100 MB of metadata": Case(edited(metadata(100 << 20)), MODEL, "its metadata have"),
    "onnx: metadata that are no text": Case(
        lambda folder, run: _replaced(folder, run, "grün".encode(), b"gr\xff\xfen"), MODEL, ""
    ),
    "onnx: no graph": Case(edited(lambda m: m.ClearField("graph")), MODEL, ""),
    "onnx: a graph without nodes": Case(edited(lambda m: m.graph.ClearField("node")), MODEL, ""),
    "onnx: a version of the future": Case(edited(lambda m: setattr(m, "ir_version", 9999)), MODEL, ""),
    "onnx: an operator set of the future": Case(
        edited(lambda m: setattr(m.opset_import[0], "version", 9999)), MODEL, ""
    ),
    "onnx: a circle": Case(edited(lambda m: m.graph.node[0].input.__setitem__(0, "logits")), MODEL, ""),
    "onnx: zero bytes": Case(raw(bytes(1000)), MODEL, "not an ONNX file"),
    "onnx: messages nested 50,000 deep": Case(raw(b"\x3a\xff\x7f" * 50_000), MODEL, "not an ONNX file"),
    "onnx: a length of 2^63": Case(raw(b"\x3a" + b"\xff" * 9 + b"\x01"), MODEL, "not an ONNX file"),
    "onnx: a number without an end": Case(raw(b"\x08" + b"\xff" * 100), MODEL, "not an ONNX file"),
    "onnx: a contract nested 100,000 deep": Case(contract_text("[" * 100_000), MODEL, "cannot be read"),
    "onnx: a contract of null": Case(contract_text("null"), MODEL, "cannot be read"),
    "onnx: a contract with a number of 5,000 digits": Case(
        contract_text('{"version": ' + "1" * 5000 + "}"), MODEL, "digits"
    ),
    "onnx: a contract of the future": Case(contract(version=2), MODEL, "contract version 2"),
    "onnx: a contract with 10^9 pixels a side": Case(contract(input__height=10**9), MODEL, "4,096"),
    "onnx: a contract with a mean of NaN": Case(contract(preprocess__mean=[_NAN] * 3), MODEL, "mean"),
    "onnx: a contract with a mean beyond all floats": Case(contract(preprocess__mean=[10**400] * 3), MODEL, "digits"),
    "onnx: a contract with a deviation of -1": Case(contract(preprocess__std=[-1, 1, 1]), MODEL, "std"),
    "onnx: a contract that enlarges by 10^9": Case(contract(preprocess__crop_share=1e-9), MODEL, "crop_share"),
    "onnx: a contract with half a letter": Case(contract(labels=["\ud800", "b", "c", "d", "e"]), MODEL, "Unicode"),
    "onnx: a contract with a label of 10^5 letters": Case(contract(labels=["x" * 10**5, *"bcde"]), MODEL, "1,000"),
    "onnx: a contract with 10^6 labels": Case(contract(labels=["x"] * 10**6), MODEL, "100,000 at most"),
    "onnx: a contract with labels that steer a terminal": Case(
        contract(labels=["\x1b]0;x\x07", "\u202eb", "[red]c", "=1+1", "\r\n"]), RIGHT, ""
    ),
    "onnx: a contract with a temperature of 0": Case(contract(temperature=0), MODEL, "temperature"),
    "onnx: a contract with thresholds of NaN": Case(contract(thresholds=[_NAN] * 5), MODEL, "thresholds"),
    "onnx: a contract of an architecture elsewhere": Case(contract(arch="hf-hub:owner/name"), RIGHT, ""),
    "onnx: a contract with a run that is a path": Case(contract(run_id="../../x"), RIGHT, ""),
}


def _replaced(folder: Path, run: RunDir, old: bytes, new: bytes) -> list[Any]:
    arguments = edited(lambda model: None)(folder, run)
    path: Path = arguments[1]
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return arguments
