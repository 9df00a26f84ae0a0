"""How accurate are kernels generated from a user's expressions? Found out against balls, before anything is certified with them.

Rounding bounds of the measured side take an activation as accurate to A u (|phi(0)| + sup|phi'| |s|) and its derivative to
A u sup|phi'|. Hand-written kernels are tested to be, with A = ``ACTIVATION_ULPS``. For a user's expression A is measured on probes;
an expression that cancels, such as sqrt(1+s^2) - 1 near 0, has so large an A that it is refused. (The probes are dense where
preactivations live, yet an expression made to hide its cancellation between them is not found out: docs/notation.md.) For a loss,
the residual at a certified point is computed in balls from the outputs, and what quadrature and rounding do to residuals and
gradients along the run is measured at the marks and carried as an error.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import losses as loss_kernels
from numerics.activations import ActivationKernel, evaluate
from numerics.losses import LossKernel
from numerics.rounding import ACTIVATION_ULPS
from numerics.roundoff import UNIT_ROUNDOFF
from theorems.activations import Activation
from theorems.arithmetic import BALL, ball_from_float_with_error, lower, upper, working_precision
from theorems.errors import InputError
from theorems.losses import Loss
from theorems.programs import evaluate as evaluate_program
from theorems.records import evaluate_expression

Array = NDArray[np.float64]
HUGE = 10**300
SAFETY = 2.0  # between the largest error seen on the probes and the one allowed elsewhere
MOST_ULPS = 1e6  # an expression less accurate than this is refused
LARGEST_PROBE = 10  # binary exponent: probes reach |s| = 2^10
SMALLEST_PROBE = -60
DENSE = (-4, 5)  # binary exponents between which there are 64 probes to a binade, else 8


def probes() -> Array:
    """Points on both sides of 0, equally many to every binade but more where preactivations usually are, and 0."""
    coarse = np.ldexp(1 + np.arange(8)[None, :] / 8.1, np.arange(SMALLEST_PROBE, LARGEST_PROBE)[:, None]).ravel()
    fine = np.ldexp(1 + np.arange(64)[None, :] / 64.3, np.arange(*DENSE)[:, None]).ravel()
    positive = np.unique(np.concatenate([coarse, fine]))
    return np.concatenate([-positive[::-1], [0.0], positive])


def measured_ulps(phi: Activation, kernel: ActivationKernel, slope: float) -> float:
    """The A of the error model for a generated kernel: SAFETY times the largest on the probes, at least ACTIVATION_ULPS.

    Raises InputError when it exceeds MOST_ULPS.
    """
    points = probes()
    with np.errstate(all="ignore"):
        values, derivatives = evaluate(kernel, points)
    program = phi.program()

    def exact(point: float) -> list[Any]:
        with working_precision():
            return evaluate_program(program, BALL, [ball_from_float_with_error(point, 0)])

    at_zero, worst = abs(float(lower(exact(0.0)[0]))), ACTIVATION_ULPS / SAFETY
    for point, value, derivative in zip(points.tolist(), values.tolist(), derivatives.tolist(), strict=True):
        phi_ball, slope_ball = exact(point)
        size = UNIT_ROUNDOFF * (at_zero + slope * abs(point))
        errors = [(_error(derivative, slope_ball), UNIT_ROUNDOFF * slope), (_error(value, phi_ball), size)]
        worst = max(worst, *(error / unit if unit > 0 else (math.inf if error > 0 else 0.0) for error, unit in errors))
        if worst > MOST_ULPS:
            raise InputError(
                f"activation {phi.name!r} loses accuracy to cancellation near s = {point:.3g}, so what is measured with it cannot "
                "be bounded; write it without subtracting nearly equal numbers"
            )
    return SAFETY * worst


def _error(value: float, ball: Any) -> float:
    """|value - ball| at most, or infinity."""
    if not np.isfinite(value) or not ball.is_finite():
        return float("inf")
    exact = Fraction(float(value))
    error = max(abs(exact - lower(ball)), abs(exact - upper(ball)))
    return float(error) if error < HUGE else math.inf


def residual_in_balls(chosen: Loss, outputs: Array, targets: Array, weights: Array, mu: Fraction) -> tuple[float, float]:
    """The residual sqrt(2 (h - h*)/mu) from the outputs as they are, with its error: values of the loss by balls of 128 bits.

    outputs, targets: shape (n, k). weights: shape (n,). Nothing cancels in 128 bits that matters in 53.
    """
    if not np.isfinite(outputs).all():
        return math.nan, math.inf
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
        if not total.is_finite():
            return math.nan, math.inf
        width = (
            outputs.shape[1] * max((enclosure.upper - enclosure.lower for enclosure in minima.values()), default=Fraction(0)) / 2
        )
        low, high = (max(end, Fraction(0)) * 2 / mu for end in (lower(total) - width, upper(total) + width))
    if high > HUGE:
        return math.nan, math.inf
    small, large = float(low) ** 0.5 * (1 - 4 * UNIT_ROUNDOFF), float(high) ** 0.5 * (1 + 4 * UNIT_ROUNDOFF)
    return (small + large) / 2, (large - small) / 2 + 4 * UNIT_ROUNDOFF * large


def slope_error(chosen: Loss, kernel: LossKernel, outputs: Array, targets: Array, minimizers: Array) -> float:
    """The largest error of loss' at these outputs, against balls."""
    if not np.isfinite(outputs).all():
        return math.inf
    _, slopes = loss_kernels.evaluate(kernel, outputs, targets, minimizers)
    worst = 0.0
    for y, t, slope in zip(outputs.ravel().tolist(), targets.ravel().tolist(), np.ravel(slopes).tolist(), strict=True):
        with working_precision():
            values = {"y": ball_from_float_with_error(y, 0), "t": ball_from_float_with_error(t, 0)}
            exact = evaluate_expression(chosen.derivative, values, BALL)
        worst = max(worst, _error(slope, exact))
    return worst
