"""How near clf comes to given answers, for every way to make them of logits."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clf_cli.engine.onnx_answers import GivenAnswers, Told, Values
from clf_cli.engine.onnx_fault import Distance
from clf_cli.engine.onnx_fault_labels import best_order, natural
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import FloatArray, IntArray, softmax, ties

_MUST_WIN = 0.3  # times the error: any order of the labels that fits a little better would hide what is really wrong
_FEWEST = 4  # images from which an unknown order of labels may be told


@dataclass(frozen=True)
class Order:
    """Column i of the logits stands under the name of label `to[i]`; `labels_only`: the numbers stand right."""

    to: npt.NDArray[np.intp]
    name: str
    labels_only: bool = False


@dataclass(frozen=True)
class Telling:
    """What is made of logits: which numbers, and under which names; None is the contract's order."""

    scores: str
    order: Order | None = None

    @property
    def changes(self) -> int:
        return (self.scores not in USUAL.values()) + (self.order is not None)


USUAL: dict[Told, str] = {"logits": "logits", "probabilities": "softmax", "labels": "no numbers"}
_OTHERS: dict[Told, tuple[str, ...]] = {
    "logits": ("softmax of what should be logits",),
    "probabilities": ("no softmax", "softmax twice", "softmax without the contract's temperature"),
    "labels": (),
}


@dataclass(frozen=True)
class Match:
    """The distances of one way to tell, and whether the answers count as the same."""

    telling: Telling
    distance: Distance
    same: bool


@dataclass(frozen=True)
class Matcher:
    """Given answers of N images against logits (N, C) of the same; the gates are shares and, of numbers, `tolerance`:
    of logits relative to max(1, max|logit|), of probabilities as it is."""

    given: GivenAnswers
    labels: Labels
    temperature: float | None
    min_agreement: float
    tolerance: float

    def usual(self, logits: FloatArray) -> Match:
        """As the contract has it."""
        return self.match(logits, Telling(USUAL[self.given.told]))

    def best(self, logits: FloatArray) -> Match:
        """The nearest way to tell: of those that are the same the one with the fewest changes."""
        found = [self.match(logits, telling) for telling in self._tellings(logits)]
        plain = min(one.distance.error for one in found if one.telling.order is None)
        found = [
            one for one in found if one.telling.order is None or one.same or one.distance.error < plain * _MUST_WIN
        ]
        return min(found, key=lambda one: (not one.same, one.telling.changes if one.same else 0, one.distance.error))

    def match(self, logits: FloatArray, telling: Telling) -> Match:
        values = self._scores(logits, telling.scores)
        predicted = logits.argmax(axis=1)
        order = telling.order
        if order is not None:
            predicted = order.to[predicted]
            if not order.labels_only:
                values = values[:, np.argsort(order.to)]
        found = self._distance(logits, predicted, values, order)
        return Match(telling, found, found.agreement >= self.min_agreement and found.relative <= self.tolerance)

    def apart(self, logits: FloatArray) -> Values:
        """(N,) how far each image is from what is told of it, as the contract has it; 0 where no numbers are."""
        differences = np.abs(self._scores(logits, USUAL[self.given.told]) - self.given.values)
        return np.asarray(np.nan_to_num(differences, nan=0.0).max(axis=1))

    def _distance(
        self, logits: FloatArray, predicted: npt.NDArray[np.intp], values: Values, order: Order | None
    ) -> Distance:
        given = self.given
        kept = (given.labels >= 0) & ~ties(logits)
        agreement = float((predicted == given.labels)[kept].mean()) if kept.any() else 1.0
        known = np.isfinite(given.values)
        if not known.any():
            own = given.labels if order is None else np.argsort(order.to)[given.labels]
            answered = given.labels >= 0
            margins = (logits.max(axis=1) - logits[np.arange(len(logits)), own])[answered]
            spread = max(1e-12, float(logits.std()))
            return Distance(agreement, 0.0, 0.0, float(margins.mean()) / spread if len(margins) else 0.0)
        apart = (values - given.values)[known]
        difference = float(np.abs(apart).max())
        scale = max(1.0, float(np.abs(given.values[known]).max())) if given.told == "logits" else 1.0
        spread = max(1e-3, float(given.values[known].std()))
        return Distance(agreement, difference, difference / scale, float(np.sqrt((apart**2).mean())) / spread)

    def _scores(self, logits: FloatArray, name: str) -> Values:
        if name in ("logits", "no softmax", "no numbers"):
            return logits.astype(np.float64)
        plain = name == "softmax without the contract's temperature"
        values = softmax(logits / np.float32(1.0 if plain else self.temperature or 1.0))
        return softmax(values) if name == "softmax twice" else values

    def _tellings(self, logits: FloatArray) -> Iterator[Telling]:
        told = self.given.told
        for scores in (USUAL[told], *_OTHERS[told]):
            if "temperature" in scores and self.temperature is None:
                continue
            yield Telling(scores)
            yield from (Telling(scores, order) for order in self._orders(logits, scores))

    def _orders(self, logits: FloatArray, scores: str) -> Iterator[Order]:
        names, usual = self.labels.names, np.arange(len(self.labels))
        known = {"text": sorted(names), "numbers": sorted(names, key=natural)}
        for how, ordered in known.items():
            to = np.array([self.labels.indices[name] for name in ordered])
            if (to != usual).any():
                yield Order(to, f"labels sorted as {how}")
                if np.isfinite(self.given.values).any():
                    yield Order(to, f"labels sorted as {how}, of right numbers", labels_only=True)
        if len(self.given) < _FEWEST:
            return
        if self.given.complete:
            nearest = best_order(self.given.values.astype(np.float32), self._scores(logits, scores).astype(np.float32))
            if nearest is not None:
                yield Order(np.argsort(nearest), "labels in another order")
        observed = _observed(logits.argmax(axis=1), self.given.labels, len(names))
        if observed is not None:
            yield Order(observed, "labels in another order", labels_only=bool(np.isfinite(self.given.values).any()))


def _observed(predicted: npt.NDArray[np.intp], told: IntArray, classes: int) -> npt.NDArray[np.intp] | None:
    """The order in which each class that was predicted has one name, told without exception and for no other class.

    None where that is no order, the usual one, or seen too seldom: twice as often as the classes that it moves.
    """
    pairs = {(int(one), int(other)) for one, other in zip(predicted, told, strict=True) if other >= 0}
    sources, targets = {one for one, _ in pairs}, {other for _, other in pairs}
    moved = sum(one != other for one, other in pairs)
    if not moved or len(pairs) != len(sources) or len(pairs) != len(targets) or len(told) < 2 * moved:
        return None
    to = np.full(classes, -1, dtype=np.intp)
    for one, other in pairs:
        to[one] = other
    free = iter(sorted(set(range(classes)) - targets))
    for column in range(classes):
        if to[column] < 0:
            to[column] = next(free)
    return to
