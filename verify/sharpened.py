"""The limit of the run and the nearest optimum where doubles cannot tell their distances apart.

The second forms of B2 and B4, and B5, say more than an identity by a share t_u of |v - u|^2, v = theta_inf - theta0, u = theta* -
theta0; after a late certification that is less than the errors with which doubles evaluate F and DF^* w. Here a point is a double
vector with a short double correction, and F - y* and DF^* w are evaluated at their sum in balls of 128 bits. What doubles still do
is solve linear systems: how well is measured by what is left, never assumed.

**The limit.** At theta_k, the last weights, e = F(theta_k) - y* is enclosed. s_k <= sqrt(L/mu) |e| bounds the rest of the path by
r, by any of the statements in ``RunEnd.rest``. For any x, POLISHED and ACROSS of ``theorems.lemmas.implicit`` give

    |theta_inf - (theta_k - g)| <= beta r^2/(sqrt(2) f) + |e - K x|/f + |DF_k^* x - g|,

f <= sigma_min(DF) on the rest of the path. x solves K x = e in doubles and g is the double vector computed for DF_k^* x, so the
second and third are relative errors of the short g (``verify.limits.newton_to_limit``). The first is what gradient descent leaves.

**The nearest optimum.** (theta*, w) is a zero of e = F - y* and z = theta - theta0 - DF^* w. A Newton step (delta, omega) solves

    DF delta = -e,     delta - D^2F[delta]^* w - DF^* omega = -z

in doubles, the second derivative by a central difference. e and z are enclosed at the exact sums (theta + delta, w + omega), and
B5's formula (COMPUTED, ``verify.limits.computed_distance``) bounds the distance from theta* by them alone.

**The distances.** With v', u' the exact differences of what is stored, |v'|, |u'|, |v' - u'| and |v'| - |u'| = <v' - u', v' + u'>/
(|v'| + |u'|) are balls, and each moves by |v - v'| + |u - u'| at most. So errors only widen what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from numerics.errors import NumericsError
from numerics.jacobian_products import jacobian_vector, vector_jacobian
from numerics.nearest import norm, solve_kernel
from theorems.arithmetic import Interval
from theorems.ball_arithmetic import ball, lower, upper, working_precision
from verify.ball_network import at_points, ball_signals, dot, function_length, length, middles, pulled_back, row
from verify.certified_constants import OUTWARD
from verify.limits import NearestOptimum, RunEnd, computed_distance, newton_to_limit
from verify.setup import Setup, Theta

Array = NDArray[np.float64]

LARGEST = 200_000_000  # products of balls for one point and output, about a second of one core; at most five points are evaluated
ACTIVATION = 1000  # products that take as long as phi and phi' of one number
ENTRY = 500  # products that take as long as reading and writing one parameter
STEPS = 3  # Newton steps to the nearest optimum, at most
ENOUGH = 2.0**-10  # of the error of theta_inf: to know theta* better is not worth a step
INNER = 12  # iterations for the second derivative, which contract by beta |w| < 1 each
SETTLED = 2.0**-24  # relative change at which they end
APART = 2.0**-14  # of R: how far from the point the central difference looks


@dataclass(frozen=True)
class Sharpened:
    """values: travelled, nearest, deviation and excess as intervals, under their symbols' names; none, with the reason, where they
    are not known better. limit_error, nearest_error: bounds of |theta_inf - .| and |theta* - .| of the points behind them.
    """

    values: Mapping[str, Interval] = field(default_factory=dict)
    limit_error: float = math.inf
    nearest_error: float = math.inf
    reason: str = ""


def sharpened(setup: Setup, end: RunEnd, nearest: NearestOptimum, reference: Theta) -> Sharpened:
    """Measure the distances of B once more, from points known beyond double precision.

    end, nearest: the points as doubles know them, the nearest optimum found. reference: theta0.
    """
    a, points = setup.architecture, setup.dataset.points
    size = a.parameters * (points + ENTRY) + ACTIVATION * points * sum(a.sizes[1:-1])
    if size > LARGEST:
        told = f"parameters times (points + {ENTRY}) + {ACTIVATION} times points times hidden units"
        return Sharpened(reason=f"too large to be evaluated in balls: {told} is {size:,}, the limit {LARGEST:,}")
    try:
        with working_precision():
            last, late = limit_point(setup, end)
            star, near = nearest_point(setup, end, nearest, reference, ENOUGH * late)
            return _measured(last - row(reference), star - row(reference), late, near)
    except NumericsError as failure:
        return Sharpened(reason=str(failure))


def _measured(v: Any, u: Any, late: float, near: float) -> Sharpened:
    if not (math.isfinite(late) and math.isfinite(near)):
        raise NumericsError("what is left of the conditions in balls bounds no distance")
    distances = {"travelled": length(v), "nearest": length(u), "deviation": length(v - u)}
    both = distances["travelled"] + distances["nearest"]
    distances["excess"] = dot(v - u, v + u) / both if both > 0 else arb(0)
    errors = {"travelled": late, "nearest": near, "deviation": late + near, "excess": late + near}
    return Sharpened({name: _widened(found, errors[name], name != "excess") for name, found in distances.items()}, late, near)


def limit_point(setup: Setup, end: RunEnd) -> tuple[Any, float]:
    """theta_k - g, a row, and how far theta_inf can be from it. Raises NumericsError where nothing bounds that."""
    e = ball_signals(setup, row(end.last)).outputs - _goal(setup)
    rounded, found = np.ascontiguousarray(middles(e).T), setup.snapshot(end.last)
    size, missing = (_above(function_length(setup, x)) for x in (e, e - at_points(rounded)))
    best: tuple[Theta, float] | None = None
    for theorem, known in end.rest:
        residual = OUTWARD * math.sqrt(float(known["L"].upper) / float(known["mu"].lower)) * size
        residual = min(residual, end.residual + end.residual_error)  # as doubles know it, which is less where L/mu is large
        step = newton_to_limit(setup, theorem, known, end.last, found, residual, rounded, missing)
        best = step if step is not None and (best is None or step[1] < best[1]) else best
    if best is None:
        raise NumericsError("no Newton step leads from the last weights to the limit of the run")
    return row(end.last) - row(best[0]), best[1]


def nearest_point(setup: Setup, end: RunEnd, nearest: NearestOptimum, reference: Theta, enough: float) -> tuple[Any, float]:
    """A point near theta*, a row, and how far theta* can be from it; Newton steps until that is ``enough``."""
    assert nearest.found is not None
    theta, w, goal = nearest.found.theta, nearest.found.multipliers, _goal(setup)
    measured = setup.snapshot(theta)
    sigma = math.sqrt(max(float(measured.eigenvalues[0]) - measured.errors.eigenvalue, 0.0))
    beta, radius = float(end.constants["beta"].upper), float(end.constants["R"].lower)
    sigma0 = math.sqrt(float(end.constants["lambda0"].lower))
    delta, omega = np.zeros_like(theta), np.zeros_like(w)
    best: tuple[Any, float] = (row(theta), math.inf)
    for _ in range(STEPS + 1):
        point, multiplier = row(theta) + row(delta), at_points(w) + at_points(omega)
        signals, u = ball_signals(setup, point), point - row(reference)
        e, z = signals.outputs - goal, u - pulled_back(setup, signals, multiplier)
        norms = {
            "distance": length(u),
            "multiplier": function_length(setup, multiplier),
            "e": function_length(setup, e),
            "z": length(z),
        }
        if not all(found.is_finite() for found in norms.values()):
            break
        there = (sigma - OUTWARD * beta * norm(delta)) / OUTWARD  # DF is beta-Lipschitz
        error = OUTWARD * computed_distance(
            beta=beta, radius=radius, sigma0=sigma0, sigma=there, **{name: _above(found) for name, found in norms.items()}
        )
        if not error < best[1]:
            break
        best = (point, error)
        if error <= enough:
            break
        left = np.ascontiguousarray(middles(e).T), middles(z)[0]
        moved, turned = _newton_step(setup, theta, w, measured.kernel, *left, APART * radius)
        delta, omega = delta + moved, omega + turned
    return best


def _newton_step(setup: Setup, theta: Theta, w: Array, kernel: Array, e: Array, z: Theta, apart: float) -> tuple[Theta, Array]:
    """(delta, omega) in doubles: delta = g + DF^* omega, K omega = -e - DF g, g = D^2F[delta]^* w - z, from delta = 0 on."""
    a, phi, data = setup.architecture, setup.activation_kernel, setup.dataset

    def pulled(at: Theta, function: Array) -> Theta:
        return vector_jacobian(a, phi, at, data.inputs, data.sample_weights, function)

    delta, omega = np.zeros_like(theta), np.zeros_like(w)
    for _ in range(INNER):
        size, bent = norm(delta), np.zeros_like(theta)
        if size > 0:
            ahead = apart / size
            bent = (pulled(theta + ahead * delta, w) - pulled(theta - ahead * delta, w)) / (2 * ahead)
        g = bent - z
        omega = solve_kernel(kernel, -e - jacobian_vector(a, phi, theta, data.inputs, g), data.sample_weights)
        before, delta = delta, g + pulled(theta, omega)
        if norm(delta - before) <= SETTLED * norm(delta):
            break
    return delta, omega


def _goal(setup: Setup) -> Any:
    """y* plus what is subtracted from the outputs, (k, n); the minimizers enclosed."""
    places = {target: setup.loss.minimizer(target) for target in np.unique(setup.dataset.targets).tolist()}
    enclosed = {target: ball(place.lower, place.upper) for target, place in places.items()}
    minimizers = arb_mat([[enclosed[target] for target in targets] for targets in setup.dataset.targets.T.tolist()])
    return minimizers + at_points(setup.offsets)


def _above(found: Any) -> float:
    if not found.is_finite():
        raise NumericsError("the network cannot be enclosed at these weights")
    return OUTWARD * float(upper(found))


def _widened(found: Any, error: float, positive: bool) -> Interval:
    """The ball, widened by the error, in doubles; from 0 on where the number is not negative."""
    if not found.is_finite():
        raise NumericsError("the distances cannot be enclosed")
    low, high = float(lower(found)), float(upper(found))
    low, high = np.nextafter(np.nextafter(low, -np.inf) - error, -np.inf), np.nextafter(np.nextafter(high, np.inf) + error, np.inf)
    return Interval(np.asarray(max(low, 0.0) if positive else low), np.asarray(high))
