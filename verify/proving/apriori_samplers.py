"""Samplers of section F: networks on which the events hold with measured numbers, so that every bound must hold, surely.

The probability of the events is no part of it: for each event the least number t with which it holds is measured on the
instance (the leave-one-out signals included), and the recursions of ``theorems.apriori`` are evaluated with these.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numerics.activations import evaluate
from theorems.apriori.ball import ball_signals
from theorems.apriori.blueprint import Blueprint, blueprint
from theorems.apriori.constants import Prior, quantities, quotient
from theorems.apriori.data import Moments, Points, at_start, beta_on_ball
from theorems.apriori.eigenvalue import Granted
from theorems.apriori.polynomial import Polynomial
from theorems.apriori.scale import with_label_scale, with_output_scale
from theorems.apriori.start import start_bounds
from theorems.apriori.threshold import at_width, monotone_from
from theorems.arithmetic import FLOAT
from verify.proving.maps import norm, unit
from verify.proving.networks import (
    Array,
    Signals,
    SmallNetwork,
    draw_network,
    jacobian,
    operator_norms,
    rounding,
    signals,
)
from verify.proving.networks import bounds_on_ball as measured_bounds
from verify.proving.sampling import Trial


@dataclass(frozen=True)
class MeasuredTails:
    """The least numbers t with which the events hold on an instance."""

    numbers: Mapping[str, float]

    def tail(self, event: str, arithmetic: Any) -> Any:
        """The number of an event."""
        return arithmetic.numbers(self.numbers[event])


def plan_of(network: SmallNetwork) -> Blueprint:
    """The blueprint of a small network; its last layer counts as standard normal, whatever it is."""
    a = network.architecture
    return blueprint(
        a.sizes,
        slope=Fraction(network.slope),
        curvature=Fraction(network.curvature),
        at_zero=abs(float(evaluate(network.kernel, np.zeros(1))[0][0])),
        points=network.inputs.shape[1],
        weight_scale=a.weight_scale,
        bias_scale=a.bias_scale,
        output_scale=a.output_scale,
        trained=a.trained,
        output_layer="gaussian",
    )


def measured_tails(network: SmallNetwork) -> MeasuredTails:
    """The least t of every event, a little enlarged for the rounding of the measurement."""
    a, found = network.architecture, signals(network, network.theta0)
    weights = [a.weight(network.theta0, layer) for layer in range(1, a.layers + 1)]
    one = a.outputs == 1
    roots = [math.sqrt(size) for size in a.sizes]
    # A single output's row is a vector: its norm is compared with the root of its length alone.
    rows = [*roots[1:-1], 0.0 if one else roots[-1]]
    norms = [float(np.linalg.norm(w, 2)) - math.sqrt(w.shape[1]) - row for w, row in zip(weights, rows, strict=True)]
    deviations = [p_norms(network, found, index) for index in range(a.layers - 1)]
    column = float(np.linalg.norm(weights[-1], axis=0).max())
    tails = {
        "operator_norms": max(norms[1:]),
        "signals": max(
            float((np.linalg.norm(found.z[index], axis=0) / p).max()) - roots[index + 1] for index, p in enumerate(deviations)
        ),
        "output_weights": column if one else column - math.sqrt(a.outputs),
    }
    if a.layers > 2:
        inner = range(a.layers - 2)
        tails["units"] = max(float((np.abs(found.z[index]) / deviations[index]).max()) for index in inner)
        tails["columns"] = max(float(np.linalg.norm(weights[index + 1], axis=0).max()) - roots[index + 2] for index in inner)
        longest = max(_leave_one_out(network, found, index, unit_) for index in inner for unit_ in range(a.sizes[index + 1]))
        tails["leave_one_out"] = longest if one else longest - math.sqrt(a.outputs)
    return MeasuredTails({event: t + 1e-9 * (1 + abs(t)) for event, t in tails.items()})


def p_norms(network: SmallNetwork, found: Signals, index: int) -> Array:
    """p_l at the points, l = index + 1."""
    a = network.architecture
    return np.asarray(np.sqrt(a.fan_in_scales[index] ** 2 * np.sum(found.h[index] ** 2, axis=0) + a.bias_scale**2))


def _leave_one_out(network: SmallNetwork, found: Signals, index: int, unit_: int) -> float:
    """The largest |delta'^T w|/|delta'| over the points for one unit of layer index + 1."""
    a, theta = network.architecture, network.theta0
    w = a.weight(theta, index + 2)[:, unit_]
    z = found.z[index + 1] - a.fan_in_scales[index + 1] * np.outer(w, found.h[index + 1][unit_])
    slopes = []
    for layer in range(index + 2, a.layers):  # z is that of this layer
        value, slope = evaluate(network.kernel, z)
        slopes.append(slope)
        z = a.fan_in_scales[layer] * (a.weight(theta, layer + 1) @ value) + a.bias_scale * a.bias(theta, layer + 1)[:, None]
    delta = np.repeat(np.eye(a.outputs)[:, None, :], network.inputs.shape[1], axis=1)
    for layer in range(a.layers - 1, index + 1, -1):
        eta = a.fan_in_scales[layer] * np.einsum("ab,anj->bnj", a.weight(theta, layer + 1), delta)
        delta = slopes.pop()[:, :, None] * eta
    sizes = operator_norms(delta)
    projected = np.linalg.norm(np.einsum("bnj,b->nj", delta, w), axis=1)
    return float(np.max(np.divide(projected, sizes, out=np.zeros_like(sizes), where=sizes > 0)))


def bounds_at_start(generator: np.random.Generator) -> Iterator[Trial]:
    """|h_l|, p_l, |eta_l|_inf, |delta_l| and the kernel's trace at theta0, at the points and as polynomials in |x|."""
    network = _drawn(generator)
    plan, tails, found = plan_of(network), measured_tails(network), signals(network, network.theta0)
    sizes = np.linalg.norm(network.inputs, axis=0)
    error = _rounding(network, 0.0)
    one = start_bounds(plan, tails, sizes, FLOAT)
    many = start_bounds(plan, tails, Polynomial((0.0, 1.0)), FLOAT)
    a = network.architecture
    for bounds, at in ((one, lambda signal: signal), (many, lambda signal: signal(sizes))):
        pairs = [(np.linalg.norm(h, axis=0), at(bounds.signals[layer])) for layer, h in enumerate(found.h)]
        pairs += [(p_norms(network, found, layer), at(bounds.preactivations[layer])) for layer in range(a.layers)]
        pairs += [(np.linalg.norm(eta, axis=2).max(axis=0), at(bounds.backward_sup[layer])) for layer, eta in enumerate(found.eta)]
        pairs += [(operator_norms(delta), bounds.backward_norms[layer] + 0 * sizes) for layer, delta in enumerate(found.delta)]
        for measured, bound in pairs:
            for value, allowed in zip(measured, bound, strict=True):
                yield Trial(float(value), float(allowed), error)


def beta_before_drawing(generator: np.random.Generator) -> Iterator[Trial]:
    """|DF - DF'| <= beta |theta - theta'| on B(R), with the polynomial's mean, with the points' beta, and lambda_max(K_0)."""
    network = _drawn(generator)
    plan, tails, radius = plan_of(network), measured_tails(network), float(10.0 ** generator.uniform(-2, 1))
    given, _ = measured_bounds(network, radius)
    weights = network.root_weights**2
    points = Points(np.linalg.norm(network.inputs, axis=0), weights, given.gram_norms[0], given.schur)
    known = at_start(plan, tails, points, FLOAT)
    error = _rounding(network, radius) * math.sqrt(len(network.moving))
    start = jacobian(network, network.theta0)
    yield Trial(float(np.linalg.norm(start, 2) ** 2), float(known.lambda_max), error * (1 + float(np.linalg.norm(start, 2))))
    polynomial = ball_signals(start_bounds(plan, tails, Polynomial((0.0, 1.0)), FLOAT), radius, FLOAT).beta
    mean = math.sqrt(float(np.sum(weights * polynomial(points.norms) ** 2)))
    at_points = float(beta_on_ball(known, points, radius, FLOAT))
    yield Trial(at_points, mean, 1e-9 * mean)  # bounds of bounds: only sums, products and roots are rounded
    size = len(network.moving)
    steepest = np.linalg.svd(start, full_matrices=False)[2][0]
    for direction in (unit(generator, size), steepest):
        theta = network.theta0 + radius * network.embed(direction)
        other = network.theta0 + radius * float(generator.uniform(-1, 1)) * network.embed(direction)
        change = float(np.linalg.norm(jacobian(network, theta) - jacobian(network, other), 2))
        yield Trial(change, at_points * norm(theta - other), error)


def matrix_chernoff(generator: np.random.Generator) -> Iterator[Trial]:
    """The sum of the X_j is at most K_0 of a network of one hidden layer with +-1 outputs, and each is at most rho I."""
    n, m, d = (int(generator.integers(1, top + 1)) for top in (4, 6, 3))
    inputs, hidden = generator.standard_normal((n, d)), generator.standard_normal((m, d))
    signs, slope = generator.choice([-1.0, 1.0], m), float(generator.uniform(0.1, 2))
    gram = inputs @ inputs.T / (n * d)
    values = slope * np.cos(hidden @ inputs.T / math.sqrt(d))  # phi' of slope * sin
    summands = [np.outer(v, v) * gram / m for v in values]
    rho = slope**2 * float(np.linalg.eigvalsh(gram)[-1]) / m
    features = (signs[:, None, None] * values[:, :, None] * inputs[None] / math.sqrt(n * m * d)).transpose(1, 0, 2).reshape(n, -1)
    error = 1e-13 * (1 + slope**2) * (1 + float(np.abs(gram).max())) * n * d
    for summand in summands:
        yield Trial(float(np.linalg.eigvalsh(summand)[-1]), rho, error)
        yield Trial(-float(np.linalg.eigvalsh(summand)[0]), 0.0, error)
    yield Trial(float(np.abs(sum(summands) - features @ features.T).max()), 0.0, error)


def bounds_against_the_width(generator: np.random.Generator) -> Iterator[Trial]:
    """beta, Lambda's lambda_max, s_0, -lambda0 and q do not increase with the width from m_0 on.

    Half of the networks have one point, hidden layers of one or two units, one trained layer, and the widths m_0 and m_0 + 1.
    """
    plan, delta, at_edge = _random_plan(generator), float(generator.uniform(1e-6, 0.999)), bool(generator.random() < 0.5)
    if at_edge:
        alone = int(generator.integers(plan.layers))
        sizes = (3, *(1 if generator.random() < 0.7 else 2 for _ in plan.hidden), plan.outputs)
        plan = dataclasses.replace(plan, sizes=sizes, points=1, trained=tuple(i == alone for i in range(plan.layers)))
    eigenvalue = Granted(Fraction(1, 10))
    prior = Prior(plan, _moments(generator, plan), 1, eigenvalue, Fraction(delta), centered=bool(generator.random() < 0.3))
    first = monotone_from(prior)
    small = first if at_edge else first + int(10.0 ** generator.uniform(0, 6)) - 1
    large = small + 1 if at_edge else small + int(10.0 ** generator.uniform(0, 6))
    radius = float(10.0 ** generator.uniform(-2, 1))
    low, high = (quantities(at_width(prior, width), radius, FLOAT) for width in (small, large))
    for name in ("beta", "lambda_max", "s0"):
        yield Trial(float(high[name]), float(low[name]), 1e-10 * float(low[name]))  # sums and products of positive numbers
    q_low, q_high = (float(quotient(at_width(prior, width), FLOAT)) for width in (small, large))
    yield Trial(q_high, q_low, 1e-10 * q_low)


def bounds_against_the_scales(generator: np.random.Generator) -> Iterator[Trial]:
    """beta(R) grows with R; beta/alpha, lambda_max/alpha^2, |f_0|/alpha and R do not depend on alpha; q falls with the scales."""
    plan = _random_plan(generator)
    known = Granted(Fraction(float(10.0 ** generator.uniform(-2, 1))))
    size, delta = Fraction(float(10.0 ** generator.uniform(-2, 1))), Fraction(float(generator.uniform(1e-6, 0.999)))
    prior = Prior(plan, _moments(generator, plan), size, known, delta, centered=bool(generator.random() < 0.5))
    by, radius = Fraction(float(10.0 ** generator.uniform(0, 2))), float(10.0 ** generator.uniform(-2, 1))
    larger, smaller = with_output_scale(prior, by), with_label_scale(prior, 1 / by)
    pairs = ((prior, radius), (prior, float(by) * radius), (larger, radius))
    near, far, scaled = (quantities(item, r, FLOAT) for item, r in pairs)
    yield Trial(float(near["beta"]), float(far["beta"]), 1e-10 * float(far["beta"]))  # sums and products of positive numbers
    initial_output = (float(item["s0"]) - float(size) for item in (near, scaled))
    for value, other, power in (
        (near["beta"], scaled["beta"], 1),
        (near["lambda_max"], scaled["lambda_max"], 2),
        (*initial_output, 1),
    ):
        exact = float(value) * float(by) ** power
        yield Trial(abs(exact - float(other)), 0.0, 1e-10 * (exact + float(by * size)))
    before, *after = (float(quotient(item, FLOAT)) for item in (prior, larger, smaller))
    share = float(by) if prior.centered else 1.0
    for q in after:
        yield Trial(q, before / share, 1e-10 * before)


def _random_plan(generator: np.random.Generator) -> Blueprint:
    layers = int(generator.integers(2, 6))
    return blueprint(
        (3, *(int(x) for x in generator.integers(1, 5, layers - 1)), int(generator.integers(1, 3))),
        slope=float(generator.uniform(0.1, 2)),
        curvature=float(generator.uniform(0.1, 2)),
        at_zero=float(generator.choice([0.0, 0.5])),
        points=int(generator.integers(1, 9)),
        weight_scale=float(generator.uniform(0.3, 2)),
        bias_scale=float(generator.choice([0.0, 0.5])),
        output_layer="signs" if generator.random() < 0.5 else "gaussian",
    )


def _moments(generator: np.random.Generator, plan: Blueprint) -> Moments:
    squares = np.cumsum(generator.uniform(0.1, 2, plan.points))
    return Moments(tuple(float(np.mean(squares**j)) for j in range(1, plan.layers + 1)))


def _drawn(generator: np.random.Generator) -> SmallNetwork:
    """A small network on whose points no p_l vanishes (with probability 1 where phi is not the zero function)."""
    while True:
        network = draw_network(generator)
        found = signals(network, network.theta0)
        if all(np.all(p_norms(network, found, index) > 1e-6) for index in range(network.architecture.layers)):
            return network


def _rounding(network: SmallNetwork, radius: float) -> float:
    _, bounds = measured_bounds(network, radius)
    return rounding(network, bounds, radius)
