"""From a radius found in floats to a proof: the theorem evaluated in balls, at what was measured or at what is stated.

Of a measured point the balls hold the numbers with their errors; of an exact point they are the stated decimals themselves, and
what follows from them is rounded to decimals again (the radius and beta), so that everything the theorem is applied to is stated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import BALL, ball_from_float_with_error, exactly, lower, upper, working_precision
from theorems.ball import BallBounds, ball_bounds
from theorems.losses import LossConstants
from theorems.records import Hypothesis, Theorem, is_met
from verify.certificate_record import Attempt, Enclosed, ExistenceBound, Witness
from verify.enclosed_point import NORM_DIGITS, ExactBounds
from verify.point import Point
from verify.rigor import Rigor, decimal_above, decimal_below, worst

Array = NDArray[np.float64]
BALL_ROOM = Fraction(1, 1 << 12)  # relative, of the radius


def beta_floor(lambda0: float, residual: float) -> float:
    """A beta so small that q = 2 beta s/lambda0 is 2^-39: see BetaOnBall."""
    return 2.0**-40 * lambda0 / residual if residual > 0 else 2.0**-40


@dataclass(frozen=True)
class Enclosure:
    """A theorem's constants, the ends of D_l, shape (2, L, n), and for an exact point what is stated."""

    constants: dict[str, Enclosed]
    forward_drift: Array
    witness: Witness | None


def enclose(attempt: Attempt, point: Point, loss: LossConstants, share: float) -> Enclosure | None:
    """Evaluate the theorem in balls that contain the point's numbers; None when a hypothesis does not hold throughout."""
    if point.exact is None:
        return _enclose_on(attempt, point, loss, share, Fraction(0))
    # A ball a little larger than the path, if it passes, leaves Theorem A1 room for errors.
    roomy = _enclose_on(attempt, point, loss, share, BALL_ROOM)
    return roomy if roomy is not None else _enclose_on(attempt, point, loss, share, Fraction(0))


def _enclose_on(attempt: Attempt, point: Point, loss: LossConstants, share: float, room: Fraction) -> Enclosure | None:
    """The same on the ball of the attempt's radius, enlarged by a relative ``room`` for an exact point."""
    theorem = attempt.theorem
    with working_precision():
        stated, values, bounds = _values_in_balls(attempt, point, loss, share, room)
        constants = theorem.evaluate_constants(values, BALL)
        margins = theorem.margins(constants, BALL)
        if not all(_proved(hypothesis, margins[hypothesis.id]) for hypothesis in theorem.hypotheses):
            return None
        if not all(ball.is_finite() for ball in constants.values()):
            return None  # a constant with a root at the edge of its domain: nothing is claimed with it
        drift = [[_float_ends(ball) for ball in row] for row in bounds.forward_drift]
        rigors = constant_rigors(theorem, dict.fromkeys(values, point.rigor))
        enclosed = {name: enclosed_constant(ball, rigors[name]) for name, ball in constants.items()}
        witness = None
        if point.exact is not None:
            worst_margin = worst(rigors.values())
            witness = Witness(point.exact, stated, {name: enclosed_constant(ball, worst_margin) for name, ball in margins.items()})
        return Enclosure(enclosed, np.moveaxis(np.array(drift), -1, 0), witness)


def _values_in_balls(
    attempt: Attempt, point: Point, loss: LossConstants, share: float, room: Fraction
) -> tuple[dict[str, Fraction], dict[str, Any], BallBounds]:
    """The theorem's quantities as exact rationals (for an exact point, else empty) and as balls, and the recursion on B(R)."""
    floor = beta_floor(point.lambda_min - point.eigenvalue_error, point.residual)
    eta = exactly(attempt.constants["eta"])
    if point.exact is None:
        radius = exactly(attempt.radius)
        bounds = ball_bounds(point.signals_in_balls(), BALL.constant(radius), BALL)
        lambda0 = ball_from_float_with_error(point.lambda_min, point.eigenvalue_error) * BALL.constant(exactly(share))
        # Larger L and smaller mu are constants of the same loss, so these ends are exact numbers.
        exact = {"L": loss.smoothness.upper, "mu": loss.mu.lower, "eta": eta, "R": radius}
        measured = {
            "lambda0": lambda0,
            "lambda_max": ball_from_float_with_error(point.lambda_max, point.eigenvalue_error),
            "s0": ball_from_float_with_error(point.residual, point.residual_error),
            "beta": BALL.maximum(bounds.beta, BALL.constant(exactly(floor))),
        }
        return {}, {name: BALL.constant(value) for name, value in exact.items()} | measured, bounds
    radius = Fraction(decimal_above(exactly(attempt.radius) * (1 + room), NORM_DIGITS))
    bounds = ball_bounds(point.signals_in_balls(), BALL.constant(radius), BALL)
    stated = {
        "L": Fraction(point.exact.smoothness),
        "mu": Fraction(point.exact.mu),
        "lambda0": Fraction(decimal_below(Fraction(point.exact.lambda0) * exactly(share), NORM_DIGITS)),
        "lambda_max": Fraction(point.exact.lambda_max),
        "s0": Fraction(point.exact.residual),
        "eta": eta,
        "R": radius,
        "beta": Fraction(decimal_above(max(upper(bounds.beta), exactly(floor)), NORM_DIGITS)),
    }
    return stated, {name: BALL.constant(value) for name, value in stated.items()}, bounds


def enclose_existence(attempt: Attempt, point: Point, exact: ExactBounds) -> ExistenceBound | None:
    """Theorem N evaluated in balls at the stated decimals; None when a hypothesis does not hold throughout."""
    if exact.newton_step is None:
        return None
    with working_precision():
        radius = Fraction(decimal_above(exactly(attempt.radius), NORM_DIGITS))
        bounds = ball_bounds(point.signals_in_balls(), BALL.constant(radius), BALL)
        stated = {
            "lambda0": Fraction(exact.lambda0),
            "newton_step": Fraction(exact.newton_step),
            "R": radius,
            "beta": max(upper(bounds.beta), exactly(beta_floor(point.lambda_min, point.residual))),
        }
        values = {name: BALL.constant(value) for name, value in stated.items()}
        constants = attempt.theorem.evaluate_constants(values, BALL)
        margins = attempt.theorem.margins(constants, BALL)
        if not all(_proved(hypothesis, margins[hypothesis.id]) for hypothesis in attempt.theorem.hypotheses):
            return None
        return ExistenceBound(upper(constants["q"]), upper(constants["rbar"]), point.rigor)


def constant_rigors(theorem: Theorem, given: dict[str, Rigor]) -> dict[str, Rigor]:
    """The rigor of every constant: that of the worst of what its formula uses."""
    known = dict(given)
    for constant in theorem.constants:
        known[constant.name] = worst(known[str(symbol.name)] for symbol in constant.expression.free_symbols)
    return known


def _float_ends(ball: Any) -> tuple[float, float]:
    """The ends of a ball as doubles, outward; NaN for a ball that is not finite, about which every check is undecided."""
    if not ball.is_finite():
        return math.nan, math.nan
    return _rounded_down(lower(ball)), -_rounded_down(-upper(ball))


def _rounded_down(value: Fraction) -> float:
    nearest = float(value)
    return nearest if nearest <= value else math.nextafter(nearest, -math.inf)


def _proved(hypothesis: Hypothesis, margin: Any) -> bool:
    return bool(margin.is_finite() and is_met(lower(margin), hypothesis.strict))


def enclosed_constant(ball: Any, rigor: Rigor) -> Enclosed:
    """A constant from its ball."""
    low, high = lower(ball), upper(ball)
    return Enclosed(float((low + high) / 2), low, high, rigor)
