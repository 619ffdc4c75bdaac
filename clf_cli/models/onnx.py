"""An exported ONNX file as a logits function with its contract. Never imports torch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types

from clf_cli.errors import ModelError, UsageError, first_line
from clf_cli.models.classifier import Classifier
from clf_cli.models.onnx_given import NOTHING, Given, given_contract, unknown
from clf_cli.models.onnx_limits import bounded_memory, check_limits
from clf_cli.models.onnx_outside import check_outside, not_onnx
from clf_cli.reading import parse_json
from clf_cli.values.contract import CONTRACT_KEY, Contract, GivenContract, NewerContractError
from clf_cli.values.predictions import LOG_FLOOR, FloatArray
from clf_cli.values.preprocess import InputArray
from clf_cli.values.run_dir import run_of

EXPORT_AGAIN = "Export it again with `clf export CHECKPOINT -o FILE`."
CPU = ("CPUExecutionProvider",)
_FATAL = 4  # ONNX Runtime's log severity: its warnings and errors reach people through ours


def onnx_logits(path: Path, threads: int | None = None) -> tuple[Callable[[InputArray], FloatArray], Contract]:
    """A function from the file's inputs to float32 (N, C) logits on the CPU, for any N >= 1, and the contract.

    Where the file answers with probabilities, it gives their log (values.predictions.log_probabilities).

    `threads` is the number of math threads, None ONNX Runtime's own choice. Raises ModelError (exit 4) for a file that
    is missing, no ONNX, cut short, not from clf, or whose contract does not describe its graph.
    """
    logits, contract, _ = _opened(path, threads, NOTHING)
    return logits, contract


def _opened(
    path: Path, threads: int | None, given: Given
) -> tuple[Callable[[InputArray], FloatArray], Contract, GivenContract | None]:
    session = open_session(path, threads, spin=False)
    if CONTRACT_KEY in _metadata(path, session):
        if given:
            raise UsageError(
                f"{path} says its labels and preprocessing itself.", "Leave --labels and --preprocess away."
            )
        contract, stand_in = contract_of(path, session), None
        check_graph(path, session, contract)
    else:
        stand_in = given_contract(path, session, given, lambda contract: logits_of(path, session, contract))
        contract = stand_in.contract
    return logits_of(path, session, contract), contract, stand_in


def logits_of(path: Path, session: ort.InferenceSession, contract: Contract) -> Callable[[InputArray], FloatArray]:
    """What `onnx_logits` gives, of a session that is open already, wherever it runs."""
    providers = session.get_providers()

    def logits(images: InputArray) -> FloatArray:
        try:
            with bounded_memory(providers):
                answer: FloatArray = session.run([contract.answers], {contract.input_name: images})[0]
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            reason = _reason(error)
            raise ModelError(f"{path} cannot answer for a batch of {len(images)}: {reason}", EXPORT_AGAIN) from error
        return answer if contract.output == "logits" else np.log(np.maximum(answer, np.float32(LOG_FLOOR)))

    return logits


def onnx_classifier(path: Path, threads: int | None = None, given: Given = NOTHING) -> Classifier:
    """The file, opened, whatever its suffix; `given` stands in for the contract that a file of another tool lacks.

    Raises ModelError like `onnx_logits`, UsageError (exit 2) for a file of `given` that cannot be used or is not
    needed.
    """
    logits, contract, stand_in = _opened(path, threads, given)
    return Classifier(
        logits=logits,
        labels=contract.labels,
        preprocess=contract.preprocess,
        arch=contract.arch,
        weights=contract.weights,
        score=contract.score,
        run_id=contract.run_id,
        data_fingerprint=contract.data_fingerprint,
        path=path,
        run=None if stand_in else run_of(path),
        temperature=contract.temperature,
        thresholds=contract.thresholds,
        output=contract.output,
        precision=contract.precision,
        given=stand_in,
    )


def read_contract(path: Path) -> Contract:
    """What the file says of itself; raises ModelError like `onnx_logits`, but does not compare it with the graph."""
    return contract_of(path, open_session(path, 1))


def open_session(
    path: Path, threads: int | None, providers: Sequence[str] = CPU, profile: Path | None = None, spin: bool = True
) -> ort.InferenceSession:
    """The file in ONNX Runtime; each node runs on the first of `providers` that takes it.

    With `profile` it times every node until `end_profiling`, in a file whose name starts with that path. `spin` lets
    its threads wait busily between the nodes of a call, which is fast alone; two of them beside other work on two cores
    took 1.6 times the CPU time of one (resnet18, int8, 96 px), and 1.2 times asleep. Raises ModelError (exit 4) when it
    cannot be opened, or keeps weights elsewhere than in `<name>.data` beside it.
    """
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not an ONNX file.", f"Name the file, such as {path / 'model.onnx'}.")
    if not path.is_file():
        raise ModelError(f"There is no file {path}.", "`clf export RUN` writes one and prints its path.")
    check_outside(path)
    check_limits(path)
    ort.set_default_logger_severity(_FATAL)  # of its allocators, which write to the terminal in colours
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    # Else its threads spin for tens of milliseconds after every call, and take the cores from what comes next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if not spin:  # images are decoded beside it
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    try:  # its fallback would print on stdout
        with bounded_memory(providers):  # it computes constants now
            return ort.InferenceSession(str(path), options, providers=list(providers), enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        if type(error).__name__ == "InvalidProtobuf" or "No graph was found" in str(error):
            raise not_onnx(path) from error
        size = path.stat().st_size
        message = f"{path} ({size:,} bytes) cannot be opened by ONNX Runtime {ort.__version__}: {_reason(error)}"
        raise ModelError(message, EXPORT_AGAIN) from error


def _reason(error: Exception) -> str:
    """ONNX Runtime's words on one line, without its prefix of error codes."""
    return " ".join(str(error).split()).rpartition(" : ")[2]


def contract_of(path: Path, session: ort.InferenceSession) -> Contract:
    """What an opened file says of itself; raises ModelError (exit 4) when it has no contract that can be read."""
    text = _metadata(path, session).get(CONTRACT_KEY)
    if text is None:
        raise unknown(path, labels=True, preprocess=True)
    try:
        return Contract.from_json(parse_json(text))
    except KeyError as error:
        raise ModelError(f"{path}: its {CONTRACT_KEY} lacks the key {error.args[0]}.", EXPORT_AGAIN) from error
    except NewerContractError as error:
        raise ModelError(f"{path}: {error}.", "Upgrade clf to read it.") from error
    except ValueError as error:
        raise ModelError(f"{path}: its {CONTRACT_KEY} cannot be read: {first_line(error)}.", EXPORT_AGAIN) from error


def _metadata(path: Path, session: ort.InferenceSession) -> dict[str, str]:
    try:
        found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: its metadata are no UTF-8 text.", EXPORT_AGAIN) from error
    return found


def check_graph(path: Path, session: ort.InferenceSession, contract: Contract) -> None:
    """Raises ModelError (exit 4) when the contract does not describe the file's input and output."""
    kind = "tensor(uint8)" if contract.preprocess.normalized_in_graph else "tensor(float)"
    wanted_input = (contract.input_name, kind, list(contract.preprocess.input_shape))
    wanted_output = (contract.answers, "tensor(float)", [len(contract.labels)])
    found_inputs = [_described(node) for node in session.get_inputs()]
    found_outputs = [_described(node) for node in session.get_outputs()]
    for what, wanted, found in (("input", wanted_input, found_inputs), ("output", wanted_output, found_outputs)):
        if found != [wanted]:
            raise ModelError(
                f"{path}: its {CONTRACT_KEY} does not describe its graph: {what} should be {_shown(wanted)}, "
                f"the graph has {', '.join(_shown(one) for one in found) or 'none'}.",
                EXPORT_AGAIN,
            )


def _described(node: Any) -> tuple[str, str, list[int | str | None]]:
    """Name, type and the shape after the batch axis."""
    return node.name, node.type, list(node.shape[1:])


def _shown(tensor: tuple[str, str, list[Any]]) -> str:
    name, kind, shape = tensor
    return f"{name} {kind} [N, {', '.join(map(str, shape))}]"
