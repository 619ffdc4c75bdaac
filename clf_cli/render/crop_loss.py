"""What the evaluation transform cuts off, in words and as a table of the classes that lose most."""

from math import isfinite

from rich.table import Table
from rich.text import Text

from clf_cli.engine.crop_loss import CropLoss, Fit
from clf_cli.render.text import UNDEFINED, label, percent
from clf_cli.values.labels import Labels

SHOWN = 10  # classes, those that lose most
STRETCHED = 1.5  # times; more is told with what would not
TOLD = 0.005  # share of a class's pixels; the table is for more


def lines(crop: CropLoss) -> tuple[str, ...]:
    """What happens to the images, and what would keep more of them."""
    preprocess, fit = crop.preprocess, crop.whole
    if not isfinite(fit.cut_pixels):
        return ()
    share = f", centre {percent(preprocess.crop_share, 0)}" if _cuts_centre(crop) else ""
    how = f"{preprocess.resize_mode} to {preprocess.width} x {preprocess.height} px{share}"
    told = [f"Resized by {how}: {effect(fit)}"]
    if crop.keeping_more:
        ways = [f"--resize-mode {mode}: {effect(crop.modes[mode])}" for mode in crop.keeping_more]
        told += ["What would keep more:", *(f"  {way}" for way in ways)]
        if _cuts_centre(crop):
            told.append("  --crop-share 1: cuts no centre out")
    elif fit.stretched > STRETCHED:
        told.append(f"What would keep the shape: --resize-mode letterbox, {effect(crop.modes['letterbox'])}")
    return tuple(told)


def effect(fit: Fit) -> str:
    """`24.0 % cut off, enlarged 6.6 times, stretched 1.3 times, 12.0 % bars`, without what does not happen."""
    parts = [
        f"{percent(fit.cut_pixels)} cut off" if fit.cut_pixels > 0.0005 else "nothing cut off",
        times(fit.enlarged),
        f"stretched {fit.stretched:.1f} times" if fit.stretched >= 1.05 else "",
        f"{percent(fit.bars)} bars" if fit.bars > 0.0005 else "",
    ]
    return ", ".join(part for part in parts if part)


def times(factor: float) -> str:
    """`enlarged 6.6 times`, `shrunk 2.0 times`, or nothing for images that keep their size."""
    if not isfinite(factor) or 0.95 < factor < 1.05:
        return ""
    return f"enlarged {factor:.1f} times" if factor > 1 else f"shrunk {1 / factor:.1f} times"


def table(crop: CropLoss, labels: Labels) -> Table | None:
    """The classes that lose most; None where no class loses anything to speak of."""
    ranked = sorted(zip(labels, crop.classes, strict=True), key=lambda pair: -_lost(pair[1]))
    shown = [pair for pair in ranked if _lost(pair[1]) > TOLD]
    if not shown:
        return None
    grid = Table(title="Cut off by the evaluation transform", title_justify="left")
    grid.add_column("class", overflow="fold")
    for name in ("pixels", "long side", "enlarged", "stretched"):
        grid.add_column(name, justify="right")
    for name, fit in shown[:SHOWN]:
        cells = (percent(fit.cut_pixels), percent(fit.cut_side), factor(fit.enlarged), factor(fit.stretched))
        grid.add_row(Text(label(name)), *cells)
    if len(shown) > SHOWN:
        grid.add_row(Text(f"… {len(shown) - SHOWN} more", style="dim"))
    return grid


def factor(value: float) -> str:
    """`6.6 x`."""
    return f"{value:.1f} x" if isfinite(value) else UNDEFINED


def _cuts_centre(crop: CropLoss) -> bool:
    return crop.preprocess.crop_share < 1 and crop.preprocess.resize_mode != "letterbox"


def _lost(fit: Fit) -> float:
    return fit.cut_pixels if isfinite(fit.cut_pixels) else 0.0
