"""What would satisfy a hypothesis that failed: the residual, label scale, output scale or width at which q falls below 1.

Label scale and output scale are exact for centered networks with the square loss (the kernel scales, the signals do not); the
width is an estimate from the scaling law of the signals, and is labeled so.

The least factor is the end of a bisection, each of whose questions is a search for a radius, and a long one near the end. As the
step goes to 0 a theorem with the true beta asks for the same, that of gradient flow, 2 beta s_0 < lambda0 and R > rbar(beta(R)).
The largest s_0 that it allows is a maximum over one variable, so where the bisection ends is known in advance, and only questions
within NEAR of there are asked. The factor is that of the bisection.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import scipy.optimize

from theorems.arithmetic import FLOAT
from theorems.ball import ball_bounds
from theorems.losses import LossConstants
from verify.certificate import TINY_STEP, Certificate, passes_in_floats
from verify.point import Point

FACTOR_LIMIT = 1e12
RELATIVE = 1e-3
NEAR = 1e-5  # relative distance of a factor from the expected end, within which the search for a radius is asked
ACCURACY = 1e-6  # relative, of the expected end; the step is TINY_STEP of the largest and not 0, which is far less


def with_remedies(certificate: Certificate, loss: LossConstants, widths: tuple[int, ...], exact_scaling: bool) -> Certificate:
    """Add to a failed certificate what would make it pass.

    exact_scaling: whether the network is centered and the loss is the square loss, so that scaling labels or outputs is exact.
    """
    point, failure = certificate.point, certificate.failure
    if certificate.certified or failure is None or point is None or failure.hypothesis not in ("q", "sigma", "kappa", "radius"):
        return certificate
    remedies: dict[str, float] = {}
    allowed, s0 = flow_residual(point), point.residual + point.residual_error
    left = allowed - point.residual_error
    shrink = _least_factor(lambda f: point.scaled(residual=1 / f), loss, point.residual / left if left > 0 else math.nan)
    if shrink is not None:
        remedies["residual"] = point.residual / shrink
        if exact_scaling:
            remedies["label_scale"] = 1 / shrink
    if exact_scaling:
        # beta and sigma0 grow by the factor, and so does the residual that is allowed.
        scale = _least_factor(lambda f: point.scaled(output_scale=f), loss, s0 / allowed)
        if scale is not None:
            remedies["output_scale"] = scale * point.signals.output_scale
    growth = _least_factor(lambda f: point.scaled(width=f), loss, _expected_width(point))
    if growth is not None:
        remedies["width_estimate"] = float(round(growth * min(widths)))
    return dataclasses.replace(certificate, failure=dataclasses.replace(failure, remedies=remedies))


def flow_residual(point: Point) -> float:
    """The supremum of the residuals s_0 at which gradient flow is certified from this point; in floats; NaN where it is not known.

    There is an R with q < 1 and R > rbar(beta(R)) if and only if s_0 < sigma0 R - beta(R) R^2/2 for some R <= sigma0/beta(R).
    """
    sigma = math.sqrt(max(point.lambda_min - point.eigenvalue_error, 0.0))

    def beta(radius: float) -> float:
        return float(ball_bounds(point.signals, radius, FLOAT).beta)

    start = beta(0.0)
    if not (sigma > 0 and start > 0 and math.isfinite(start)):
        return math.nan
    # beta increases, so beyond sigma0/beta(0) no R is allowed; and beyond sigma0/beta(R) the expression falls.
    farthest = sigma / start
    with np.errstate(all="ignore"):  # a beta that overflows allows nothing
        best = scipy.optimize.minimize_scalar(
            lambda radius: beta(radius) * radius**2 / 2 - sigma * radius,
            bounds=(0.0, farthest),
            method="bounded",
            options={"xatol": ACCURACY * farthest},
        )
    return -float(best.fun) if best.fun < 0 else math.nan


def _expected_width(point: Point) -> float:
    """The factor of the width at which the residual is the one allowed; NaN where none is found."""
    s0 = point.residual + point.residual_error

    def excess(logarithm: float) -> float:
        allowed = flow_residual(point.scaled(width=math.exp(logarithm)))
        return math.log(s0 / allowed) if s0 > 0 else math.nan

    low, high = 0.0, math.log(FACTOR_LIMIT)
    if not (excess(low) > 0 > excess(high)):
        return math.nan
    return math.exp(float(scipy.optimize.toms748(excess, low, high, xtol=ACCURACY)))


def _least_factor(scaled: Callable[[float], Point], loss: LossConstants, expected: float) -> float | None:
    """The least factor >= 1, to a relative 1e-3 from above, at which some step is certified; None beyond the limit.

    expected: where that is; NaN where it is not known.
    """

    def passes(factor: float) -> bool:
        if abs(factor / expected - 1) > NEAR:  # False for NaN
            return factor > expected
        point = scaled(factor)
        return passes_in_floats(point, loss, TINY_STEP / (float(loss.smoothness.upper) * point.lambda_max))

    low, high = 1.0, 2.0
    while not passes(high):
        low, high = high, high**2
        if high > FACTOR_LIMIT:
            return None
    while high > low * (1 + RELATIVE):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high
