"""Whether an ONNX file answers like its reference, as tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_parity import Flip, ImagesParity, Parity
from clf_cli.render.junit import Case
from clf_cli.render.onnx_fault import of_file
from clf_cli.render.text import UNDEFINED, counted, label, percent

FLIPS = 20
_NEEDS = {
    "preprocessing": "there is neither a checkpoint nor golden samples to compare with",
    "images": "no images were compared",
    "accuracy": "no images were compared",
    "golden tensors": "there are no golden samples beside the file",
    "golden images": "there are no golden samples beside the file",
    "score": "the contract has no score, or not of these images",
}


def table(result: OnnxCheckResult) -> RenderableType:
    """What was compared and how far apart it is, the images that got another class, and the answer."""
    compared = _comparisons(result)
    parts: list[RenderableType] = [compared if compared.row_count else Text(basis(result))]
    if result.images is not None and result.images.flips:
        parts.append(_flips(result.images.flips))
    return Group(*parts, *(Text(line) for line in _lines(result)))


def basis(result: OnnxCheckResult) -> str:
    """What the file was held against, in words."""
    if result.reference is not None:
        return f"compared with {result.reference.path} ({result.reference.weights} weights)"
    if not result.compared_with:
        return "not compared: it cannot answer"
    *others, last = result.compared_with
    names = f"{', '.join(others)} and {last}" if others else last
    return f"not compared with a checkpoint, but with its own {names}"


def cases(result: OnnxCheckResult) -> tuple[Case, ...]:
    """The checks for JUnit; those that had nothing to compare with are skipped, so that the names stay."""
    flips = () if result.images is None else result.images.flips
    failed = [one.name for one in result.checks if not one.passed]
    details = {"images": [_flip_line(flip) for flip in flips]}
    if failed:
        first = "images" if "images" in failed else failed[0]
        details[first] = [*_faults(result), *details.get(first, ())]
    made = tuple(Case(one.name, one.reasons, tuple(details.get(one.name, ()))) for one in result.checks)
    names = {case.name for case in made}
    return (*made, *(Case(name, skipped=why) for name, why in _NEEDS.items() if name not in names))


def _comparisons(result: OnnxCheckResult) -> Table:
    grid = Table(title=basis(result), title_justify="left")
    grid.add_column("compared")
    for name in ("images", "same class", "logits differ", "99 %", "relative", "probability"):
        grid.add_column(name, justify="right")
    for batch in result.batches:
        grid.add_row(f"batch size {batch.size}", *_cells(batch.parity))
    if result.golden is not None:
        grid.add_row("golden tensors", *_cells(result.golden.from_tensors))
        grid.add_row("golden images", *_cells(result.golden.from_images))
    if result.images is not None:
        grid.add_row("images from their files", *_cells(result.images.parity))
    return grid


def _cells(found: Parity) -> tuple[str, ...]:
    """The share of equal classes leaves ties out."""
    logits = (found.logit_difference, found.logit_difference_p99, found.relative_difference)
    numbers = (*logits, found.probability_difference)
    return f"{found.images:,}", percent(found.agreement), *(_small(number) for number in numbers)


def _flips(flips: tuple[Flip, ...]) -> Table:
    grid = Table(title=f"{counted(len(flips), 'image')} with another class", title_justify="left")
    for name in ("image", "true", "reference", "ONNX", ""):
        grid.add_column(name)
    for flip in flips[:FLIPS]:
        names = (label(flip.label), label(flip.reference), label(flip.onnx))
        grid.add_row(Text(flip.path), *(Text(name) for name in names), "tie" if flip.tie else "")
    if len(flips) > FLIPS:
        grid.add_row(f"and {len(flips) - FLIPS} more (--json lists all)")
    return grid


def _flip_line(flip: Flip) -> str:
    return f"{flip.path}: {flip.reference!r}, ONNX {flip.onnx!r}{' (tie)' if flip.tie else ''}"


def _lines(result: OnnxCheckResult) -> list[str]:
    graph, placement = result.graph, result.placement
    lines = [f"opset {graph.opset}, {counted(graph.nodes, 'node')}, {graph.bytes / 1e6:.1f} MB"]
    if placement is not None:
        ran = (f"{counted(count, 'node')} on {name}" for name, count in placement.nodes)
        lines.append(f"ran {', '.join(ran)}")
    if result.images is not None:
        ties = counted(result.images.parity.ties, "tie")
        lines += [f"accuracy: {_accuracies(result, result.images)}; {ties}", *_batch_accuracies(result)]
    elif result.accuracy is not None:
        lines.append(f"accuracy: {percent(result.accuracy, 2)}")
    if result.score is not None:
        lines.append(f"{result.score.metric}: {result.score.now:.4f}, in its contract {result.score.stored:.4f}")
    if result.images is None and result.batches:
        few = "no image files" if result.golden is None else "no image files but the golden ones"
        lines.append(f"{few} were compared: name some with --data")
    if result.passed and result.compared_with == ("answers through clf",):
        lines.append("compared with itself: whether labels and preprocessing are right tells --against CHECKPOINT")
    answer = ["The answers agree."] if result.passed else ["No:", *(f"- {reason}" for reason in result.reasons)]
    return [*lines, *answer, *_faults(result)]


def _accuracies(result: OnnxCheckResult, images: ImagesParity) -> str:
    reference = "reference" if result.reference is not None else "through clf"
    return f"{reference} {percent(images.reference_accuracy, 2)}, ONNX {percent(images.onnx_accuracy, 2)}"


def _batch_accuracies(result: OnnxCheckResult) -> list[str]:
    """A line for the batch sizes that share it; ties are no flips."""
    sizes: dict[str, list[str]] = {}
    for batch in result.batches:
        if batch.images is not None:
            told = f"{_accuracies(result, batch.images)}; {counted(batch.parity.flips, 'flip')}"
            sizes.setdefault(f"{told} of {counted(batch.parity.images, 'image')}", []).append(str(batch.size))
    return [f"at batch size {', '.join(names)}: {told}" for told, names in sizes.items()]


def _faults(result: OnnxCheckResult) -> list[str]:
    others = (("the checkpoint", result.reference), ("golden samples need", result.golden), ("clf's own reading", True))
    return of_file(result.faults, next(name for name, there in others if there is not None))


def _small(number: float) -> str:
    return f"{number:.1e}" if number == number else UNDEFINED  # noqa: PLR0124 - NaN is not itself
