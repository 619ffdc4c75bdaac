"""Which stages before the network are at fault: those that, swapped, bring the answers back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clf_cli.engine.onnx_consumer import Recipe, Tensor
from clf_cli.engine.onnx_fault import Distance, Fault, Stage, described, distance, fault_of, stages_between, swapped
from clf_cli.engine.onnx_fault_images import Pictures
from clf_cli.values.predictions import FloatArray

_NO_BETTER = 1.2  # times the error of the right recipe: the network's own rounding, which no recipe explains


@dataclass(frozen=True)
class Bench:
    """A network that is trusted, the images, and what it should answer for them; `tolerance` as that of the gates."""

    network: Callable[[Tensor], FloatArray]
    pictures: Pictures
    expected: FloatArray
    tolerance: float

    def distances(self, recipes: Sequence[Recipe]) -> list[Distance]:
        prepared = self.pictures.prepared(recipes)
        return [distance(self.expected, self.network(prepared.inputs(recipe))) for recipe in recipes]


def recipe_faults(bench: Bench, found: Recipe, expected: Recipe) -> tuple[Fault, ...]:
    """The stages of `found` that are not as in `expected` and matter on these images, the weightiest first.

    Each is swapped alone; where no single swap explains the answers, the best one stays and the others are tried again.
    """
    floor, start = bench.distances([expected, found])

    def explained(one: Distance) -> bool:
        return one.relative <= bench.tolerance or one.error <= floor.error * _NO_BETTER

    chain: list[Stage] = []
    recipe, now = found, start
    remaining = list(stages_between(found, expected))
    while remaining and not explained(now):
        options = bench.distances([swapped(recipe, expected, stage) for stage in remaining])
        best = min(range(len(remaining)), key=lambda option: worst_last(options[option].error))
        stage, now = remaining.pop(best), options[best]
        recipe = swapped(recipe, expected, stage)
        chain.append(stage)
    return _told(bench, found, expected, _needed(bench, found, expected, chain, explained))


def worst_last(error: float) -> float:
    """A key to sort by: what is not a number comes last."""
    return error if error == error else float("inf")  # noqa: PLR0124 - NaN is not itself


def _needed(
    bench: Bench, found: Recipe, expected: Recipe, chain: list[Stage], explained: Callable[[Distance], bool]
) -> list[Stage]:
    """The stages of the chain that the others do not make superfluous."""
    kept = list(chain)
    for stage in chain:
        others = [one for one in kept if one != stage]
        if others and explained(bench.distances([_with(found, expected, others)])[0]):
            kept = others
    return kept


def _with(found: Recipe, expected: Recipe, stages: Sequence[Stage]) -> Recipe:
    recipe = found
    for stage in stages:
        recipe = swapped(recipe, expected, stage)
    return recipe


def _told(bench: Bench, found: Recipe, expected: Recipe, stages: list[Stage]) -> tuple[Fault, ...]:
    steps = bench.distances([_with(found, expected, stages[:count]) for count in range(len(stages) + 1)])
    return tuple(
        fault_of(
            stage,
            (described(found, expected, stage), described(expected, found, stage)),
            len(bench.pictures),
            steps[position],
            steps[position + 1],
        )
        for position, stage in enumerate(stages)
    )
