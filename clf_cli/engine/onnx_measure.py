"""What flows through a network on real images: the range of its tensors, how they are spread, their channels' means."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]  # ships no types

from clf_cli.values.preprocess import InputArray

BATCH = 8  # images per call: every tensor that is looked at is in memory for all of them
_BINS = 8192


@dataclass
class Measured:
    """Of one tensor over all images. `counts` are of `_BINS` equal bins from `low` to `high`.

    `channel_means` (C,) are over images and positions, the channels being axis 1 of four axes, else the last.
    """

    low: float = np.inf
    high: float = -np.inf
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    channel_sums: npt.NDArray[np.float64] | float = 0.0
    per_channel: int = 0

    @property
    def channel_means(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.channel_sums) / max(1, self.per_channel)

    def percentile(self, share: float) -> tuple[float, float]:
        """The range that holds this share of the values below its end and above its start; 0 is always in it.

        An end at or beside 0 stays where it is: what lies there is many equal values, not a tail.
        """
        edges = np.linspace(self.low, self.high, _BINS + 1)
        part = np.cumsum(self.counts) / max(1, self.counts.sum())
        low = float(edges[np.searchsorted(part, 1 - share)])
        high = float(edges[min(_BINS, int(np.searchsorted(part, share)) + 1)])
        return (low if self.low < 0 else 0.0), (high if self.high > 0 else 0.0)

    def look(self, values: npt.NDArray[np.floating]) -> None:
        """The first time that a batch is shown: its ends."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def average(self, values: npt.NDArray[np.floating]) -> None:
        axes = (0, 2, 3) if values.ndim == 4 else tuple(range(values.ndim - 1))
        self.channel_sums = self.channel_sums + values.sum(axis=axes, dtype=np.float64)
        self.per_channel += values.size // np.size(self.channel_sums)

    def count(self, values: npt.NDArray[np.floating]) -> None:
        """The second time, once the ends of all are known."""
        if self.high > self.low:
            self.counts += np.histogram(values, _BINS, (self.low, self.high))[0]


def ends(model: onnx.ModelProto, names: Iterable[str], inputs: InputArray) -> dict[str, Measured]:
    """The least and the largest value of each of the float tensors `names` for `inputs` (N, ...), on one CPU thread.

    Raises whatever ONNX Runtime does.
    """
    found = {name: Measured() for name in names}
    for values in _flow(model, tuple(found), inputs):
        for name, measured in found.items():
            measured.look(values[name])
    return found


def measure(
    model: onnx.ModelProto, names: Iterable[str], channels: Iterable[str], inputs: InputArray
) -> dict[str, Measured]:
    """As `ends`, with the spread of the values of `names` and the means of `channels`: the network runs twice."""
    spread, averaged = tuple(dict.fromkeys(names)), tuple(dict.fromkeys(channels))
    found = ends(model, dict.fromkeys((*spread, *averaged)), inputs)
    for values in _flow(model, tuple(found), inputs):
        for name in spread:
            found[name].count(values[name])
        for name in averaged:
            found[name].average(values[name])
    return found


def _flow(model: onnx.ModelProto, names: tuple[str, ...], inputs: InputArray) -> Iterator[dict[str, InputArray]]:
    """The tensors of each batch, by name."""
    given = model.graph.input[0].name
    inner = [name for name in names if name != given]
    session = _session(model, inner)
    for start in range(0, len(inputs), BATCH):
        batch = inputs[start : start + BATCH]
        yield dict(zip(inner, session.run(inner, {given: batch}), strict=True)) | {given: batch}


def _session(model: onnx.ModelProto, names: Iterable[str]) -> ort.InferenceSession:
    """The model with more outputs."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    outputs = {value.name for value in watched.graph.output}
    for name in names:
        if name not in outputs:
            watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
