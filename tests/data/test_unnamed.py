"""Only folders that a manifest names images of are looked into, and each is said once."""

from pathlib import Path

from clf_cli.data.samples import Sample
from clf_cli.data.unnamed import unnamed_findings


def draw(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def row(path: str, source: str = "all.jsonl:1") -> Sample:
    return Sample(path, "a", "train", source=source)


def test_folders_of_named_images_only(tmp_path):
    draw(tmp_path, "a/1.png", "a/2.png", "a/3.JPG", "a/.hidden.png", "a/notes.txt", "a/deep/4.png", "b/5.png", "6.png")
    (finding,) = unnamed_findings(tmp_path, [row("a/1.png")], {"a/1.png"})
    assert (finding.code, finding.severity, finding.path, finding.count) == ("CLF207", "info", "a", 2)
    assert finding.others == ("a/2.png", "a/3.JPG")


def test_all_are_counted_and_the_first_are_listed(tmp_path):
    draw(tmp_path, *(f"{number:03d}.png" for number in range(200)))
    (finding,) = unnamed_findings(tmp_path, [row("000.png"), row("gone/x.png")], {"000.png", "gone/x.png"})
    assert finding.path == ""
    assert finding.count == 199
    assert finding.others == tuple(f"{number:03d}.png" for number in range(1, 21))


def test_rows_of_class_folders_name_every_image(tmp_path):
    draw(tmp_path, "train/cat/1.png", "train/cat/2.png")
    assert not unnamed_findings(tmp_path, [row("train/cat/1.png", "train/cat")], set())


def test_a_folder_that_cannot_be_listed_is_not_its_business(tmp_path):
    draw(tmp_path, "file")
    assert not unnamed_findings(tmp_path, [row("file/x.png"), row("none/x.png")], set())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
