"""The three points of implicit regularization and how far the computed ones can be from what is meant.

theta0 is the certified point. theta_inf is the limit of the run: gradient descent is continued, the rest of the path is bounded by
the certifying theorem (A-d), and one Newton step leaves an error of second order in that bound. theta* is the nearest optimum: what
Gauss-Newton on the multipliers returns obeys both conditions up to small numbers, from which B5 bounds its distance. The steps
behind both bounds stand in ``theorems.lemmas.implicit`` (POLISHED, ACROSS, COMPUTED).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.errors import NumericsError
from numerics.jacobian_products import jacobian_vector, vector_jacobian
from numerics.nearest import Nearest, function_norm, nearest_optimum, norm, solve_kernel
from numerics.rounding import RoundingErrors
from numerics.roundoff import UNDERFLOWN, UNIT_ROUNDOFF, gamma, norm_error
from numerics.snapshots import Snapshot
from theorems.arithmetic import Interval
from theorems.records import Theorem
from verify.certificate import certify
from verify.certificate_record import Certificate
from verify.certified_constants import OUTWARD, Intervals, float_ends, intervals, raised, remaining_path
from verify.claims import not_covered
from verify.setup import Setup, Theta

Array = NDArray[np.float64]
Certified = tuple[Theorem, Intervals]

WANTED = 1e-10  # error of theta_inf, relative to the path bound: further steps are not worth their time
FIRST_CHUNK = 64
STILL = 16  # times its error: a residual below that is rounding
CANCELED = 2.0**-16  # a difference of numbers near 1 below which its rounding would exceed that


@dataclass(frozen=True)
class RunEnd:
    """The limit of the run: theta, and error >= |theta_inf - theta|. steps: made since the certified point; residual: s after them,
    up to residual_error.

    rounding: the sum of |theta_{k+1} - (theta_k - eta grad J)| over the steps, each taken for the largest at the points looked at.
    constants: those of the certificate with s_0 raised by what this rounding can add (Theorem A1). last: the weights after the
    steps. rest: statements that bound the way from there, each with its constants.
    """

    theta: Theta
    error: float
    steps: int
    residual: float
    residual_error: float
    rounding: float
    constants: Intervals
    last: Theta
    rest: tuple[Certified, ...]


@dataclass(frozen=True)
class NearestOptimum:
    """The nearest optimum: what was found, and error >= |theta* - found.theta|; infinite where it is not known, with the reason."""

    found: Nearest | None
    error: float
    reason: str = ""


def run_end(
    setup: Setup, certificate: Certificate, reference: Theta, most_steps: int, later: tuple[int, Theta] | None = None
) -> RunEnd:
    """Follow the run from the certified point to its limit.

    reference: the certified weights. most_steps: from there, after which theta_inf is taken with the error it then has. later: how
    many steps of the run have been made from there and where they led, to go on from. No weights are changed.
    """
    assert certificate.theorem is not None
    assert certificate.step_size is not None
    first = float(float_ends(certificate.constants["s0"]).upper)  # no later residual is larger
    made, theta = (0, reference.copy()) if later is None else (later[0], later[1].copy())
    descent, chunk = setup.descent(certificate.step_size), max(FIRST_CHUNK, made)
    ahead = 0 if made else min(chunk, most_steps)
    step_error = _step_error(setup, setup.snapshot(reference), certificate.step_size, first)
    while True:
        if ahead > 0:
            segment = descent.advance(theta, ahead, 0.0, reference)
            made, chunk = made + segment.steps_done, 2 * chunk
        found = setup.snapshot(theta)
        residual = descent.observe(theta, reference).residual
        error = _residual_error(setup, found, residual)
        step_error = max(step_error, _step_error(setup, found, certificate.step_size, first))
        rounding = made * step_error
        constants = raised(certificate, rounding)
        rest = certificates_of_the_rest(setup, certificate, constants, theta, certificate.step + made, found)
        end = _polished(setup, rest, theta, found, residual + error)
        ahead = min(chunk, most_steps - made)
        if ahead <= 0 or end[1] <= WANTED * float(constants["rbar"].upper) or residual <= STILL * error:
            return RunEnd(end[0], end[1], made, residual, error, rounding, constants, theta, rest)


def _step_error(setup: Setup, found: Snapshot, step_size: float, residual: float) -> float:
    """A bound of |theta_{k+1} - (theta_k - eta grad J(theta_k))| at a point with at most this residual."""
    constant, slope, largest = found.errors.gradient_constant, found.errors.gradient_slope, float(found.eigenvalues[-1])
    gradient = setup.gradient_error(constant, slope, residual, largest, setup.loss_errors(found)[1])
    return found.errors.update + step_size * float(gradient)


def certificates_of_the_rest(
    setup: Setup, certificate: Certificate, constants: Intervals, theta: Theta, step: int, found: Snapshot
) -> tuple[Certified, ...]:
    """Statements that bound how far gradient descent goes from ``theta``, some steps after the certified weights.

    The certificate of the run, where the steps so far, rounding included, surely stay in its ball (``constants``: raised; Theorem
    A1 asks for R > rbar_k); and one of theta itself, in floating point, which owes nothing to them. found: the snapshot at theta.
    """
    assert certificate.theorem is not None
    known: list[Certified] = []
    if not not_covered(certificate.theorem, constants):
        known.append((certificate.theorem, constants))
    if setup.certifiable and setup.loss_constants is not None:
        later = certify(setup.point(theta, step, found), setup.loss_constants, certificate.step_size)
        if later.certified and later.theorem is not None:
            known.append((later.theorem, intervals(later)))
    return tuple(known)


def newton_to_limit(
    setup: Setup,
    theorem: Theorem,
    constants: Intervals,
    theta: Theta,
    found: Snapshot,
    residual: float,
    e: Array,
    missing: float,
) -> tuple[Theta, float] | None:
    """A step g = DF^+ (F - y*) at a point of the run, and a bound of |theta_inf - (theta - g)|; None where there is none.

    found: the snapshot at theta. residual: s there, at most. e: F - y* at the points, (n, k), up to ``missing`` in the nu-norm. On
    the rest of the path sigma_min(DF) is at least the certified floor, and at least what it is at theta less beta times that path.
    """
    nu, left, beta = setup.dataset.sample_weights, remaining_path(theorem, constants, residual), float(constants["beta"].upper)
    here = math.sqrt(max(float(found.eigenvalues[0]) - found.errors.eigenvalue, 0.0)) / OUTWARD
    floor = max(math.sqrt(max(float(constants["lambda_floor"].lower), 0.0)), here - OUTWARD * beta * left)
    if not (floor > 0 and math.isfinite(left)):
        return None
    try:
        x = solve_kernel(found.kernel, e, nu)
    except NumericsError:
        return None
    step = vector_jacobian(setup.architecture, setup.activation_kernel, theta, setup.dataset.inputs, nu, x)
    second = beta * left**2 / (math.sqrt(2) * floor)
    solved = _defect(found, e, x, nu) + missing
    return step, OUTWARD * (second + solved / floor + found.errors.adjoint * function_norm(x, nu))


def _polished(setup: Setup, rest: Sequence[Certified], theta: Theta, found: Snapshot, residual: float) -> tuple[Theta, float]:
    """theta - DF^+ (F - y*), and a bound of its distance from theta_inf; theta with the rest of the path where that is less."""
    left = min((remaining_path(theorem, constants, residual) for theorem, constants in rest), default=math.inf)
    e = found.outputs - setup.offsets - setup.minimizers
    missing = function_error(setup, found.errors, function_norm(e, setup.dataset.sample_weights))
    steps = [newton_to_limit(setup, *statement, theta, found, residual, e, missing) for statement in rest]
    known = [newton for newton in steps if newton is not None]
    if not known:
        return theta.copy(), left
    step, error = min(known, key=lambda newton: newton[1])
    error += OUTWARD * 2 * UNIT_ROUNDOFF * (norm(theta) + norm(step))  # the difference is stored
    return (theta - step, error) if error < left else (theta.copy(), left)


def nearest_from(setup: Setup, end: RunEnd, reference: Theta) -> NearestOptimum:
    """The optimum nearest to the certified point, looked for from the end of the run."""
    data, constants = setup.dataset, end.constants
    goal = setup.minimizers + setup.offsets
    try:
        found = nearest_optimum(
            setup.architecture, setup.activation_kernel, reference, data.inputs, data.sample_weights, goal, end.theta
        )
        measured = setup.snapshot(found.theta)
    except NumericsError as failure:
        return NearestOptimum(None, math.inf, f"the nearest optimum was not found: {failure}")
    if not found.reached:
        return NearestOptimum(found, math.inf, f"the nearest optimum was not found in {found.iterations} Gauss-Newton steps")
    beta, radius, sigma0 = float(constants["beta"].upper), float(constants["R"].lower), math.sqrt(float(constants["lambda0"].lower))
    sigma = math.sqrt(max(float(measured.eigenvalues[0]) - measured.errors.eigenvalue, 0.0))
    e = found.residual + function_error(setup, measured.errors, found.residual)
    product = measured.errors.adjoint * found.multiplier_norm
    z = found.stationarity + UNDERFLOWN + product + 2 * UNIT_ROUNDOFF * (norm(found.theta) + norm(reference))
    error = computed_distance(
        beta=beta,
        radius=radius,
        sigma0=sigma0,
        sigma=sigma,
        distance=found.distance,
        multiplier=found.multiplier_norm,
        e=e,
        z=z,
    )
    if math.isfinite(error):
        return NearestOptimum(found, OUTWARD * error)
    turn = beta * found.distance / sigma0
    return NearestOptimum(found, math.inf, f"which optimum is the nearest is not known: t_u = {turn:.3g} must be below 1/2 (B5)")


def computed_distance(
    *, beta: float, radius: float, sigma0: float, sigma: float, distance: float, multiplier: float, e: float, z: float
) -> float:
    """A bound of the distance between a computed point and the nearest optimum; infinite where there is none.

    beta: on B(radius) about theta0; sigma0, sigma: lower bounds of sigma_min(DF) at theta0 and at the computed point; distance: of
    that point from theta0; multiplier: |w'|; e: |F - y*| and z: |theta' - theta0 - DF^* w'| there. Theorem N gives a solution near
    the computed point, so that the nearest one is at most that far from theta0; then COMPUTED of ``theorems.lemmas.implicit``.
    """
    if not sigma > 0:
        return math.inf
    quotient = 2 * beta * e / sigma**2
    if not quotient <= 1:
        return math.inf
    u = distance + 2 * (e / sigma) / (1 + math.sqrt(1 - quotient))
    if not (u < radius and 2 * beta * u < sigma0):
        return math.inf
    w = u / (sigma0 - beta * u)
    a = 1 - beta * (w + multiplier) / 2
    if not a > CANCELED:
        return math.inf
    b, c = z + e * (1 + beta * w) / sigma, e * z / sigma
    return (b + math.sqrt(b**2 + 4 * a * c)) / (2 * a)


def outside_range(setup: Setup, found: Snapshot, reference: Theta, v: Array) -> Interval:
    """|(I - P) v| between its bounds, P the projection on range DF(reference)^*; ``found``: the snapshot at the reference.

    Whatever x is, (I - P) v = (I - P) y for y = v - DF^* x, so |y| bounds it from above and (|y|^2 - |P y|^2)^{1/2} from below,
    with |P y| <= |DF y|/sigma0.
    """
    data, a, phi = setup.dataset, setup.architecture, setup.activation_kernel
    y, size = v.copy(), 0.0
    for _ in range(2):  # twice is enough: what the first leaves in the range is rounding
        x = solve_kernel(found.kernel, jacobian_vector(a, phi, reference, data.inputs, y), data.sample_weights)
        y -= vector_jacobian(a, phi, reference, data.inputs, data.sample_weights, x)
        size += function_norm(x, data.sample_weights)
    length, sigma0 = norm(y), math.sqrt(max(float(found.eigenvalues[0]) - found.errors.eigenvalue, 0.0))
    seen = function_norm(jacobian_vector(a, phi, reference, data.inputs, y), data.sample_weights)
    inside = (seen + found.errors.product * length) / sigma0 if sigma0 > 0 else math.inf
    error = found.errors.adjoint * size + 4 * UNIT_ROUNDOFF * norm(v)  # of y itself, which is in no range
    rounding = norm_error(length, a.parameters)
    least, most = max(length - rounding, 0.0), OUTWARD * (inside + found.errors.product * rounding)
    low = math.sqrt(max(least**2 - most**2, 0.0)) * (1 - 2.0**-50) - error
    return Interval(np.asarray(max(low, 0.0)), np.asarray(OUTWARD * (length + rounding + error)))


def _defect(found: Snapshot, e: Array, x: Array, nu: Array) -> float:
    """|e - K x|_nu for the exact kernel."""
    roots = np.sqrt(nu)[:, None]
    right, flat = (roots * e).ravel(), (roots * x).ravel()
    size = norm(flat)
    product = gamma(len(flat) + 2) * norm(found.kernel) * size  # | |K| | <= |K|_F
    return norm(right - found.kernel @ flat) + found.errors.kernel * size + product + 4 * UNIT_ROUNDOFF * norm(right) + UNDERFLOWN


def function_error(setup: Setup, errors: RoundingErrors, size: float) -> float:
    """|fl (F - y*) - (F - y*)|_nu: rounding of the outputs and of the subtractions, and of the minimizers that are not targets."""
    sizes = np.maximum(np.abs(setup.minimizers), 1.0)
    spread = 0.0 if setup.loss.is_square else 2.0**-52 * OUTWARD * function_norm(sizes, setup.dataset.sample_weights)
    return float(setup.residual_error(errors.residual, errors.residual_relative, size, 0.0)) + spread


def _residual_error(setup: Setup, found: Snapshot, residual: float) -> float:
    return float(setup.residual_error(found.errors.residual, found.errors.residual_relative, residual, setup.loss_errors(found)[0]))
