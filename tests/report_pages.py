"""Pages of runs that no test can afford to train: many classes, long runs, names that are markup."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.engine.history import history
from clf_cli.engine.metrics import class_metrics
from clf_cli.engine.report_page import WORST, Mistakes, ReportPage, WorstImage
from clf_cli.engine.samples import SampledPrediction
from clf_cli.engine.stored_reports import ClassScores
from clf_cli.settings.sources import StoredSetting
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.run_dir import RunDir

ALERT = "<script>alert(1)</script>"
HOSTILE = (
    *(ALERT, "</script><script>alert(2)</script>", "\"quoted' & <b>bold</b>", "", "x" * 500, "{{ 7 * 7 }}", "${7*7}"),
    *("a\nb\tc", "\u2028", "שלום", "日本語のクラス名", "-->", "&lt;"),
)


def with_classes(page: ReportPage, names: Sequence[str], seed: int = 0) -> ReportPage:
    """The page of a run with these classes: every 17th has no val images, one image in seven is wrong."""
    rng, classes = np.random.default_rng(seed), len(names)
    counts = np.zeros((classes, classes), dtype=np.int64)
    for index in range(classes):
        for _ in range(0 if index % 17 == 16 else int(rng.integers(3, 20))):
            counts[index, index if rng.random() < 6 / 7 else int(rng.integers(classes))] += 1
    found = class_metrics(counts)
    columns = (found.support.tolist(), found.precision.tolist(), found.recall.tolist(), found.f1.tolist())
    per_class = dict(zip(names, (ClassScores(*row) for row in zip(*columns, strict=True)), strict=True))
    assert page.data is not None
    images = {name: {"train": int(rng.integers(5, 500)), "val": one.support} for name, one in per_class.items()}
    return replace(
        page,
        confusions={"val": ConfusionResult(Labels(tuple(names)), counts)},
        scores={"val": replace(page.scores["val"], per_class=per_class)},
        data=replace(page.data, counts=images),
        mistakes=Mistakes(),
    )


def with_epochs(page: ReportPage, epochs: int) -> ReportPage:
    """The page of a run of that many epochs, the best one at three quarters."""
    rows = [
        {
            "epoch": epoch,
            "train/loss": 1 / epoch,
            "train/acc_top1": 1 - 1 / epoch,
            "val/loss": 1 / epoch + 0.1,
            "val/acc_top1": 0.9 - abs(epoch - round(epochs * 0.75)) / epochs,
            "lr": 1e-3 * (1 - epoch / epochs),
        }
        for epoch in range(1, epochs + 1)
    ]
    return replace(page, history=history(rows))


def hostile(page: ReportPage) -> ReportPage:
    """Markup in every text that a run's files can hold."""
    page = with_classes(page, sorted(HOSTILE))
    images = tuple(
        WorstImage(
            SampledPrediction(f'val/"><img src=x onerror=alert(3)>/{name}.jpg', name, other, 0.5, False, 2.0), None
        )
        for name, other in zip(HOSTILE, (*HOSTILE[1:], ""), strict=True)
    )
    finding = {"category": ALERT, "severity": "warning", "path": "'\"><svg onload=alert(4)>", "reason": ALERT}
    assert page.data is not None
    return replace(
        page,
        name=ALERT,
        path=f"runs/it's {ALERT}",
        mistakes=Mistakes(images, ALERT),
        log=(ALERT, "</pre></details><script>alert(5)</script>"),
        sources=(*page.sources, StoredSetting("data", "root", f'data/"{ALERT}', "", ALERT)),
        record=replace(page.record, command=("clf", "train", f"--data={ALERT}"), device=ALERT, run_id=ALERT),
        versions={"clf": ALERT},
        data=replace(page.data, findings=(finding,), fingerprint=ALERT, formats={ALERT: 3}),
    )


def predictions_of(paths: Sequence[str]) -> Predictions:
    """Images of class a that are all taken for b, each more surely than the one before."""
    logits = np.zeros((len(paths), 2), dtype=np.float32)
    logits[:, 1] = np.arange(1, len(paths) + 1)
    return Predictions(tuple(paths), np.zeros(len(paths), dtype=np.int64), logits, Labels(("a", "b")))


def mistakes_of(run: RunDir) -> int:
    """How many val images the run's best epoch predicted wrong, of those that a page shows."""
    counts = np.array(json.loads(run.report("confusion").read_text())["result"]["counts"])
    return min(WORST, int(counts.sum() - np.trace(counts)))


def draw_hostile_data(root: Path) -> Path:
    """Markup in labels, keys, values and file names: each label twice in train, once more in val."""
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(HOSTILE):
        for split, copy in (("train", 0), ("train", 1), ("val", 0)):
            path = f'{split}-{number}-{copy}"><img src=x onerror=alert(3)>.png'
            root.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((24, 16), 20 + 10 * number + copy).convert("RGB").save(root / path)
            keys = {ALERT: f"{ALERT}{number}", "camera": {"<b>site</b>": '"><img src=x onerror=alert(6)>'}}
            rows.append({"image": path, "label": name, "split": split, **keys})
    same = (root / rows[0]["image"]).read_bytes()
    (root / rows[2]["image"]).write_bytes(same)
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (root / "all.jsonl").write_text(lines)
    return root / "all.jsonl"
