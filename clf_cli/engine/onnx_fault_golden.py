"""Which stage is at fault where there is no checkpoint: the known ways to be wrong, against the golden answers."""

from dataclasses import replace

import numpy as np

from clf_cli.engine.onnx_answers import GivenAnswers
from clf_cli.engine.onnx_answers_match import Matcher
from clf_cli.engine.onnx_answers_search import Inquiry, explain_answers
from clf_cli.engine.onnx_consumer import Consumer
from clf_cli.engine.onnx_fault import Fault
from clf_cli.engine.onnx_fault_images import Pictures
from clf_cli.engine.onnx_golden import Golden
from clf_cli.engine.onnx_parity import in_order


def golden_faults(consumer: Consumer, golden: Golden, tolerance: float) -> tuple[Fault, ...]:
    """What the contract would have to say for the golden images to be answered as the golden logits are; none where no
    known way does it. `golden` is of the same labels and size as the file."""
    values = in_order(golden.logits, golden.labels, consumer.labels)
    given = GivenAnswers(
        file=consumer.path,
        told="logits",
        paths=tuple(image.source for image in golden.images),
        labels=np.asarray(values.argmax(axis=1), dtype=np.int64),
        values=values.astype(np.float64),
    )
    pictures = Pictures(tuple(image.pixels for image in golden.images))
    found = explain_answers(Inquiry(consumer, pictures, Matcher(given, consumer.labels, None, 1.0, tolerance)))
    if not found.reproduced:
        return ()
    return tuple(replace(fault, found=fault.expected, expected=fault.found) for fault in found.faults)
