"""Everything that the page about a data set shows: its report, and small pictures of its classes and findings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from clf_cli.data.checks import place
from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import Finding, Sample
from clf_cli.engine.dataset import DatasetResult
from clf_cli.engine.dataset_examples import Examples, examples
from clf_cli.engine.thumbnails import small_jpeg
from clf_cli.values.progress import Progress, silent

PICTURE = 128  # pixels of a picture's longer side
PER_CLASS = 6
FINDINGS = 30  # of each code that get pictures
PLACES = 12  # of each of them
MOST = 600  # pictures of findings; 4 kB each
SUSPECTS = 60  # images with disputed labels
WITH_PICTURES = frozenset({"conflict", "leak", "duplicate", "quality", "unknown-class", "suspect"})


@dataclass(frozen=True)
class DatasetPage:
    """Nothing in it depends on when or where the data are read; `name` is their folder's own."""

    name: str
    fingerprint: str
    result: DatasetResult
    examples: Examples
    places: Mapping[str, Sample]  # the row of each place of a finding that has a picture
    pictures: Mapping[str, bytes]  # JPEG files by path, of all that the page shows

    @property
    def sections(self) -> tuple[str, ...]:
        """The parts that the page has, in its order."""
        there: dict[str, object] = {
            "summary": True,
            "findings": self.result.findings,
            "suspects": self.result.suspects is not None,
            "classes": True,
            "sizes": self.result.sizes,
            "metadata": self.result.metadata,
            "examples": any(path in self.pictures for one in self.examples.classes for path in one.paths),
        }
        return tuple(name for name, has in there.items() if has)


def dataset_page(dataset: Dataset, result: DatasetResult, progress: Progress = silent) -> DatasetPage:
    """Reads the images that the page shows; one that can no longer be read has no picture."""
    chosen = examples(dataset, PER_CLASS)
    places = dict(islice(_places(dataset, result.findings), MOST))
    paths = dict.fromkeys(path for one in chosen.classes for path in one.paths)
    paths.update(dict.fromkeys(row.path for row in places.values()))
    if result.suspects is not None:
        paths.update(dict.fromkeys(image.path for image in result.suspects.images[:SUSPECTS]))
    pictures = {}
    with progress("Drawing", len(paths)) as advance:
        for path in paths:
            jpeg = small_jpeg(dataset.root / path, PICTURE)
            if jpeg is not None:
                pictures[path] = jpeg
            advance(1)
    return DatasetPage(dataset.root.name, dataset.fingerprint, result, chosen, places, pictures)


def _places(dataset: Dataset, findings: Iterable[Finding]) -> Iterator[tuple[str, Sample]]:
    """Of the findings that are about images, those whose file was read."""
    rows: dict[str, Sample] = {}
    for sample in (*dataset.samples, *dataset.left_out):
        if not dataset.files[sample.path].error:
            rows.setdefault(sample.path, sample)
            rows.setdefault(place(sample), sample)
    seen: dict[str, int] = {}
    for finding in findings:
        seen[finding.code] = seen.get(finding.code, 0) + 1
        if finding.category in WITH_PICTURES and seen[finding.code] <= FINDINGS:
            yield from islice(((name, rows[name]) for name in finding.places if name in rows), PLACES)
