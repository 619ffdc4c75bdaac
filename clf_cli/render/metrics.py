"""What a classifier scored, as tables."""

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.metrics import MetricsResult
from clf_cli.render.text import UNDEFINED, decimal, label, percent

SHOWN = 50  # classes; of more, those with the lowest recall

_NAMES = {
    "loss": "loss",
    "acc_top1": "top-1 accuracy",
    "acc_top5": "top-5 accuracy",
    "precision_macro": "macro precision",
    "recall_macro": "macro recall",
    "f1_macro": "macro F1",
    "ece": "calibration error",
}


def table(result: MetricsResult) -> RenderableType:
    """The numbers of the whole split, then those of each class (of many classes, the worst)."""
    whole = Table(show_header=False)
    whole.add_column()
    whole.add_column(justify="right")
    for key, value in result.scalars.items():
        whole.add_row(_NAMES[key], decimal(value) if key == "loss" else percent(value, 2))
    return Group(whole, _classes(result))


def _classes(result: MetricsResult) -> Table:
    per_class = result.per_class
    classes = np.arange(len(result.labels))
    title = "Classes"
    if len(classes) > SHOWN:
        classes = np.argsort(per_class.recall, kind="stable")[:SHOWN]  # NaN sorts last
        title = f"The {SHOWN} of {len(result.labels)} classes with the lowest recall"
    grid = Table(title=title, title_justify="left")
    grid.add_column("class")
    for name in ("images", "predicted", "precision", "recall", "F1"):
        grid.add_column(name, justify="right")
    for index in classes.tolist():
        measured = per_class.support[index] > 0
        shares = (per_class.precision[index], per_class.recall[index], per_class.f1[index])
        grid.add_row(
            Text(label(result.labels.names[index])),
            f"{per_class.support[index]:,}" if measured else UNDEFINED,
            f"{per_class.predicted[index]:,}",
            *(percent(float(share)) for share in shares),
        )
    return grid
