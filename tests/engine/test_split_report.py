"""What the report of a split warns of."""

from clf_cli.data.samples import Sample
from clf_cli.engine.split import plan_split
from clf_cli.engine.split_report import split_report
from tests.drafts import draft_of, policy


def warned(samples: list[Sample], **how) -> list[str]:
    draft = draft_of(samples)
    return [found["reason"] for found in split_report(plan_split(draft, policy(**how), {}), draft).findings]


def small_classes(count: int = 40) -> list[Sample]:
    """Of four images each, of which a draw of a fifth leaves many without a val image."""
    return [Sample(f"{label}/{n}.png", f"class {label:02}") for label in range(count) for n in range(4)]


def test_classes_that_chance_left_without_val_images_are_told_with_the_flag_that_mends_it():
    (told,) = [reason for reason in warned(small_classes()) if "--stratify" in reason]
    assert "no image is in val of class " in told
    assert "--stratify" not in str(warned(small_classes(), stratify=True))
    assert "--stratify" not in str(warned(small_classes(), folds=3))


def test_classes_whose_share_is_no_image_and_splits_that_the_data_bring_are_not():
    pairs = [row for row in small_classes() if row.path.endswith(("0.png", "1.png"))]
    assert "--stratify" not in str(warned(pairs, val=0.2))
    own = [Sample(row.path, row.label, "val" if row.label == "class 00" else "train") for row in small_classes()]
    assert "--stratify" not in str(warned(own))
