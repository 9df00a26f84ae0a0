"""The nearest solution of F(theta) = target, to test Theorem N: maps whose solutions are known in closed form.

- decoupled maps, F_i = sigma_i theta_i - b_i theta_i^2/2 for i < n: each coordinate is its quadratic's root of smaller modulus,
  the others are 0; with a kink, the first coordinate's quadratic changes beyond it;
- maps bent along one form, F = A theta + w (v.theta)^2/2 with p = n: theta = A^{-1}(target - w x^2/2) with x = v.theta a root of
  x = v.A^{-1} target - (v.A^{-1} w) x^2/2.

A target that no theta attains is at distance infinity: then the theorem claimed a solution that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from theorems.arithmetic import FLOAT, BallArithmetic, working_precision
from theorems.records import Claim, Role, Theorem, evaluate_expression
from verify.falsify.composite import COMPOSITE, PRECISIONS
from verify.falsify.coordinates import Point, Shape, admitted, drawn, point
from verify.falsify.families import Sides
from verify.falsify.instances import CompositeInstance, broken_premises
from verify.falsify.promises import Outcome, evaluate, examined_in_balls, met, strict_margins, surely_met, tightness
from verify.falsify.scripts import nearest_script

Array = NDArray[np.float64]

SYMBOLS = {"lambda0", "beta", "newton_step", "R"}


def tests(theorem: Theorem) -> bool:
    """Whether the theorem says that a solution exists, from what is known at theta0."""
    return theorem.role is Role.EXISTENCE and {str(item.symbol.name) for item in theorem.quantities} <= SYMBOLS


def extremes(theorem: Theorem) -> list[Point]:
    """One parameter, from nearly linear to N = 1, with and without a kink at R; blocks with the target along the weakest one."""
    scalar, blocks = (Shape(size, size, "blocks", "square") for size in (1, 2))
    kinked = replace(scalar, kinked=True)
    found = [point(scalar, quotient=q, excess=9.0) for q in (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 9.0)]
    found += [point(kinked, quotient=q, excess=9.0) for q in (-3.0, -1.0, 0.0, 1.0, 3.0, 6.0)]
    pairs = product((-2.0, 0.0, 2.0, 6.0), (0.0, 1.0, 4.0))
    return found + [point(blocks, quotient=q, condition_1=c, target_0=0.0, bend_0=0.1, excess=9.0) for q, c in pairs]


def draw(theorem: Theorem, generator: np.random.Generator, count: int) -> list[Point]:
    """Random decoupled maps and maps bent along one form."""
    shapes = [Shape(n, p, "blocks", "square") for n, p in ((1, 1), (2, 2), (3, 4))]
    shapes += [Shape(2, 2, "rank one", "square"), Shape(3, 3, "rank one", "square")]
    return [drawn(shapes[generator.integers(len(shapes))], generator) for _ in range(count)]


def distance(item: CompositeInstance, number: Any) -> Any:
    """The distance of the nearest solution, with numbers made by ``number`` (float or balls); inf where there is surely none.

    NaN where this is not known: whether there is a solution may be undecided in balls, and other maps have no closed form.
    """
    infinite = number(np.inf) if number is float else arb("inf")
    if item.is_decoupled:
        roots = [_nearest_root(item, i, number) for i in range(item.outputs)]
        if any(root is None for root in roots):
            return infinite
        total = sum((root * root for root in roots), number(0))
        return total**0.5 if number is float else total.sqrt()
    form = one_form(item)
    if form is None or item.parameters != item.outputs or item.kink is not None:
        return number(np.nan) if number is float else arb.nan()
    lengths = [_length(item, form, x, number) for x in _roots_of_form(item, form, number)]
    if not lengths:
        return infinite
    return min(lengths) if number is float or len(lengths) == 1 else lengths[0].min(lengths[1])


def one_form(item: CompositeInstance) -> tuple[Array, Array] | None:
    """(w, v) with Q = w v v^T exactly in floats (v has an entry 1), or None."""
    place = np.unravel_index(int(np.argmax(np.abs(item.tensor))), item.tensor.shape)
    i, k = int(place[0]), int(place[1])
    if item.tensor[i, k, k] == 0:
        return None
    v, w = item.tensor[i, k] / item.tensor[i, k, k], item.tensor[:, k, k]
    return (w, v) if np.array_equal(np.einsum("i,j,k", w, v, v), item.tensor) else None


def _root(number: Any, value: Any) -> Any:
    return value**0.5 if number is float else value.sqrt()


def _nearest_root(item: CompositeInstance, i: int, number: Any) -> Any:
    """The root of smallest modulus of sigma x - b x^2/2 = t, None where there is none; NaN in balls where undecided."""
    sigma, bend, target = number(item.singular[i]), number(-item.tensor[i, i, i]), number(item.target[i])
    discriminant = sigma * sigma - 2 * bend * target
    root = None if discriminant < 0 else 2 * target / (sigma + _root(number, discriminant))
    if i or item.kink is None:
        return root
    place, steep = number(item.kink.place), number(item.kink.steepness)
    if root is not None and not root > place:
        return root if number is float or root <= place else arb.nan()
    # Beyond the kink, y = x - c: F(c) + (sigma - b c) y - (b + B) y^2/2. A negative root of smaller curvature is farther than c or
    # does not exist: for t > 0 and b >= 0, F < 0 on the negative axis.
    slope = sigma - bend * place
    beyond = slope * slope - 2 * (bend + steep) * (target - sigma * place + bend * place * place / 2)
    if not (bend >= 0 and target > 0 and slope > 0):
        return number(np.nan) if number is float else arb.nan()
    if beyond < 0:
        return None
    return place + (slope - _root(number, beyond)) / (bend + steep)


def _roots_of_form(item: CompositeInstance, form: tuple[Array, Array], number: Any) -> list[Any]:
    """All x with x = v.A^{-1} t - (v.A^{-1} w) x^2/2."""
    w, v = form
    straight = sum((number(a) * number(t) / number(s) for a, t, s in zip(v, item.target, item.singular, strict=True)), number(0))
    curved = sum((number(a) * number(b) / number(s) for a, b, s in zip(v, w, item.singular, strict=True)), number(0))
    discriminant = 1 + 2 * curved * straight
    if discriminant < 0:
        return []
    root = _root(number, discriminant)
    roots = [2 * straight / (1 + root)]
    return roots if curved == 0 else [*roots, -(1 + root) / curved]


def _length(item: CompositeInstance, form: tuple[Array, Array], x: Any, number: Any) -> Any:
    entries = [(number(t) - number(b) * x * x / 2) / number(s) for t, b, s in zip(item.target, form[0], item.singular, strict=True)]
    return _root(number, sum((entry * entry for entry in entries), number(0)))


def tried(theorem: Theorem, points: Sequence[Point]) -> tuple[Array, list[CompositeInstance | None]]:
    """The tightness of every claim at every point, and the instances."""
    found = np.full((len(points), len(theorem.claims)), np.nan)
    instances = admitted(theorem, points, 1) if points else []
    for row, item in enumerate(instances):
        if item is not None:
            known = _known(theorem, [item])
            noise = np.array([[1e-9 * float(known["distance"][0, 0])]])  # near N = 1 a root loses half of its digits
            noise = np.where(np.isfinite(noise), noise, 0.0)
            found[row] = [float(tightness(claim, known, noise)[0, 0]) for claim in theorem.claims]
    return found, instances


def _known(theorem: Theorem, items: Sequence[CompositeInstance]) -> dict[str, Array]:
    rows = [_values(item, float) for item in items]
    with np.errstate(all="ignore"):
        return evaluate(theorem, {name: np.array([[float(row[name])] for row in rows]) for name in rows[0]}, FLOAT)[0]


def _values(item: CompositeInstance, number: Any) -> dict[str, Any]:
    pairs = zip(item.target, item.singular, strict=True)
    square = sum(((number(t) / number(s)) * (number(t) / number(s)) for t, s in pairs), number(0))
    exact = item.exact_values()
    return {name: exact[name] for name in ("lambda0", "beta", "R")} | {
        "newton_step": _root(number, square),
        "distance": distance(item, number),
    }


def examined(theorem: Theorem, instance: CompositeInstance, claim: Claim) -> Outcome | None:
    """The outcome of a claim in balls; None unless premises and hypotheses are surely met and the nearest solution is known."""
    for bits in PRECISIONS[:2]:
        arithmetic = BallArithmetic(bits)
        with working_precision(bits):
            if broken_premises(instance):
                return None
            values = {name: arithmetic.numbers(value) for name, value in _values(instance, arb).items()}
            known, margins = evaluate(theorem, values, arithmetic)
            if surely_met(theorem, margins):
                if not known["distance"].is_nan() and not known["distance"].is_finite():  # no solution at all
                    bound = evaluate_expression(claim.bound, known, arithmetic)
                    return Outcome(claim.id, 0, np.inf, float(bound.mid()), np.inf, True) if bound.is_finite() else None
                return examined_in_balls(claim, known, arithmetic)
    return None


def samples(theorem: Theorem, points: Sequence[Point]) -> list[CompositeInstance]:
    """The instances at the points, and some beyond the hypotheses."""
    found = [item for item in admitted(theorem, points, 1) if item is not None]
    found += [replace(item, beta=1.3 * item.beta, radius=item.radius / 1.3) for item in found]
    return found + [replace(item, radius=0.8 * item.radius) for item in found]


def sides(theorem: Theorem, instances: Sequence[CompositeInstance]) -> Sides:
    """Margins and rooms at the instances."""
    known = _known(theorem, instances)
    margins = {item.id: np.ravel(evaluate_expression(item.margin, known, FLOAT)) for item in theorem.hypotheses}
    rooms = []
    for claim in theorem.claims:
        measured, bound = (np.ravel(evaluate_expression(side, known, FLOAT)) for side in (claim.measured, claim.bound))
        with np.errstate(all="ignore"):
            rooms.append((np.where(np.isfinite(measured), bound - measured, bound), np.abs(bound)))
    pairs = [(np.broadcast_to(x, (len(instances),)), np.abs(x)) for x in margins.values()]
    applies = met(theorem, {name: np.broadcast_to(x, (len(instances),)) for name, x in margins.items()})
    assert list(strict_margins(theorem)) == list(margins)
    return Sides(applies, pairs, rooms)


# The same instances moved in the same way; what is measured of them, and against what, is another matter.
NEAREST = replace(
    COMPOSITE,
    name="nearest solutions",
    tests=tests,
    extremes=extremes,
    drawn=draw,
    tried=tried,
    examined=examined,
    samples=samples,
    sides=sides,
    script=nearest_script,
)
