import numpy as np
from PIL import Image

from clf_cli.engine.synth_broadcast import Wear, broadcast

BARS = Image.fromarray(np.tile(np.repeat(np.array([40, 210], dtype=np.uint8), 4), (40, 5))).convert("RGB")


def contrast(wear: Wear) -> float:
    results = [broadcast(BARS, wear, np.random.default_rng(seed)).convert("L") for seed in range(12)]
    return float(np.mean([np.asarray(result, dtype=np.float64).std() for result in results]))


def test_the_size_stays_and_each_loss_takes_detail_away():
    sharp = Wear(scale=1.0, softness=0.0, motion=0.0, repeats=1, noise=0.0, quality=90)
    assert broadcast(BARS, sharp, np.random.default_rng(0)).size == BARS.size
    assert contrast(Wear(0.25, 0.0, 0.0, 1, 0.0, 90)) < 0.8 * contrast(sharp)
    assert contrast(Wear(1.0, 2.0, 0.0, 1, 0.0, 90)) < 0.8 * contrast(sharp)
    assert contrast(Wear(1.0, 0.0, 5.0, 4, 0.0, 90)) < 0.8 * contrast(sharp)


def test_what_nobody_can_read_has_lost_much_more_than_the_usual():
    rng = np.random.default_rng(0)
    usual = np.mean([contrast(Wear.usual(rng)) for _ in range(8)])
    smeared = [Wear.smeared(rng) for _ in range(8)]
    assert np.mean([contrast(wear) for wear in smeared]) < 0.5 * usual
    assert {wear.blur for wear in smeared} == {"strong"}


def test_blur_is_named_by_how_much_there_is():
    assert Wear(1.0, 0.0, 0.0, 1, 5.0, 90).blur == "none"
    assert Wear(1.0, 0.8, 0.0, 1, 5.0, 90).blur == "light"
    assert Wear(1.0, 0.0, 2.0, 1, 5.0, 90).blur == "light"
