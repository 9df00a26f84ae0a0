"""How accurate are kernels generated from a user's expressions? Found out against balls, before anything is certified with them.

Rounding bounds of the measured side assume that an activation is accurate to ``ACTIVATION_ULPS`` u (|phi(0)| + sup|phi'| |s|) and
its derivative to ``ACTIVATION_ULPS`` u sup|phi'|. Hand-written kernels are tested to be. An expression that cancels, such as
sqrt(1+s^2) - 1 near 0, is not, and eigenvalues measured with it would be noise with a small error bar: such an expression is
refused. For a loss, the residual at a certified point is computed in balls from the outputs, and what quadrature and rounding do to
residuals and gradients along the run is measured and carried as an error.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import losses as loss_kernels
from numerics.activations import ActivationKernel, evaluate
from numerics.losses import LossKernel
from numerics.rounding import ACTIVATION_ULPS
from theorems.activations import Activation
from theorems.arithmetic import BALL, ball_from_float_with_error, lower, upper, working_precision
from theorems.errors import InputError
from theorems.losses import Loss
from theorems.programs import evaluate as evaluate_program
from theorems.records import evaluate_expression

Array = NDArray[np.float64]
UNIT_ROUNDOFF = 2.0**-53
SAFETY = 2.0  # between the largest error seen on the probes and the one allowed elsewhere
LARGEST_PROBE = 20  # binary exponent: probes reach |s| = 2^20
SMALLEST_PROBE = -60


def probes() -> Array:
    """+-m 2^k for eight mantissas and every binary exponent from SMALLEST_PROBE to LARGEST_PROBE, and 0."""
    mantissas = 1 + np.array([0.0, 0.123, 0.25, 0.37, 0.5, 0.634, 0.75, 0.91])
    positive = np.ldexp(mantissas, np.arange(SMALLEST_PROBE, LARGEST_PROBE)[:, None]).ravel()
    return np.concatenate([-positive[::-1], [0.0], positive])


def check_activation(phi: Activation, kernel: ActivationKernel, slope: float) -> None:
    """Raise InputError when the generated kernel of ``phi`` errs by more than half of what the rounding bounds allow."""
    points = probes()
    with np.errstate(all="ignore"):
        values, derivatives = evaluate(kernel, points)
    program = phi.program()

    def exact(point: float) -> list[Any]:
        with working_precision():
            return evaluate_program(program, BALL, [ball_from_float_with_error(point, 0)])

    at_zero = abs(float(lower(exact(0.0)[0])))
    allowed = ACTIVATION_ULPS / SAFETY * UNIT_ROUNDOFF
    for point, value, derivative in zip(points.tolist(), values.tolist(), derivatives.tolist(), strict=True):
        phi_ball, slope_ball = exact(point)
        limit = allowed * (at_zero + slope * abs(point))
        if _error(value, phi_ball) > limit or _error(derivative, slope_ball) > allowed * slope:
            raise InputError(
                f"activation {phi.name!r} loses accuracy to cancellation near s = {point:.3g}, so what is measured with it cannot "
                "be bounded; write it without subtracting nearly equal numbers"
            )


def _error(value: float, ball: Any) -> float:
    """|value - ball| at most, or infinity."""
    if not np.isfinite(value) or not ball.is_finite():
        return float("inf")
    exact = Fraction(float(value))
    return float(max(abs(exact - lower(ball)), abs(exact - upper(ball))))


def residual_in_balls(chosen: Loss, outputs: Array, targets: Array, weights: Array, mu: Fraction) -> tuple[float, float]:
    """The residual sqrt(2 (h - h*)/mu) from the outputs as they are, with its error: values of the loss by balls of 128 bits.

    outputs, targets: shape (n, k). weights: shape (n,). Nothing cancels in 128 bits that matters in 53.
    """
    with working_precision():
        total = BALL.constant(Fraction(0))
        minima = {target: chosen.minimum(target) for target in np.unique(targets).tolist()}
        for row, target_row, weight in zip(outputs.tolist(), targets.tolist(), weights.tolist(), strict=True):
            for y, t in zip(row, target_row, strict=True):
                values = {"y": ball_from_float_with_error(y, 0), "t": ball_from_float_with_error(t, 0)}
                loss = evaluate_expression(chosen.expression, values, BALL)
                least = minima[t]
                middle = BALL.constant((least.lower + least.upper) / 2)
                gap = loss - middle
                total = total + BALL.constant(Fraction(weight)) * gap
        width = max((enclosure.upper - enclosure.lower for enclosure in minima.values()), default=Fraction(0)) / 2
        low, high = (max(end, Fraction(0)) * 2 / mu for end in (lower(total) - width, upper(total) + width))
    small, large = float(low) ** 0.5 * (1 - 4 * UNIT_ROUNDOFF), float(high) ** 0.5 * (1 + 4 * UNIT_ROUNDOFF)
    return (small + large) / 2, (large - small) / 2 + 4 * UNIT_ROUNDOFF * large


def slope_error(chosen: Loss, kernel: LossKernel, outputs: Array, targets: Array, minimizers: Array) -> float:
    """The largest error of loss' at these outputs, against balls."""
    _, slopes = loss_kernels.evaluate(kernel, outputs, targets, minimizers)
    worst = 0.0
    for y, t, slope in zip(outputs.ravel().tolist(), targets.ravel().tolist(), np.ravel(slopes).tolist(), strict=True):
        with working_precision():
            values = {"y": ball_from_float_with_error(y, 0), "t": ball_from_float_with_error(t, 0)}
            exact = evaluate_expression(chosen.derivative, values, BALL)
        worst = max(worst, _error(slope, exact))
    return worst
