"""Where runs end, to test B1 to B5: gradient descent on composite problems followed to its limit, beside the nearest solution.

The limit is known by Theorem A: after k steps it is within the bound (A-d) of theta_k, which is followed until that is tiny. The
nearest solution is a zero of theta - DF(theta)^* w and F(theta) - target, found by Gauss-Newton and, in balls, by Krawczyk's
operator, which proves that a zero lies in a box. That it is the nearest is Theorem B5 where t_u < 1/2; elsewhere it is not known,
and what needs it is not tested. P projects on the first n coordinates, as DF(theta0) = (diag(sigma), 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import sympy
from flint import arb

from numerics.roundoff import UNIT_ROUNDOFF
from theorems.arithmetic import BallArithmetic, working_precision
from theorems.catalogue import theorem as catalogued
from theorems.records import Claim, Role, Theorem, evaluate_expression
from theorems.statements.notation import remaining
from verify.falsify import bowls
from verify.falsify.bulk import BULK
from verify.falsify.certified_runs import Array, Values, certified_symbols, of_one_size, sides_over
from verify.falsify.composite import COMPOSITE
from verify.falsify.coordinates import Point, Shape, admitted, drawn, names, point, ranges
from verify.falsify.descent import map_in_balls, norm_in_balls
from verify.falsify.families import Sides
from verify.falsify.instances import CompositeInstance, broken_premises
from verify.falsify.limit_scripts import limit_script
from verify.falsify.promises import Outcome, evaluate, examined_in_balls, met, surely_met
from verify.falsify.quadratic_maps import Maps, lengths, nearest_in_balls, nearest_in_bulk, solved

LOSSES = ("square", "loose", "quadratic", "log-cosh", "pseudo-Huber")
GIVEN = {"L", "mu", "lambda0", "lambda_max", "beta", "eta", "R", "s0", "Lambda", "rbar"}
MEASURED = {"outside", "travelled", "nearest", "excess", "deviation"}
STEPS, MOST_STEPS = 400, 1500  # of gradient descent, where a search uses its end and where something is decided
MILD, LARGEST_QUOTIENT = 0.2, 3.0  # of the conditioning, and of the logit of q, in random points
LEAST_QUOTIENT = -4.0  # of the logit of q: below, -ln(1 - t) - t loses its digits in floats
NEARLY = 1e-9  # of |theta_inf|: its error where a search uses it
SURELY = 1e-16  # of rbar: the rest of the path where something is decided
PRECISIONS = (384, 1024)


def tests(theorem: Theorem) -> bool:
    """Whether the theorem says where certified runs end, in quantities that are measured here."""
    given = {str(item.symbol.name) for item in theorem.quantities}
    return theorem.role is Role.LIMIT and given <= GIVEN | MEASURED


def certifier() -> Theorem:
    """Theorem A, whose hypotheses instances satisfy and whose constants are rbar and Lambda."""
    return catalogued("A")


def rest_bound(record: Theorem) -> sympy.Expr:
    """The record's bound of the remaining path."""
    claim = record.claim_about(remaining)
    assert claim is not None
    return claim.bound


def extremes(theorem: Theorem) -> list[Point]:
    """Maps of one output that turn the gradient out of the range (x + x y), lose slope fastest, or bend across the gradient, from
    nearly linear to q near 1; two outputs; every loss.
    """
    found = []
    bends = {"turning": (0.0, 1.0, 0.0), "across": (0.0, 0.0, 1.0), "against": (0.0, 0.0, -1.0), "mixed": (0.3, 1.0, -0.5)}
    # A bound by an integral over the path is attained by small steps and q -> 0.
    turning = {"bend_0": 0.0, "bend_1": 1.0, "bend_2": 0.0}
    found += [point(Shape(1, 2, "dense", "square"), quotient=q, share=1.5, **turning) for q in (-3.0, -2.0, -1.0)]
    for loss, quotient in product(LOSSES, (-3.0, -1.0, 0.0, 1.0, 2.0)):
        own = {"flatness": 0.2, "size": -1.0, "weight_0": 0.0}
        for (first, cross, second), share in product(bends.values(), (0.0, 1.0)):
            bent = {"bend_0": first, "bend_1": cross, "bend_2": second}
            found.append(point(Shape(1, 2, "dense", loss), quotient=quotient, share=share, **bent, **own))
        found.append(point(Shape(1, 1, "blocks", loss), quotient=quotient, **own))
        found.append(point(Shape(2, 3, "dense", loss), quotient=quotient, condition_1=0.2, weight_1=0.3, **own))
    return found


def draw(theorem: Theorem, generator: np.random.Generator, count: int) -> list[Point]:
    """Random maps, most with more parameters than outputs, mildly conditioned so that runs end soon."""
    shapes = [Shape(n, p, "dense", loss) for n, p in ((1, 2), (1, 3), (2, 3), (2, 4)) for loss in ("square", *LOSSES)]
    shapes += [Shape(1, 2, "rank one", "square"), Shape(2, 2, "blocks", "square"), Shape(2, 3, "outward", "square")]
    found = []
    for _ in range(count):
        one = drawn(shapes[generator.integers(len(shapes))], generator)
        kinds = [name.split()[0] for name in names(one.shape)]
        mild = [
            MILD * x if kind in ("condition", "weight", "flatness") else min(x, LARGEST_QUOTIENT) if kind == "quotient" else x
            for kind, x in zip(kinds, one.vector, strict=True)
        ]
        found.append(within(Point(one.shape, tuple(mild))))
    return found


def boxes(one: Point) -> Array:
    """``coordinates.ranges`` with q not below what floats resolve."""
    box = ranges(one.shape)
    box[names(one.shape).index("quotient"), 0] = LEAST_QUOTIENT
    return box


def within(one: Point) -> Point:
    """The point of ``boxes`` nearest to this one."""
    box = boxes(one)
    return Point(one.shape, tuple(float(x) for x in np.clip(one.vector, box[:, 0], box[:, 1])))


def tried(theorem: Theorem, points: Sequence[Point]) -> tuple[Array, list[CompositeInstance | None]]:
    """The tightness of every claim at every point, and the instances."""
    found = np.full((len(points), len(theorem.claims)), np.nan)
    instances = admitted(certifier(), points, STEPS) if points else []
    rows = [row for row, item in enumerate(instances) if item is not None]
    if not rows:
        return found, instances
    values, errors = measured([item for item in instances if item is not None])
    with np.errstate(all="ignore"):
        known, margins = evaluate(theorem, values, BULK)
        good = met(theorem, margins).ravel()
        for column, claim in enumerate(theorem.claims):
            found[rows, column] = np.where(good, _tightness(theorem, claim, known, errors).ravel(), np.nan)
    return found, instances


def _tightness(theorem: Theorem, claim: Claim, known: Values, errors: Values) -> Array:
    """measured/bound (bound/measured for a lower one), less what the errors of what is measured can do to both."""

    def sides(values: Values) -> tuple[Array, Array]:
        both = [np.asarray(evaluate_expression(side, values, BULK)) for side in (claim.measured, claim.bound)]
        return (both[1], both[0]) if claim.lower else (both[0], both[1])

    used, allowed = sides(known)
    moved = {name: known[name] + errors[name] for name in errors}
    shifted, widened = sides(evaluate(theorem, {**known, **moved}, BULK)[0])
    noise = np.abs(shifted - used) + np.abs(widened - allowed) + 8 * UNIT_ROUNDOFF * (np.abs(used) + np.abs(allowed))
    room = allowed + noise
    return np.where(room > 0, np.maximum((used - noise) / room, 0.0), np.nan)


def measured(items: Sequence[CompositeInstance]) -> tuple[Values, Values]:
    """Theorem A's symbols and constants and the quantities of B1 to B5, (B, 1), and the errors of the latter; NaN: not known."""
    values = certified_symbols(items)
    values |= {name: np.full((len(items), 1), np.nan) for name in (*MEASURED, "s0")}
    error = np.full((len(items), 1), np.nan)
    with np.errstate(all="ignore"):
        for rows in of_one_size(items):
            own = {name: column[rows] for name, column in values.items()}
            found, error[rows] = _measured_alike([items[row] for row in rows], own)
            for name, column in found.items():
                values[name][rows] = column
        values = certifier().evaluate_constants(values, BULK)
    rounding = 64 * UNIT_ROUNDOFF * values["travelled"]
    short = rounding * (values["deviation"] / values["travelled"] + 4 * UNIT_ROUNDOFF)  # the excess is a product with u - v
    errors = dict.fromkeys(("outside", "travelled", "deviation"), error + rounding)
    return values, {**errors, "excess": error + short}


def _measured_alike(items: list[CompositeInstance], values: Values) -> tuple[Values, Array]:
    """The same for instances of one n and p, and the error of theta_inf."""
    maps = Maps(items)
    bowl, eta, theta = bowls.stack([item.bowl for item in items]), values["eta"], np.zeros((len(items), maps.parameters))
    values["s0"] = np.sqrt(2 * bowl.value(maps.value(theta))[:, None] / values["mu"])
    for _ in range(STEPS):
        theta = theta - eta * np.einsum("bi,bij->bj", bowl.gradient(maps.value(theta)), maps.jacobian(theta))
    record, known = certifier(), certifier().evaluate_constants(values, BULK)
    way = rest_bound(record)
    known["s"] = np.sqrt(2 * bowl.value(maps.value(theta))[:, None] / values["mu"])
    left = np.asarray(evaluate_expression(way, known, BULK))
    # One Newton step; its error is of second order in what was left (POLISHED of theorems.lemmas.implicit), and rounding.
    jacobian, floor = maps.jacobian(theta), np.sqrt(known["lambda_floor"])
    theta = theta - np.einsum("bij,bi->bj", jacobian, solved(jacobian, maps.value(theta)))
    error = values["beta"] * left**2 / (np.sqrt(2) * floor) + 4 * STEPS * UNIT_ROUNDOFF * known["rbar"]
    length = lengths(theta)
    theta[~(error <= NEARLY * length).ravel()] = np.nan
    star = nearest_in_bulk(maps, theta)
    u = lengths(star)
    star[~((2 * values["beta"] * u < np.sqrt(values["lambda0"])) & (u < values["R"])).ravel()] = np.nan
    gap = theta - star
    found = {
        "s0": values["s0"],
        "outside": lengths(theta[:, maps.outputs :]),
        "travelled": lengths(theta),
        "nearest": lengths(star),
        "deviation": lengths(gap),
        "excess": np.sum(gap * (theta + star), axis=1)[:, None] / (length + u),
    }
    return found, error


def examined(theorem: Theorem, instance: CompositeInstance, claim: Claim) -> Outcome | None:
    """The outcome of a claim in balls; None unless premises and hypotheses are surely met and both points are enclosed."""
    for bits in PRECISIONS:
        arithmetic = BallArithmetic(bits)
        with working_precision(bits):
            values = _enclosed(instance, bits)
            if values is None or broken_premises(instance):
                continue
            if not {str(item.symbol.name) for item in theorem.quantities} <= set(values):
                return None  # the nearest solution is not known
            known, margins = evaluate(theorem, values, arithmetic)
            return examined_in_balls(claim, known, arithmetic) if surely_met(theorem, margins) else None
    return None


@lru_cache(maxsize=64)
def _enclosed(item: CompositeInstance, bits: int) -> dict[str, Any] | None:
    """The values of ``measured`` in balls; without those of the nearest solution where it is not proved; None without an end."""
    record, arithmetic = certifier(), BallArithmetic(bits)
    exact = {name: arithmetic.numbers(value) for name, value in item.exact_values().items()}
    theta, mu = [arb(0)] * item.parameters, arb(item.bowl.mu)
    known: dict[str, Any] = {}
    way = rest_bound(record)
    for k in range(MOST_STEPS + 1):
        value, jacobian = map_in_balls(item, theta)
        u = [x - arb(t) for x, t in zip(value, item.target, strict=True)]
        s = (2 * bowls.value_in_balls(item.bowl, u).max(arb(0)) / mu).sqrt()
        if not k:
            known = record.evaluate_constants({**exact, "s0": s}, arithmetic)
            if not surely_met(record, record.margins(known, arithmetic)):
                return None
        left = evaluate_expression(way, {**known, "s": s}, arithmetic)
        if left < SURELY * known["rbar"]:
            break
        weights = bowls.gradient_in_balls(item.bowl, u)
        theta = [
            x - arb(item.step_size) * sum((w * row[j] for w, row in zip(weights, jacobian, strict=True)), arb(0))
            for j, x in enumerate(theta)
        ]
    else:
        return None
    v = [x + left * arb(0, 1) for x in theta]
    values = known | {"outside": norm_in_balls(v[item.outputs :]), "travelled": norm_in_balls(v)}
    star = nearest_in_balls(item)
    if star is None:
        return values
    length = norm_in_balls(star)
    if not (2 * known["beta"] * length < known["lambda0"].sqrt() and length < known["R"]):
        return values
    gap = norm_in_balls([x - y for x, y in zip(v, star, strict=True)])
    return values | {"nearest": length, "deviation": gap, "excess": values["travelled"] - length}


def samples(theorem: Theorem, points: Sequence[Point]) -> Values:
    """Values at some of the points, and again as if beta were larger or R smaller."""
    items = [item for item in admitted(certifier(), points[:: max(1, len(points) // 120)], STEPS) if item is not None]
    known, _ = measured(items)
    others = ({**known, "beta": 1.3 * known["beta"]}, {**known, "R": 0.5 * known["nearest"]})
    return {name: np.vstack([column, *(other[name] for other in others)]) for name, column in known.items()}


def sides(theorem: Theorem, values: Values) -> Sides:
    """Margins and rooms at instances with these values."""
    return sides_over(theorem, values, values["travelled"].shape)


# Composite instances, moved and made simpler in the same way.
LIMITS = replace(
    COMPOSITE,
    name="limits of runs",
    tests=tests,
    extremes=extremes,
    drawn=draw,
    ranges=boxes,
    tried=tried,
    examined=examined,
    samples=samples,
    sides=sides,
    script=limit_script,
)
