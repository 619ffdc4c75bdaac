import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st

from clf_cli.engine.cross_fit import FOLDS, cross_fit, folds
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions

rows = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2)), min_size=1, max_size=40)


@with_options(max_examples=50)
@given(rows, st.randoms())
def test_a_fold_is_a_function_of_path_and_class(listed, random):
    paths, targets = (list(column) for column in zip(*listed, strict=True))
    found = dict(zip(listed, folds(paths, np.array(targets)).tolist(), strict=True))
    mixed = listed[:]
    random.shuffle(mixed)
    again = folds([path for path, _ in mixed], np.array([target for _, target in mixed])).tolist()
    assert [found[row] for row in mixed] == again, "equal rows share a fold, whatever the order"
    for target in set(targets):
        sizes = np.bincount([fold for row, fold in found.items() if row[1] == target], minlength=FOLDS)
        assert sizes.max() - sizes.min() <= 1


def predictions(images):
    return Predictions(
        tuple(f"{number}.png" for number in range(images)),
        np.zeros(images, dtype=np.int64),
        np.zeros((images, 2), dtype=np.float32),
        Labels(("a", "b")),
    )


@pytest.mark.parametrize(("images", "parts"), [(1, 0), (2, 2), (4, 4), (5, 5), (23, 5)])
def test_every_image_is_judged_once_by_the_others(images, parts):
    found = list(cross_fit(predictions(images)))
    assert len(found) == parts
    for others, inside in found:
        assert (others ^ inside).all()
    if parts:
        assert (sum(inside.astype(int) for _, inside in found) == 1).all()
