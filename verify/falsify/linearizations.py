"""Certified runs beside their start and their linearization, to test C2 and C3: composite problems with the square loss.

The layers of a composite problem are one, so that its change is the displacement; its neurons are the coordinates theta_j, of which
the gradient is at most C_j = |A e_j| + |Q e_j|_F R times the residual on B(R). The weights at the start have norm 1: F may be
shifted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from flint import arb

from numerics.roundoff import UNIT_ROUNDOFF
from theorems.arithmetic import BallArithmetic, working_precision
from theorems.catalogue import theorem as catalogued
from theorems.records import Claim, Role, Theorem, evaluate_expression
from theorems.statements.lazy import NEXT_SUM
from verify.falsify.bulk import BULK
from verify.falsify.certified_runs import Array, Values, certified_symbols, of_one_size, sides_over
from verify.falsify.composite import COMPOSITE
from verify.falsify.coordinates import Point, Shape, admitted, drawn, point
from verify.falsify.descent import map_in_balls, norm_in_balls
from verify.falsify.families import Sides
from verify.falsify.instances import CompositeInstance, broken_premises
from verify.falsify.limit_scripts import linear_script
from verify.falsify.limits import GIVEN, boxes, within
from verify.falsify.promises import Outcome, evaluate, examined_in_balls, met, surely_met
from verify.falsify.quadratic_maps import Maps

MEASURED = {"theta_norm", "rho", "layer_change", "neuron_ratio", "linear_gap", "linear_sum"}
STEPS = 80
PRECISIONS = (256, 1024)


def tests(theorem: Theorem) -> bool:
    """Whether the theorem compares certified runs with their start and linearization, in quantities that are measured here."""
    given = {str(item.symbol.name) for item in theorem.quantities}
    return theorem.role is Role.LAZY and given <= GIVEN | MEASURED


def certifier() -> Theorem:
    """Theorem A for the square loss, whose hypotheses instances satisfy and whose constants are rbar and Lambda."""
    return catalogued("A-square")


def extremes(theorem: Theorem) -> list[Point]:
    """Maps of one output that lose slope, gain it, turn the gradient or bend across it, at several steps; two outputs."""
    found = []
    bends = ((1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    for quotient, share in product((-4.0, -3.0, -1.0, 0.0, 1.0, 3.0), (0.0, 0.3, 1.0)):
        found.append(point(Shape(1, 1, "blocks", "square"), quotient=quotient, share=share))
        found.append(point(Shape(1, 1, "outward", "square"), quotient=quotient, share=share))
        for first, cross, second in bends:
            bent = {"bend_0": first, "bend_1": cross, "bend_2": second}
            found.append(point(Shape(1, 2, "dense", "square"), quotient=quotient, share=share, **bent))
        for condition, target in product((0.0, 0.5), (0.0, 1.0)):
            own = {"condition_1": condition, "target_0": target, "bend_0": 0.2}
            found.append(point(Shape(2, 2, "blocks", "square"), quotient=quotient, share=share, **own))
    return found


def draw(theorem: Theorem, generator: np.random.Generator, count: int) -> list[Point]:
    """Random maps of every kind, n <= 3, p <= 4."""
    sizes, kinds = [(1, 1), (1, 2), (2, 2), (2, 3), (3, 4)], ["blocks", "outward", "rank one", "dense"]
    found = []
    for _ in range(count):
        n, p = sizes[generator.integers(len(sizes))]
        found.append(within(drawn(Shape(n, p, str(generator.choice(kinds)), "square"), generator)))
    return found


def tried(theorem: Theorem, points: Sequence[Point]) -> tuple[Array, list[CompositeInstance | None]]:
    """The largest tightness of every claim over the steps, at every point, and the instances."""
    found = np.full((len(points), len(theorem.claims)), np.nan)
    instances = admitted(certifier(), points, STEPS) if points else []
    rows = [row for row, item in enumerate(instances) if item is not None]
    if not rows:
        return found, instances
    values, noise = measured([item for item in instances if item is not None])
    with np.errstate(all="ignore"):
        known, margins = evaluate(theorem, values, BULK)
        good = met(theorem, margins)
        for column, claim in enumerate(theorem.claims):
            left, right = (np.asarray(evaluate_expression(side, known, BULK)) for side in (claim.measured, claim.bound))
            ratio = np.where(right + noise > 0, np.maximum((left - noise) / (right + noise), 0.0), np.nan)
            found[rows, column] = np.where(good.ravel(), np.max(np.where(np.isnan(ratio), -np.inf, ratio), axis=1), np.nan)
    return np.where(np.isneginf(found), np.nan, found), instances


def measured(items: Sequence[CompositeInstance]) -> tuple[Values, Array]:
    """The symbols and constants of the certifier, (B, 1), and the quantities of C2 and C3 after k = 1, 2, ... steps, (B, K).

    Also roughly how far rounding carries them, (B, 1).
    """
    values = certified_symbols(items)
    values["s0"] = np.array([[float(np.linalg.norm(item.target))] for item in items])
    values["theta_norm"] = np.ones_like(values["s0"])
    values |= {name: np.full((len(items), STEPS), np.nan) for name in MEASURED - {"theta_norm"}}
    with np.errstate(all="ignore"):
        for rows in of_one_size(items):
            own = {name: column[rows] for name, column in values.items() if column.shape[1] == 1}
            for name, column in _measured_alike([items[row] for row in rows], own).items():
                values[name][rows] = column
        values = certifier().evaluate_constants(values, BULK)
    return values, 64 * UNIT_ROUNDOFF * np.maximum(values["s0"], values["rbar"])


def _measured_alike(items: list[CompositeInstance], values: Values) -> Values:
    """The same for instances of one n and p."""
    maps = Maps(items)
    theta, linear = np.zeros((len(items), maps.parameters)), -maps.target
    limits = np.linalg.norm(maps.linear, axis=1) + np.sqrt(np.sum(maps.tensor**2, axis=(1, 3))) * values["R"]
    path, total, columns = np.zeros_like(values["s0"]), np.zeros_like(values["s0"]), []
    for _ in range(STEPS):
        residual = maps.value(theta)
        step = values["eta"] * np.einsum("bi,bij->bj", residual, maps.jacobian(theta))
        length = np.linalg.norm(step, axis=1)[:, None]
        s = np.linalg.norm(residual, axis=1)[:, None]
        total = evaluate_expression(NEXT_SUM, {**values, "path": path, "length": length, "s": s, "linear_sum": total}, BULK)
        moved = np.einsum("bij,bkj,bk->bi", maps.linear, maps.linear, linear)
        theta, path, linear = theta - step, path + length, linear - values["eta"] * moved
        rho = np.linalg.norm(theta, axis=1)
        ratio = np.max(np.where(limits > 0, np.abs(theta) / np.where(limits > 0, limits, 1.0), 0.0), axis=1)
        gap = np.linalg.norm(maps.value(theta) - linear, axis=1)
        columns.append({"rho": rho, "layer_change": rho, "neuron_ratio": ratio, "linear_gap": gap, "linear_sum": total[:, 0]})
    return {name: np.array([column[name] for column in columns]).T for name in columns[0]}


def examined(theorem: Theorem, instance: CompositeInstance, claim: Claim) -> Outcome | None:
    """The outcome of a claim in balls; None unless premises and hypotheses are surely met."""
    outcome = None
    for bits in PRECISIONS:
        arithmetic = BallArithmetic(bits)
        with working_precision(bits):
            if broken_premises(instance) or not instance.bowl.is_square:
                return None
            values = _enclosed(instance, bits)
            record = certifier()
            known, margins = evaluate(theorem, values, arithmetic)
            states = (surely_met(record, record.margins(known, arithmetic)), surely_met(theorem, margins))
            if False in states:
                return None
            outcome = examined_in_balls(claim, known, arithmetic) if all(states) else None
            narrow = all(float(values[name][-1].rad()) < 1e-30 for name in MEASURED - {"theta_norm"})
        if outcome is not None and (outcome.violated or narrow):
            break
    return outcome


@lru_cache(maxsize=64)
def _enclosed(item: CompositeInstance, bits: int) -> dict[str, Any]:
    """The values of ``measured`` in balls."""
    arithmetic, n, p = BallArithmetic(bits), item.outputs, item.parameters
    known = {name: arithmetic.numbers(value) for name, value in item.exact_values().items()}
    known["s0"], known["theta_norm"] = norm_in_balls([arb(t) for t in item.target]), arb(1)
    known = certifier().evaluate_constants(known, arithmetic)
    theta, linear = [arb(0)] * p, [arb(-t) for t in item.target]
    limits = [
        (arb(item.singular[j]) if j < n else arb(0))
        + norm_in_balls([arb(float(x)) for x in item.tensor[:, j].ravel()]) * arb(item.radius)
        for j in range(p)
    ]
    path, total = arb(0), arb(0)
    columns: dict[str, list[Any]] = {name: [] for name in MEASURED - {"theta_norm"}}
    for _ in range(item.steps):
        value, jacobian = map_in_balls(item, theta)
        u = [x - arb(t) for x, t in zip(value, item.target, strict=True)]
        step = [arb(item.step_size) * sum((w * row[j] for w, row in zip(u, jacobian, strict=True)), arb(0)) for j in range(p)]
        length = norm_in_balls(step)
        now = {"path": path, "length": length, "s": norm_in_balls(u), "linear_sum": total}
        total = evaluate_expression(NEXT_SUM, {**known, **now}, arithmetic)
        theta, path = [x - y for x, y in zip(theta, step, strict=True)], path + length
        linear = [x - arb(item.step_size) * arb(sigma) ** 2 * x for x, sigma in zip(linear, item.singular, strict=True)]
        value, _ = map_in_balls(item, theta)
        gap = [x - arb(t) - y for x, t, y in zip(value, item.target, linear, strict=True)]
        ratio = arb(0)
        for x, limit in zip(theta, limits, strict=True):
            ratio = ratio.max(abs(x) / limit) if limit > 0 else ratio
        rho = norm_in_balls(theta)
        found = {"rho": rho, "layer_change": rho, "neuron_ratio": ratio, "linear_gap": norm_in_balls(gap), "linear_sum": total}
        for name, ball in found.items():
            columns[name].append(ball)
    return known | {name: np.array(column, dtype=object) for name, column in columns.items()}


def samples(theorem: Theorem, points: Sequence[Point]) -> Values:
    """Values at some of the points, and again as if beta or the step were larger."""
    items = [item for item in admitted(certifier(), points[:: max(1, len(points) // 120)], STEPS) if item is not None]
    known, _ = measured(items)
    others = ({**known, "beta": 1.3 * known["beta"]}, {**known, "eta": 2.2 * known["eta"]})
    return {name: np.vstack([column, *(other[name] for other in others)]) for name, column in known.items()}


def sides(theorem: Theorem, values: Values) -> Sides:
    """Margins and rooms at instances with these values."""
    return sides_over(theorem, values, values["rho"].shape)


# Composite instances, moved and made simpler in the same way.
LINEARIZATIONS = replace(
    COMPOSITE,
    name="runs and their linearizations",
    tests=tests,
    extremes=extremes,
    drawn=draw,
    ranges=boxes,
    tried=tried,
    examined=examined,
    samples=samples,
    sides=sides,
    script=linear_script,
)
