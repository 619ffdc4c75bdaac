import pytest

from clf_cli.engine.stored_reports import CalibrationFacts, ReliabilityBin
from clf_cli.render.page_reliability import CORNER, LARGEST, SIDE, reliability


def facts_of(*after):
    bins = tuple(ReliabilityBin(*one) for one in after)
    return CalibrationFacts("val", None, 1.5, 0.95, 0.2, 0.1, 0.9, 0.95, (ReliabilityBin(1, 0.5, 0.5),), bins)


def test_sure_goes_right_and_right_goes_up():
    before, after = reliability(facts_of((100, 1.0, 0.25)))
    assert (before.x, before.y) == (CORNER[0] + SIDE / 2, CORNER[1] + SIDE / 2)  # on the diagonal
    assert (after.x, after.y) == (CORNER[0] + SIDE, CORNER[1] + 0.75 * SIDE)
    assert after.style == "after"
    assert after.title == "after: 100 images, 100.0 % sure, 25.0 % right"


def test_the_area_grows_with_the_images():
    _, few, many = reliability(facts_of((25, 0.5, 0.5), (100, 0.9, 0.9)))
    assert many.radius == LARGEST
    assert few.radius == pytest.approx(LARGEST / 2, abs=0.1)
