"""What the proofs of B2 to B5 put between the limit of the run and the nearest optimum, measured at both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.errors import NumericsError
from numerics.jacobian_products import jacobian_vector
from numerics.nearest import function_norm, norm, solve_kernel
from numerics.snapshots import Snapshot
from theorems.arithmetic import Interval
from verify.implicit import ImplicitRegularization
from verify.limits import function_error, outside_range
from verify.setup import Setup, Theta
from verify.waterfall.records import NoChain

Array = NDArray[np.float64]
Measured = tuple[float, float]  # a number and its absolute error, an estimate


@dataclass(frozen=True)
class OptimumPoints:
    """The two points and what the proofs read there; each a number with its absolute error.

    u = theta* - theta_N, v = theta_inf - theta_N, P the projection on range DF_N^*. shortest, travelled, deviation: |u|, |v|,
    |v - u|. inside: |P (v - u)|. outside_limit, outside_nearest, outside: |(I - P) x| for x = v, u, v - u. moved, moved_nearest:
    |DF_N x| for x = v - u and x = u. remainders: |F(theta_N + x) - F(theta_N) - DF_N x|, of x = u and x = v added. start:
    |F(theta_N) - y*|. tangent: |DF(theta*)(v - u)|. multiplier: |w|, u = DF(theta*)^* w. sigma: sigma_min(DF(theta*)).
    """

    shortest: Measured
    travelled: Measured
    deviation: Measured
    inside: Measured
    outside_limit: Measured
    outside_nearest: Measured
    outside: Measured
    moved: Measured
    moved_nearest: Measured
    remainders: Measured
    start: Measured
    tangent: Measured
    multiplier: Measured
    sigma: Measured


def optimum_points(setup: Setup, limit: ImplicitRegularization, reference: Theta) -> OptimumPoints:
    """Measure them. reference: the certified weights theta_N. Raises NoChain where the nearest optimum is not known."""
    end, found = limit.end, limit.nearest.found
    if found is None or not math.isfinite(limit.nearest.error):
        raise NoChain(limit.nearest.reason)
    here, there = setup.snapshot(reference), setup.snapshot(found.theta)
    v, u = end.theta - reference, found.theta - reference
    late, near = end.error, limit.nearest.error
    data, architecture, phi = setup.dataset, setup.architecture, setup.activation_kernel
    nu, beta = data.sample_weights, float(end.constants["beta"].upper)
    if not here.eigenvalues[0] > 0 or not there.eigenvalues[0] > 0:
        raise NoChain("the smallest eigenvalue of a kernel cannot be told from 0")
    sigma0, sigma = math.sqrt(float(here.eigenvalues[0])), math.sqrt(float(there.eigenvalues[0]))

    def slope(at: Theta, x: Array) -> Array:
        return jacobian_vector(architecture, phi, at, data.inputs, x)

    def product(known: Snapshot, x: Array, error: float) -> float:
        """The error of |DF x| for a vector that errs by ``error``."""
        return known.errors.product * norm(x) + math.sqrt(float(known.eigenvalues[-1])) * error

    missing = here.outputs - setup.offsets - setup.minimizers
    start = function_norm(missing, nu)
    start_error = function_error(setup, here.errors, start)
    across = slope(reference, v - u)
    try:
        inside = math.sqrt(max(float(np.sum(nu[:, None] * across * solve_kernel(here.kernel, across, nu))), 0.0))
    except NumericsError as failure:
        raise NoChain(str(failure)) from failure
    both, apart = late + near, norm(v - u)
    remainders = [function_norm(slope(reference, x) + missing, nu) for x in (u, v)]
    remainder_error = product(here, u, near) + product(here, v, late) + 2 * start_error
    multiplier_error = (found.stationarity + near * (1 + 2 * beta * found.multiplier_norm)) / sigma
    return OptimumPoints(
        shortest=(norm(u), near),
        travelled=(norm(v), late),
        deviation=(apart, both),
        inside=(inside, both + here.errors.product * apart / sigma0),
        outside_limit=_middle(outside_range(setup, here, reference, v), late),
        outside_nearest=_middle(outside_range(setup, here, reference, u), near),
        outside=_middle(outside_range(setup, here, reference, v - u), both),
        moved=(function_norm(across, nu), product(here, v - u, both)),
        moved_nearest=(function_norm(slope(reference, u), nu), product(here, u, near)),
        remainders=(sum(remainders), remainder_error),
        start=(start, start_error),
        tangent=(function_norm(slope(found.theta, v - u), nu), product(there, v - u, both) + beta * near * apart),
        multiplier=(found.multiplier_norm, multiplier_error),
        sigma=(sigma, there.errors.eigenvalue / sigma + beta * near),
    )


def _middle(found: Interval, error: float) -> Measured:
    low, high = float(found.lower), float(found.upper)
    return low + (high - low) / 2, (high - low) / 2 + error
