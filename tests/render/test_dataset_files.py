"""Tables and pictures of a data set, whatever it holds."""

import csv
import json
from dataclasses import replace

import pytest
from PIL import Image

from clf_cli.data.dataset import survey_dataset
from clf_cli.engine.dataset import dataset_report
from clf_cli.engine.dataset_examples import examples
from clf_cli.render import dataset_bars, dataset_examples, size_counts
from clf_cli.render.dataset_files import write_dataset
from clf_cli.render.figures import save_figure
from clf_cli.settings.data_sections import InspectSection
from clf_cli.settings.sections import DataSection
from tests.render.test_dataset import result
from tests.report_pages import draw_hostile_data


def written(data, folder):
    dataset = survey_dataset(DataSection(root=data, scan_cache=False), 0)
    report = dataset_report(dataset, InspectSection())
    return report, write_dataset(report, examples(dataset), dataset.root, folder / "dataset")


def test_files_and_what_is_in_them(tiny_dataset, tmp_path):
    report, paths = written(tiny_dataset, tmp_path)
    names = ["dataset.json", "dataset.csv", "dataset.png", "dataset-sizes.png", "dataset-examples.png"]
    assert [path.name for path in paths] == names
    assert json.loads(paths[0].read_text()) == report.to_json()
    rows = list(csv.DictReader(paths[1].read_text(encoding="utf-8").splitlines()))
    assert [row["class"] for row in rows] == list(report.result.labels)
    assert [int(row["train"]) for row in rows] == report.result.counts[:, 0].tolist()
    for path in paths[2:]:
        with Image.open(path) as image:
            assert image.format == "PNG"


def test_the_same_data_give_the_same_bytes(tiny_dataset, tmp_path):
    _, one = written(tiny_dataset, tmp_path / "one")
    _, two = written(tiny_dataset, tmp_path / "two")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_names_that_are_markup_are_drawn(tmp_path):
    _, paths = written(draw_hostile_data(tmp_path / "data"), tmp_path)
    with Image.open(paths[2]) as image:
        assert image.width < 4000  # a name of 500 characters is cut


@pytest.mark.parametrize("classes", [1, 2, 61, 10_000])
def test_bars_of_any_number_of_classes(classes, tmp_path):
    shown = result([f"c{i:04}" for i in range(classes)], [(i % 7 + 1, 1) for i in range(classes)])
    save_figure(dataset_bars.figure(shown), tmp_path / "bars.png")
    with Image.open(tmp_path / "bars.png") as image:
        assert image.height < 2400


def test_the_longest_bar_is_as_long_as_its_splits_together(tmp_path):
    save_figure(dataset_bars.figure(result(("a", "b"), ((30, 10), (10, 0)))), tmp_path / "bars.png")
    with Image.open(tmp_path / "bars.png") as image:
        colors = {color: count for count, color in image.getcolors(1 << 20)}
    train, val = ((0x00, 0x72, 0xB2), (0x56, 0xB4, 0xE9))
    key = (8 * 2) ** 2
    assert (colors[train] - key) / (colors[val] - key) == pytest.approx(4, rel=0.01)


def test_without_images_there_are_pictures_all_the_same(tmp_path):
    nothing = result(("a", "b"), ((0, 0), (0, 0)))
    save_figure(dataset_bars.figure(nothing), tmp_path / "bars.png")
    save_figure(size_counts.figure(replace(nothing, sizes=())), tmp_path / "sizes.png")


def test_an_image_that_is_gone_is_a_grey_square(tiny_dataset):
    dataset = survey_dataset(DataSection(root=tiny_dataset, scan_cache=False), 0)
    asked = []
    dataset_examples.figure(examples(dataset), asked.append)
    assert len(asked) == sum(len(one.paths) for one in examples(dataset).classes)
