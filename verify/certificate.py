"""Certificates: from a point of a run to a proof that gradient descent reaches a global optimum, or the reason why not.

A certificate is a radius R that passes: beta(R) from the ball recursion, rbar(beta(R)) from the theorem, and R > rbar. Both maps
increase, so the iteration R <- (1 + slack) rbar(beta(R)) from R = 0 stays below every radius that passes with that slack; up to the
rounding of floats it reaches one, or none passes with that slack. What the search in floats finds is then re-evaluated in balls
that contain the measured numbers with their errors, and only a hypothesis that holds for the whole ball counts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import FLOAT, exactly
from theorems.ball import ball_bounds
from theorems.catalogue import THEOREMS
from theorems.losses import LossConstants
from theorems.records import Hypothesis, LossClass, Role, Theorem, is_met
from verify.certificate_record import Attempt, Certificate, Enclosed, ExistenceBound, Failure, Witness
from verify.enclosure import Enclosure, beta_floor, enclose, enclose_existence
from verify.point import Point
from verify.rigor import Rigor, worst

__all__ = [
    "Attempt",
    "BetaOnBall",
    "Certificate",
    "Enclosed",
    "Failure",
    "Witness",
    "beta_floor",
    "certify",
    "convergence_theorems",
    "existence_bound",
    "passes_in_floats",
    "refused",
    "smallest_radius",
]

Array = NDArray[np.float64]
SEARCH_ITERATIONS = 400
SLACKS = (1e-6, 1e-5, 1e-4, 1e-3)  # the slack of the radius search, raised every hundred iterations
LAMBDA_SHARES = (1.0, 0.9, 0.75, 0.5, 0.25)  # (H3) with lambda0 implies it with every smaller value
STEP_RESOLUTION = 1e-3  # how closely the largest step is bracketed where it has no closed form
TINY_STEP = 2.0**-30  # a share of 1/(L lambda_max): if no such step certifies, none does
STEP_SAFETY = 1e-9  # relative distance from the largest admissible step, far above the rounding of 1/(L Lambda)


class BetaOnBall:
    """beta(R) in floats, remembered for each R: the searches of several theorems ask for the same radii."""

    def __init__(self, point: Point, floor: float) -> None:
        self._point, self._floor, self._known = point, floor, dict[float, float]()

    def __call__(self, radius: float) -> float:
        """Return max(beta(R), floor). A model linear in its parameters has beta = 0, where formulas with 1/beta are 0/0; any
        larger Lipschitz constant is valid too, and a positive one keeps them finite."""
        if radius not in self._known:
            beta = float(ball_bounds(self._point.signals, radius, FLOAT).beta)
            self._known[radius] = max(beta, self._floor)
        return self._known[radius]


def convergence_theorems(loss: LossConstants) -> tuple[Theorem, ...]:
    """The statements of the catalogue that can certify gradient descent for a loss with these constants."""
    square = loss.mu.lower == 1 and loss.smoothness.upper == 1
    fitting = {LossClass.ANY, LossClass.SQUARE if square else LossClass.GENERAL}
    return tuple(t for t in THEOREMS.values() if t.role is Role.CONVERGENCE and t.loss_class in fitting)


def certify(point: Point, loss: LossConstants, step_size: float | None) -> Certificate:
    """Certify gradient descent from ``point`` with the given step, or with the largest step the theorems allow (None).

    point: the measured signals, spectrum and residual. loss: enclosed mu and L. Returns a Certificate; ``certified`` is true
    only if every hypothesis holds for all values within the measured numbers' errors. Source: docs/theory.md, A, A+, A0, E6.
    """
    lambda0 = point.lambda_min - point.eigenvalue_error
    finite = (point.residual, point.residual_error, point.lambda_max, point.eigenvalue_error, point.norm_error)
    if not all(math.isfinite(number) for number in finite):
        text = "residual, spectrum or signals at this step are not finite, or their rounding errors have no bound"
        return refused(point, step_size, "finite", text)
    if not lambda0 > 0:
        text = (
            f"the smallest eigenvalue of the tangent kernel, {point.lambda_min:.3e}, cannot be told from 0 "
            f"(its error is up to {point.eigenvalue_error:.1e})"
        )
        return refused(point, step_size, "H3", text)
    beta_of = BetaOnBall(point, beta_floor(lambda0, point.residual))
    attempts: list[tuple[Attempt, Enclosure | None]] = []
    for theorem in convergence_theorems(loss):
        for share in _lambda_shares(theorem, lambda0, loss, step_size):
            values = _float_values(point, loss, lambda0 * share)
            attempt = _attempt(theorem, values, beta_of, step_size)
            if attempt.failure is None:
                enclosed = enclose(attempt, point, loss, share)
                if enclosed is not None:
                    attempts.append((attempt, enclosed))
                    continue
                attempt = _undecided(attempt)
            attempts.append((attempt, None))
    return _choose(point, step_size, attempts)


def passes_in_floats(point: Point, loss: LossConstants, step_size: float) -> bool:
    """Whether the search in floats finds a certificate: an answer for estimates, not a certificate."""
    lambda0 = point.lambda_min - point.eigenvalue_error
    beta_of = BetaOnBall(point, beta_floor(lambda0, point.residual))
    return any(
        smallest_radius(theorem, {**_float_values(point, loss, lambda0 * share), "eta": step_size}, beta_of).failure is None
        for theorem in convergence_theorems(loss)
        for share in _lambda_shares(theorem, lambda0, loss, step_size)
    )


def refused(point: Point | None, step_size: float | None, hypothesis: str, reason: str) -> Certificate:
    """A certificate that says no, with its reason."""
    failure = Failure("", hypothesis, reason, None, reason)
    step = point.step if point is not None else 0
    rigor = point.rigor if point is not None else Rigor.FLOATING_POINT
    return Certificate(False, None, rigor, point, step, step_size, 0.0, {}, None, None, failure, ())


def smallest_radius(theorem: Theorem, values: dict[str, float], beta_of: Callable[[float], float]) -> Attempt:
    """Iterate R from below until the theorem's hypotheses hold at R, or one of them fails for every larger R as well."""
    radius = 0.0
    for iteration in range(SEARCH_ITERATIONS):
        known = {**values, "R": radius, "beta": beta_of(radius)}
        constants = theorem.evaluate_constants(known, FLOAT)
        margins = theorem.margins(constants, FLOAT)
        for hypothesis in theorem.hypotheses:
            if hypothesis.id != "radius" and not is_met(margins[hypothesis.id], hypothesis.strict):
                return Attempt(theorem, radius, constants, _failure(theorem, hypothesis, constants, margins, radius))
        if margins["radius"] > 0:
            return Attempt(theorem, radius, constants, None)
        slack = SLACKS[iteration * len(SLACKS) // SEARCH_ITERATIONS]
        radius = constants["rbar"] * (1 + slack) + 1e-300
    hypothesis = next(h for h in theorem.hypotheses if h.id == "radius")
    return Attempt(theorem, radius, constants, _failure(theorem, hypothesis, constants, margins, radius))


def existence_bound(theorem: Theorem, point: Point) -> ExistenceBound | None:
    """Theorem N at a point, or None when it does not apply.

    Of a measured point in floats, the measured numbers with their errors taken against the statement; of an exact point in balls.
    """
    lambda0 = point.lambda_min - point.eigenvalue_error
    if point.newton_step is None or not lambda0 > 0 or not math.isfinite(point.newton_step):
        return None
    beta_of = BetaOnBall(point, beta_floor(lambda0, point.residual))
    # beta is a sum of products of at most 4 L measured norms.
    inflate = 1 + 8 * point.signals.layers * point.norm_error
    values = {"lambda0": lambda0, "newton_step": point.newton_step}
    attempt = smallest_radius(theorem, values, lambda radius: beta_of(radius) * inflate)
    if attempt.failure is not None:
        return None
    if point.exact is not None:
        return enclose_existence(attempt, point, point.exact)
    return ExistenceBound(exactly(attempt.constants["q"]), exactly(attempt.constants["rbar"]), point.rigor)


def _attempt(theorem: Theorem, values: dict[str, float], beta_of: Callable[[float], float], step_size: float | None) -> Attempt:
    if step_size is not None:
        return smallest_radius(theorem, {**values, "eta": step_size}, beta_of)
    # The largest step: each larger step gives a smaller kappa or k0, a longer path and a larger Lambda, so admissible steps
    # form an interval from 0. For the square loss the path does not depend on the step and the end is 1/Lambda; else bisect.
    low, high = 0.0, 1 / (values["L"] * values["lambda_max"])
    best = smallest_radius(theorem, {**values, "eta": TINY_STEP * high}, beta_of)
    middle = (1 - STEP_SAFETY) / (values["L"] * best.constants["Lambda"])
    while best.failure is None and high - low > STEP_RESOLUTION * high:
        attempt = smallest_radius(theorem, {**values, "eta": middle}, beta_of)
        if attempt.failure is None:
            low, best = middle, attempt
            if theorem.loss_class is LossClass.SQUARE:
                break
        else:
            high = middle
        middle = (low + high) / 2
    return best


def _lambda_shares(theorem: Theorem, lambda0: float, loss: LossConstants, step_size: float | None) -> Iterable[float]:
    """Shares of lambda0 to try: kappa lambda0 is not monotone when L > mu, so a smaller lambda0 may certify more."""
    if theorem.loss_class is not LossClass.GENERAL or step_size is None:
        return (1.0,)
    smooth, mu = float(loss.smoothness.upper), float(loss.mu.lower)
    # x (1 - eta L x)/(1 - eta mu x), which q divides by, is largest here.
    best = 1 / (step_size * smooth * (1 + math.sqrt(max(1 - mu / smooth, 0.0))))
    return sorted({*LAMBDA_SHARES, min(1.0, best / lambda0)}, reverse=True)


def _float_values(point: Point, loss: LossConstants, lambda0: float) -> dict[str, float]:
    return {
        "L": float(loss.smoothness.upper),
        "mu": float(loss.mu.lower),
        "lambda0": lambda0,
        "lambda_max": point.lambda_max + point.eigenvalue_error,
        "s0": point.residual + point.residual_error,
    }


def _failure(
    theorem: Theorem, hypothesis: Hypothesis, constants: dict[str, float], margins: dict[str, float], radius: float
) -> Failure:
    margin = float(margins[hypothesis.id])
    if hypothesis.id == "q":
        quotient = constants.get("q", math.nan)
        where = "already on a ball of radius 0" if radius == 0 else f"on the ball of radius {radius:.3g} that the path needs"
        detail = f"q = {quotient:.4g} {where}; it must be below 1 (too large by the factor {quotient:.3g})"
    elif hypothesis.id == "step":
        name, largest = "1/(L Lambda)", 1 / (constants["L"] * constants["Lambda"])
        if "L_J" in constants:
            name, largest = "2/L_J", 2 / constants["L_J"]
        detail = f"the step {constants['eta']:.6g} is too large: {name} = {largest:.6g} on the ball of radius {radius:.3g}"
    else:
        detail = f"{hypothesis.statement}: margin {margin:.3g} at radius {radius:.3g}"
    return Failure(theorem.id, hypothesis.id, hypothesis.statement, margin if math.isfinite(margin) else None, detail)


def _undecided(attempt: Attempt) -> Attempt:
    detail = "the hypotheses hold in floats, but not for every value within the measured numbers' errors"
    failure = Failure(attempt.theorem.id, "enclosure", detail, None, detail)
    return Attempt(attempt.theorem, attempt.radius, attempt.constants, failure)


def _choose(point: Point, step_size: float | None, attempts: list[tuple[Attempt, Enclosure | None]]) -> Certificate:
    """The statement with the best certified rate; without one, the statement whose q came nearest to 1."""
    ranked = sorted(attempts, key=lambda pair: (pair[0].rate, _distance(pair[0])))
    first = _as_certificate(point, step_size, *ranked[0])
    others: dict[str, Certificate] = {}
    for attempt, enclosed in ranked[1:]:
        # A statement solved for its own largest step says nothing about a run with another step.
        same_step = attempt.constants["eta"] == first.step_size
        if attempt.failure is None and attempt.theorem is not first.theorem and same_step:
            others.setdefault(attempt.theorem.id, _as_certificate(point, step_size, attempt, enclosed))
    tried = tuple(attempt for attempt, _ in attempts)
    return dataclasses.replace(first, attempts=tried, others=tuple(others.values()))


def _distance(attempt: Attempt) -> float:
    """How far a failed attempt is from passing: its q, where that is a number that speaks (k0 or sigma~ can be negative)."""
    q = float(attempt.constants.get("q", math.inf))
    return q if q > 0 and (attempt.failure is None or attempt.failure.hypothesis == "q") else math.inf


def _as_certificate(point: Point, step_size: float | None, best: Attempt, enclosed: Enclosure | None) -> Certificate:
    bounds = ball_bounds(point.signals, best.radius, FLOAT)
    certified = best.failure is None
    return Certificate(
        certified=certified,
        theorem=best.theorem,
        rigor=worst(constant.rigor for constant in enclosed.constants.values()) if enclosed is not None else point.rigor,
        point=point,
        step=point.step,
        step_size=best.constants["eta"] if certified else step_size,
        radius=best.radius,
        constants=enclosed.constants if enclosed is not None else {},
        bounds=bounds,
        forward_drift=enclosed.forward_drift if enclosed is not None else None,
        failure=best.failure,
        attempts=(best,),
        witness=enclosed.witness if enclosed is not None else None,
    )
