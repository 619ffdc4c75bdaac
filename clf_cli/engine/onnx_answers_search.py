"""What a program does otherwise than the contract says, when its answers are not those of clf."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clf_cli.engine.onnx_answers_match import USUAL, Match, Matcher, Telling
from clf_cli.engine.onnx_consumer import Consumer, Recipe
from clf_cli.engine.onnx_fault import Fault, Stage, described, fault_of, stages_between, swapped
from clf_cli.engine.onnx_fault_images import Pictures
from clf_cli.engine.onnx_known_ways import known_ways

_DEPTH = 4  # stages that may be wrong at once
_WIDTH = 3  # ways that are followed further
_QUICK = 12  # images on which those beyond the first stage are tried
_BETTER = 0.7  # times the error: what one more stage must win
_NEAR = 0.1  # times the error: as near counts as the same, of libraries that round otherwise


@dataclass(frozen=True)
class Guess:
    """A way to be wrong, and how near it comes."""

    recipe: Recipe
    match: Match

    def changes(self, contract: Recipe) -> int:
        return len(stages_between(self.recipe, contract)) + self.match.telling.changes


@dataclass(frozen=True)
class Explanation:
    """The nearest known way. `faults` are its stages: `found` is what the program does, `expected` the contract's.

    `reproduced` says that it gives the answers; `also` the stages of other ways that give them as well.
    """

    reproduced: bool
    faults: tuple[Fault, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inquiry:
    """Answers that differ, of N images, and the file that they should be of; `matcher` has the same N answers."""

    consumer: Consumer
    pictures: Pictures
    matcher: Matcher

    def guesses(self, recipes: Sequence[Recipe], usual: bool = False) -> list[Guess]:
        prepared = self.pictures.prepared(recipes)
        found = []
        for recipe in recipes:
            logits = self.consumer.logits(prepared.inputs(recipe))
            found.append(Guess(recipe, self.matcher.usual(logits) if usual else self.matcher.best(logits)))
        return found

    def first(self, count: int) -> "Inquiry":
        given = self.matcher.given
        few = replace(given, paths=given.paths[:count], labels=given.labels[:count], values=given.values[:count])
        return replace(self, pictures=self.pictures.first(count), matcher=replace(self.matcher, given=few))


def explain_answers(inquiry: Inquiry) -> Explanation:
    """Every known way alone, then the best of them together with the others, until one gives the answers."""
    contract = inquiry.consumer.recipe
    (start,) = inquiry.guesses([contract], usual=True)
    frontier = inquiry.guesses([contract])
    best, seen = frontier[0], {contract}
    for depth in range(_DEPTH):
        if best.match.same:
            break
        recipes = [way for guess in frontier for way in known_ways(guess.recipe) if way not in seen]
        recipes = list(dict.fromkeys(recipes))
        seen |= set(recipes)
        if depth and len(recipes) > 2 * _WIDTH and len(inquiry.pictures) > _QUICK:
            quick = sorted(inquiry.first(_QUICK).guesses(recipes), key=lambda one: _rank(one, contract))
            recipes = [guess.recipe for guess in quick[: 2 * _WIDTH]]
        tried = sorted(inquiry.guesses(recipes), key=lambda one: _rank(one, contract))
        frontier = tried[:_WIDTH] if depth else _best_of_each_stage(tried, contract)
        if not frontier or (depth > 1 and not _wins(frontier[0], best)):
            break
        if _wins(frontier[0], best):
            best = frontier[0]
    best = _without_idle_stages(inquiry, best)
    near = best.match.distance.error <= _NEAR * start.match.distance.error
    agrees = best.match.distance.agreement >= inquiry.matcher.min_agreement
    reproduced = best.match.same or (near and agrees and inquiry.matcher.given.told != "labels")
    also = _also(inquiry, best) if reproduced and inquiry.matcher.given.told == "labels" else ()
    return Explanation(reproduced, _faults(inquiry, start, best), also)


def _rank(guess: Guess, contract: Recipe) -> tuple[bool, int, float, int]:
    """The same first, of those the fewest changes; else the nearest."""
    same, changes = guess.match.same, guess.changes(contract)
    return not same, changes if same else 0, guess.match.distance.error, changes


def _best_of_each_stage(tried: Sequence[Guess], contract: Recipe) -> list[Guess]:
    """Two stages that are both wrong may each gain little alone, so none of them is lost after the first round."""
    found: dict[tuple[Stage, ...], Guess] = {}
    for guess in tried:
        found.setdefault(stages_between(guess.recipe, contract), guess)
    return list(found.values())


def _wins(guess: Guess, best: Guess) -> bool:
    return guess.match.same or guess.match.distance.error < best.match.distance.error * _BETTER


def _without_idle_stages(inquiry: Inquiry, best: Guess) -> Guess:
    """Stages that the answers do not show are taken back."""
    contract = inquiry.consumer.recipe
    for stage in stages_between(best.recipe, contract):
        (less,) = inquiry.guesses([swapped(best.recipe, contract, stage)])
        as_near = less.match.distance.error <= best.match.distance.error * 1.02
        if less.match.same or (as_near and not best.match.same):
            best = less
    return best


def _also(inquiry: Inquiry, best: Guess) -> tuple[str, ...]:
    """Other ways with as few changes that give the very same labels: labels alone may not tell them apart."""
    contract = inquiry.consumer.recipe
    count = best.changes(contract)
    others = [one for one in inquiry.guesses(known_ways(contract)) if one.match.same and one.changes(contract) == count]
    named = [
        f"{stage} {described(one.recipe, contract, stage)}"
        for one in others
        if one.recipe != best.recipe
        for stage in stages_between(one.recipe, contract)
    ]
    return tuple(dict.fromkeys(named))


def _faults(inquiry: Inquiry, start: Guess, best: Guess) -> tuple[Fault, ...]:
    """One after the other is done as the program does it, in the order of the path."""
    contract, told, now = inquiry.consumer.recipe, [], start
    for stage in stages_between(best.recipe, contract):
        (then,) = inquiry.guesses([swapped(now.recipe, best.recipe, stage)], usual=True)
        words = (described(best.recipe, contract, stage), described(contract, best.recipe, stage))
        told.append(_fault(inquiry, stage, words, now, then))
        now = then
    telling, usual = best.match.telling, USUAL[inquiry.matcher.given.told]
    if telling.scores != usual:
        now, before = _as(inquiry, best, Telling(telling.scores)), now
        told.append(_fault(inquiry, "softmax", (telling.scores, usual), before, now))
    if telling.order is not None:
        words = (telling.order.name, "its own order")
        told.append(_fault(inquiry, "label order", words, now, best))
    return tuple(told)


def _as(inquiry: Inquiry, guess: Guess, telling: Telling) -> Guess:
    logits = inquiry.consumer.logits(inquiry.pictures.prepared([guess.recipe]).inputs(guess.recipe))
    return replace(guess, match=inquiry.matcher.match(logits, telling))


def _fault(inquiry: Inquiry, stage: Stage, words: tuple[str, str], before: Guess, after: Guess) -> Fault:
    fault = fault_of(stage, words, len(inquiry.pictures), before.match.distance, after.match.distance)
    if inquiry.matcher.given.told == "labels":
        return replace(fault, difference_without=None, difference_with=None)
    return fault
