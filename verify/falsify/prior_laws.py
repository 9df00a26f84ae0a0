"""Laws under which a probability of failure is a finite sum: Markov, Chebyshev and Cantelli, and the matrix Chernoff bound.

**Samples.** |x|^{2j} takes two or three values; all n-point samples are enumerated. A two-point law attains Markov's and Cantelli's
bounds at n = 1.

**Hidden units.** n points at right angles, of one norm, no bias, and phi(z) = a z + (1 - a) max(z - tau, 0) with tau the point
that a unit exceeds with probability pi: phi' is 1 with probability pi, and a otherwise, independently for every unit and point.
So K_0 = (alpha^2 sigma_w^2/m) diag_i(g_i sum_j phi'_ij^2), g_i = nu_i c_1^2 |x_i|^2, and lambda_inf = alpha^2 sigma_w^2 min_i g_i
(pi + (1 - pi) a^2): the smallest eigenvalue falls below a number unless n binomial variables are large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import FLOAT
from theorems.records import Claim, Theorem
from verify.falsify.priors import PriorInstances, PriorPoint, Values, family, relative_noise, with_field
from verify.falsify.promises import Outcome, evaluate
from verify.falsify.scripts import constants, head, tail
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]

ROUNDING = 1e-12  # relative; two numbers nearer than this are not told apart in floats


def _probability(chances: list[tuple[Any, Any]], arithmetic: Any) -> Any:
    """The sum of the chances of what happens (True, False, None where undecided); in balls all that it can be."""
    least = sum((chance for chance, happens in chances if happens), Fraction(0))
    if arithmetic is FLOAT:
        return np.float64(least)
    most = sum((chance for chance, happens in chances if happens is not False), Fraction(0))
    low, high = arithmetic.numbers(least), arithmetic.numbers(most)
    return low if least == most else low.union(high)


def _exceeds(value: Fraction, bound: Any, arithmetic: Any) -> bool | None:
    """Whether value > bound; in floats by more than rounding, in balls None where that is undecided."""
    if arithmetic is FLOAT:
        return bool(float(value) > bound * (1 + ROUNDING))
    exact = arithmetic.numbers(value)
    return True if exact > bound else False if exact <= bound else None


@dataclass(frozen=True)
class Sample:
    """``points`` independent copies of a variable with these values and chances (the last one: what is left), and p."""

    values: tuple[float, ...]
    chances: tuple[float, ...]
    points: int
    failure: float

    @property
    def law(self) -> list[tuple[Fraction, Fraction]]:
        """Values with their chances, exactly."""
        chances = [Fraction(x) for x in self.chances]
        return list(zip(map(Fraction, self.values), [*chances, 1 - sum(chances, Fraction(0))], strict=True))

    def moment(self, power: int) -> Fraction:
        """E|x|^{2j power}."""
        return sum((chance * value**power for value, chance in self.law), Fraction(0))

    def outcomes(self) -> list[tuple[Fraction, Fraction]]:
        """The empirical moments that occur, with their probabilities."""
        law, found = self.law, []
        for picked in combinations_with_replacement(range(len(law)), self.points):
            counts = [picked.count(index) for index in range(len(law))]
            ways = math.factorial(self.points)
            for count in counts:
                ways //= math.factorial(count)
            chance = math.prod((law[i][1] ** count for i, count in enumerate(counts)), start=Fraction(ways))
            found.append((sum((law[i][0] for i in picked), Fraction(0)) / self.points, chance))
        return found


SAMPLE_KINDS = [(2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (3, 3)]  # values, points


def _sample_ranges(kind: Any) -> Array:
    """n times the chance of the largest value over p, less 1; log10 p; the smallest value; a middle value and its chance."""
    middle = [(0.0, 1.0, 0.1), (0.0, 0.95, 0.1)] if kind[0] == 3 else []
    return np.array([(-0.9, 0.02, 0.1), (-4.0, -0.02, 0.5), (0.0, 0.95, 0.1), *middle])


def _sample_extremes() -> list[PriorPoint]:
    shares = (-1e-9, -1e-6, -3e-4, -1e-3, -0.01, -0.1, 0.003, 0.006, 0.009)
    found = [PriorPoint((2, 1), (s, p, a)) for s in shares for p in (-4.0, -2.0, -0.3) for a in (0.0, 0.5)]
    found += [PriorPoint((2, n), (s, -4.0, 0.0)) for s in shares for n in (2, 4)]
    return found + [PriorPoint((2, 4), (-0.5, p, 0.95)) for p in (-0.02, -0.1, -0.3)]  # nearly constant, with p > 1/n


def _sample(theorem: Theorem, point: PriorPoint) -> Sample | None:
    share, logarithm, least, *middle = point.vector
    count, points = point.kind
    failure = 10.0**logarithm
    top = failure * (1 + share) / points
    values: tuple[float, ...] = (1.0, least)
    chances: tuple[float, ...] = (top,)
    if count == 3:
        values, chances = (*values, middle[0] * (1 - least) + least), (top, (1 - top) * middle[1])
    one = Sample(values, chances, points, failure)
    return one if 0 < top < 1 and one.law[-1][1] >= 0 and one.moment(1) > 0 else None


def _sample_known(theorem: Theorem, item: Sample, arithmetic: Any) -> tuple[Values, Values]:
    given = {"M_2j": item.moment(1), "M_4j": item.moment(2), "n": Fraction(item.points), "p": Fraction(item.failure)}
    known, margins = evaluate(theorem, {name: arithmetic.numbers(value) for name, value in given.items()}, arithmetic)
    outcomes = item.outcomes()
    for name in ("markov", "chebyshev", "cantelli"):
        bound = known[name]
        exceeding = [(chance, _exceeds(value, bound, arithmetic)) for value, chance in outcomes]
        known[f"exceeds_{name}"] = _probability(exceeding, arithmetic)
    return known, margins


def _larger_law(item: Sample) -> list[Sample]:
    """A chance of the largest value half a percent above and below: mutants by a percent differ there."""
    found = [replace(item, chances=(item.chances[0] * factor, *item.chances[1:])) for factor in (0.995, 1.005)]
    return [one for one in found if one.law[-1][1] >= 0]


def _simpler_samples(item: Sample, found: Outcome) -> Iterator[Sample]:
    if item.points > 1:
        yield replace(item, points=item.points - 1)
    for nicer in rounded(item.failure):
        yield replace(item, failure=nicer)
    for name in ("values", "chances"):
        entries = getattr(item, name)
        for index, value in enumerate(entries):
            for nicer in (0.0, *rounded(value)) if value else ():
                one: Sample = with_field(item, name, (*entries[:index], nicer, *entries[index + 1 :]))
                if one.moment(1) > 0 and all(chance >= 0 for _, chance in one.law):
                    yield one


_SAMPLE = """from itertools import product

values, n, p = np.array({values!r}), {points!r}, {failure!r}
chances = np.array({chances!r})
chances = np.append(chances, 1 - chances.sum())
M_2j, M_4j = chances @ values, chances @ values**2


def probability_above(bound):
    total = 0.0
    for picked in product(range(len(values)), repeat=n):
        if np.mean(values[list(picked)]) > bound * (1 + 1e-13):  # not by rounding
            total += np.prod(chances[list(picked)])
    return total


"""


def _sample_script(theorem: Theorem, item: Sample, claim: Claim, step: int) -> str:
    body = _SAMPLE.format(values=list(item.values), points=item.points, failure=item.failure, chances=list(item.chances))
    measured = "".join(f"exceeds_{name} = probability_above({name})\n" for name in ("markov", "chebyshev", "cantelli"))
    return head(theorem, claim) + body + constants(theorem) + measured + tail(claim, step)


def _sample_described(item: Sample) -> str:
    law = ", ".join(f"{float(value):.4g} with {float(chance):.4g}" for value, chance in item.law)
    return f"n = {item.points}, |x|^2j = {law}, p = {item.failure:.6g}"


SAMPLES = family(
    PriorInstances(
        name="finite laws",
        given=frozenset({"M_2j", "M_4j", "n", "p"}),
        measured=frozenset({"exceeds_markov", "exceeds_chebyshev", "exceeds_cantelli"}),
        kinds=SAMPLE_KINDS,
        ranges=_sample_ranges,
        extremes=_sample_extremes,
        instance=_sample,
        known=_sample_known,
        noise=relative_noise,
        beyond=_larger_law,
        simpler=_simpler_samples,
        script=_sample_script,
        described=_sample_described,
        as_json=lambda item: {
            "values": list(item.values),
            "chances": list(item.chances),
            "points": item.points,
            "p": item.failure,
        },
    )
)


@dataclass(frozen=True)
class HiddenUnits:
    """g_i, m, the chance pi that phi' = 1, the slope a otherwise, p, and the share of lambda_inf that is known to be exceeded."""

    gram: tuple[float, ...]
    units: int
    active: float
    slope: float
    failure: float
    known: float

    @property
    def mean_square(self) -> Fraction:
        """E phi'^2."""
        return Fraction(self.active) + (1 - Fraction(self.active)) * Fraction(self.slope) ** 2

    @property
    def limit(self) -> Fraction:
        """The lower bound of lambda_inf."""
        return Fraction(min(self.gram)) * self.mean_square * Fraction(self.known)


UNIT_KINDS = [(n, m) for n in (1, 2, 3) for m in (1, 2, 5, 20)]


def _unit_ranges(kind: Any) -> Array:
    """eps; log10 pi; a; the share of lambda_inf that is known; log10 of the other g_i over the smallest."""
    return np.array([(1e-3, 1.0, 0.1), (-3.0, -0.01, 0.3), (0.0, 1.0, 0.1), (0.5, 1.0, 0.05)] + [(0.0, 1.0, 0.2)] * (kind[0] - 1))


def _unit_extremes() -> list[PriorPoint]:
    """One unit that is rarely active (its chance to be inactive is nearly allowed), and one that always is."""
    pairs = [(1 - 1e-9, -3.0), (0.999, -3.0), (0.9, -2.0), (0.5, -1.0), (0.999, -1.0), (1.005, -3.0)]
    found = [PriorPoint((1, m), (eps, pi, 0.0, 1.0)) for m in (1, 2, 5) for eps, pi in pairs]
    found += [PriorPoint((1, m), (eps, -1.0, 1.0, 1.0)) for m in (1, 20) for eps in (0.002, 0.005, 0.02, 0.1, 0.4)]
    return [*found, *(PriorPoint((2, 20), (0.9, -0.3, slope, 1.0, 0.0)) for slope in (0.0, 0.9))]


def _units(theorem: Theorem, point: PriorPoint) -> HiddenUnits | None:
    eps, logarithm, slope, known, *others = point.vector
    one = HiddenUnits((1.0, *(10.0**x for x in others)), point.kind[1], 10.0**logarithm, slope, 0.5, known)
    exponent = eps**2 * one.units * float(one.limit) / (2 * max(one.gram))
    failure = len(one.gram) * math.exp(-exponent)
    return replace(one, failure=failure) if 1e-300 < failure < 1 else None


def _unit_known(theorem: Theorem, item: HiddenUnits, arithmetic: Any) -> tuple[Values, Values]:
    given = {
        "n": Fraction(len(item.gram)),
        "m": Fraction(item.units),
        "p": Fraction(item.failure),
        "alpha": Fraction(1),
        "sigma_w": Fraction(1),
        "Lp": Fraction(1),
        "gram": Fraction(max(item.gram)),
        "lambda_limit": item.limit,
    }
    known, margins = evaluate(theorem, {name: arithmetic.numbers(value) for name, value in given.items()}, arithmetic)
    known["failure"] = _failure(item, known["lambda0"], arithmetic)
    return known, margins


def _failure(item: HiddenUnits, floor: Any, arithmetic: Any) -> Any:
    """P(some g_i (N_i + (m - N_i) a^2)/m < floor), N_i binomial: 1 less the product of the chances to be large enough."""
    m, square = item.units, Fraction(item.slope) ** 2
    sizes = [Fraction(count) + (m - count) * square for count in range(m + 1)]
    active = Fraction(item.active)
    chances = [math.comb(m, count) * active**count * (1 - active) ** (m - count) for count in range(m + 1)]
    safe = arithmetic.numbers(1)
    for weight in item.gram:
        below = [
            (chance, _falls_below(Fraction(weight) * size / m, floor, arithmetic))
            for size, chance in zip(sizes, chances, strict=True)
        ]
        safe = safe * (1 - _probability(below, arithmetic))
    return 1 - safe


def _falls_below(value: Fraction, floor: Any, arithmetic: Any) -> bool | None:
    if arithmetic is FLOAT:
        return bool(float(value) < floor * (1 - ROUNDING))
    exact = arithmetic.numbers(value)
    return True if exact < floor else False if exact >= floor else None


def _simpler_units(item: HiddenUnits, found: Outcome) -> Iterator[HiddenUnits]:
    if len(item.gram) > 1:
        yield replace(item, gram=item.gram[:-1])
    for units in {1, item.units // 2, item.units - 1} - {0, item.units}:
        yield replace(item, units=units)
    for name in ("active", "slope", "failure", "known"):
        for nicer in rounded(getattr(item, name)):
            if 0 < nicer <= 1:
                yield with_field(item, name, nicer)


_UNITS = """g, m, p = np.array({gram!r}), {units!r}, {failure!r}
active, slope = {active!r}, {slope!r}  # phi' is 1 with this chance, otherwise this
n, alpha, sigma_w, Lp, gram = len(g), 1.0, 1.0, 1.0, g.max()
lambda_limit = {known!r} * g.min() * (active + (1 - active) * slope**2)


def probability_below(floor):
    counts = np.arange(m + 1)
    chances = np.array([float(math.comb(m, k)) for k in counts]) * active**counts * (1.0 - active) ** (m - counts)
    values = (counts + (m - counts) * slope**2) / m
    safe = [1 - chances[weight * values < floor * (1 - 1e-13)].sum() for weight in g]  # not by rounding
    return 1 - np.prod(safe)


"""


def _unit_script(theorem: Theorem, item: HiddenUnits, claim: Claim, step: int) -> str:
    body = _UNITS.format(**_unit_json(item) | {"failure": item.failure})
    return head(theorem, claim) + body + constants(theorem) + "failure = probability_below(lambda0)\n" + tail(claim, step)


def _unit_json(item: HiddenUnits) -> dict[str, Any]:
    return {
        "gram": list(item.gram),
        "units": item.units,
        "active": item.active,
        "slope": item.slope,
        "p": item.failure,
        "known": item.known,
    }


def _unit_described(item: HiddenUnits) -> str:
    gram = ", ".join(f"{g:.4g}" for g in item.gram)
    return f"m = {item.units}, g = ({gram}), phi' = 1 with {item.active:.4g}, else {item.slope:.4g}, p = {item.failure:.6g}"


HIDDEN_UNITS = family(
    PriorInstances(
        name="hidden units with two slopes",
        given=frozenset({"n", "m", "p", "alpha", "sigma_w", "Lp", "gram", "lambda_limit"}),
        measured=frozenset({"failure"}),
        kinds=UNIT_KINDS,
        ranges=_unit_ranges,
        extremes=_unit_extremes,
        instance=_units,
        known=_unit_known,
        noise=relative_noise,
        beyond=lambda item: [replace(item, failure=min(1 - 1e-9, 1.02 * item.failure)), replace(item, failure=0.5 * item.failure)],
        simpler=_simpler_units,
        script=_unit_script,
        described=_unit_described,
        as_json=_unit_json,
    )
)
