"""Families of instances for the statements that hold before any weight is drawn, each from the same few functions.

Such a statement says that something fails with a stated probability. An instance is taken where that can be decided: a drawn
network with the numbers t with which the events hold on it (``prior_networks``), a law under which the probability is a finite
sum (``prior_laws``), or two widths or scales at which the recursions are evaluated (``prior_widths``, ``prior_changes``), or just
the numbers of Theorem A (``prior_steps``). Its numbers are doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import FLOAT, BallArithmetic, working_precision
from theorems.records import Claim, Role, Theorem, evaluate_expression
from verify.falsify.families import Family, Sides
from verify.falsify.promises import Outcome, examined_in_balls, met, surely_met, tightness

Array = NDArray[np.float64]
Values = dict[str, Any]

PRECISIONS = (256, 1024)
SAMPLES = 120


@dataclass(frozen=True)
class PriorPoint:
    """What a search moves: the discrete kind of an instance and its coordinates."""

    kind: Any
    vector: tuple[float, ...]


@dataclass(frozen=True)
class PriorInstances:
    """What one family says of its own.

    given, measured: names of a record's quantities, all of which its instances provide, and of what its claims measure. kinds: the
    discrete choices of random points. ranges: of a kind. instance: at a point, None where there is none. known: every symbol of the
    record at an instance, in an arithmetic, and the hypotheses' margins; NaN for what an instance says nothing about. noise: the
    rounding of what is measured, in floats. beyond: further instances for the comparison with mutants. role: of
    the records. The rest as in ``Family``.
    """

    name: str
    given: frozenset[str]
    measured: frozenset[str]
    kinds: Sequence[Any]
    ranges: Callable[[Any], Array]
    extremes: Callable[[], list[PriorPoint]]
    instance: Callable[[Theorem, PriorPoint], Any]
    known: Callable[[Theorem, Any, Any], tuple[Values, Values]]
    noise: Callable[[Claim, Values], Array]
    beyond: Callable[[Any], list[Any]]
    simpler: Callable[[Any, Outcome], Iterator[Any]]
    script: Callable[[Theorem, Any, Claim, int], str]
    described: Callable[[Any], str]
    as_json: Callable[[Any], dict[str, Any]]
    role: Role = Role.PRIOR


def with_field(item: Any, name: str, value: Any) -> Any:
    """The record with one field changed."""
    return replace(item, **{name: value})


def undefined(arithmetic: Any) -> Any:
    """What an instance says nothing about: not a number."""
    return np.nan if arithmetic is FLOAT else arithmetic.divide(arithmetic.numbers(0), arithmetic.numbers(0))


def relative_noise(claim: Claim, known: Values) -> Array:
    """1e-12 of the bound: what is measured is a sum of positive numbers, or an integer."""
    return np.asarray(1e-12 * np.abs(evaluate_expression(claim.bound, known, FLOAT)))


def family(own: PriorInstances) -> Family:
    """The family of these instances."""

    def tests(theorem: Theorem) -> bool:
        given = {str(item.symbol.name) for item in theorem.quantities}
        known = given | {constant.name for constant in theorem.constants}
        sides_ = {str(x.name) for claim in theorem.claims for x in claim.measured.free_symbols | claim.bound.free_symbols}
        return theorem.role is own.role and given == own.given and bool(sides_) and sides_ - known <= own.measured

    def drawn(theorem: Theorem, generator: np.random.Generator, count: int) -> list[PriorPoint]:
        found = []
        for _ in range(count):
            kind = own.kinds[int(generator.integers(len(own.kinds)))]
            box = own.ranges(kind)
            found.append(moved(PriorPoint(kind, ()), generator.uniform(box[:, 0], box[:, 1])))
        return found

    def moved(point: PriorPoint, vector: Array) -> PriorPoint:
        return replace(point, vector=tuple(float(x) for x in vector))

    def measured(theorem: Theorem, items: Sequence[Any]) -> tuple[Values, Values]:
        with np.errstate(all="ignore"):
            rows = [own.known(theorem, item, FLOAT) for item in items]
        return _stacked([known for known, _ in rows]), _stacked([margins for _, margins in rows])

    def tried(theorem: Theorem, points: Sequence[PriorPoint]) -> tuple[Array, list[Any]]:
        with np.errstate(all="ignore"):
            instances = [own.instance(theorem, point) for point in points]
        found, rows = np.full((len(points), len(theorem.claims)), np.nan), [i for i, x in enumerate(instances) if x is not None]
        if rows:
            known, margins = measured(theorem, [instances[row] for row in rows])
            good = met(theorem, margins)
            for column, claim in enumerate(theorem.claims):
                ratio = np.broadcast_to(tightness(claim, known, own.noise(claim, known)), good.shape)
                found[rows, column] = np.where(good, ratio, np.nan)
        return found, instances

    def examined(theorem: Theorem, instance: Any, claim: Claim) -> Outcome | None:
        for bits in PRECISIONS:
            arithmetic = BallArithmetic(bits)
            with working_precision(bits):
                known, margins = own.known(theorem, instance, arithmetic)
                state = surely_met(theorem, margins)
                if state is not None:
                    return examined_in_balls(claim, known, arithmetic) if state else None
        return None

    def samples(theorem: Theorem, points: Sequence[PriorPoint]) -> list[Any]:
        chosen = points[:: max(1, len(points) // SAMPLES)]
        with np.errstate(all="ignore"):
            found = [item for point in chosen if (item := own.instance(theorem, point)) is not None]
        return [*found, *(other for item in found for other in own.beyond(item))]

    def sides(theorem: Theorem, instances: Sequence[Any]) -> Sides:
        known, margins = measured(theorem, instances)
        rooms = []
        for claim in theorem.claims:
            pair = (evaluate_expression(side, known, FLOAT) for side in (claim.measured, claim.bound))
            left, right = (np.broadcast_to(side, (len(instances),)) for side in pair)
            rooms.append((left - right if claim.lower else right - left, np.abs(left) + np.abs(right)))
        return Sides(met(theorem, margins), [(x, np.abs(x)) for x in margins.values()], rooms)

    return Family(
        name=own.name,
        tests=tests,
        extremes=lambda theorem: own.extremes(),
        drawn=drawn,
        kind=lambda point: point.kind,
        ranges=lambda point: own.ranges(point.kind),
        vector=lambda point: np.array(point.vector),
        moved=moved,
        tried=tried,
        examined=examined,
        samples=samples,
        sides=sides,
        simpler=own.simpler,
        script=own.script,
        described=own.described,
        as_json=own.as_json,
    )


def _stacked(rows: Sequence[Values]) -> Values:
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
