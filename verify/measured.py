"""A certified run as measurements with their errors: at every step, and at the marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.roundoff import norm_error
from theorems.arithmetic import Interval
from verify.certificate_record import Certificate
from verify.run import MeasuredRun
from verify.setup import Setup

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredSteps:
    """The run from the certification step N to its end: arrays over the steps k = N, ..., end.

    residual: s_k and residual_error: its absolute error. gradient_norm: |grad J(theta_k)| and gradient_error. length:
    |theta_{k+1} - theta_k| of the run as it was computed, and length_error. step_error: bounds of
    |theta_{k+1} - (theta_k - eta grad J(theta_k))|, the rounding of one step. mu: PL constant. eta: step size.
    """

    first: int
    residual: Array
    residual_error: Array
    gradient_norm: Array
    gradient_error: Array
    length: Array
    length_error: Array
    step_error: Array
    mu: float
    eta: float


@dataclass(frozen=True)
class MeasuredMarks:
    """The marks after the certification step: for each symbol of the drift claims the measured values and absolute errors."""

    steps: NDArray[np.int64]
    values: Mapping[str, Array]
    errors: Mapping[str, Array]


def around(values: Array, below: Array | float, above: Array | float) -> Interval:
    """[values - below, values + above], rounded outward."""
    return Interval(np.nextafter(values - below, -np.inf), np.nextafter(values + above, np.inf))


def measured_steps(setup: Setup, certificate: Certificate, run: MeasuredRun, step_size: float) -> MeasuredSteps:
    """The run from the certification step on, with the rounding errors measured at the marks (their maximum from there on)."""
    first = certificate.step
    trajectory = run.trajectory
    marks = [mark for mark in run.marks if mark.step >= first] or list(run.marks[-1:])
    residual = trajectory.residual[first:]

    def worst(name: str) -> float:
        return float(np.max([getattr(mark, name) for mark in marks]))  # NaN stays NaN

    residual_error = setup.residual_error(worst("residual_error"), worst("residual_relative"), residual, worst("gap_deviation"))
    gradient_error = setup.gradient_error(
        worst("gradient_constant"), worst("gradient_slope"), residual, worst("lambda_max"), worst("slope_error")
    )
    update = worst("update_error")
    length = step_size * trajectory.gradient_norm[first:]
    return MeasuredSteps(
        first=first,
        residual=residual,
        residual_error=residual_error,
        gradient_norm=trajectory.gradient_norm[first:],
        gradient_error=gradient_error,
        length=length,
        length_error=norm_error(length, setup.architecture.trained_parameters) + update,
        step_error=update + step_size * gradient_error,
        mu=setup.mu,
        eta=step_size,
    )


def measured_marks(setup: Setup, certificate: Certificate, run: MeasuredRun) -> MeasuredMarks:
    """The drifts from the certified weights, under the symbols of the drift claims."""
    assert certificate.forward_drift is not None
    low, high = certificate.forward_drift
    steps = np.array([step for step, _ in run.drifts], dtype=np.int64)
    drifts = [found for _, found in run.drifts]

    def column(values: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(values, dtype=np.float64)

    ratios, ratio_errors = [], []
    for found in drifts:
        error = np.broadcast_to(found.errors.forward[:, None], found.forward.shape)
        # Below the first trained layer D_l = 0 and nothing may move; a movement there beyond its error is a violation.
        still = high == 0
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(still, np.where(found.forward > error, np.inf, 0.0), found.forward / low)
            spread = np.where(still, 0.0, error / low + found.forward * (1 / low - 1 / high))
        ratios.append(float(ratio.max()))  # NaN, where a D_l is unknown, stays NaN: undecided
        ratio_errors.append(float(spread.max()))
    values = {
        "forward_ratio": column(ratios),
        "jacobian_drift": column([found.jacobian for found in drifts]),
        "kernel_drift": column([found.kernel for found in drifts]),
        "rho": column([found.displacement for found in drifts]),
        "lambda_min_k": column([value for value, _ in run.drift_spectra]),
    }
    errors = {
        "forward_ratio": column(ratio_errors),
        "jacobian_drift": column([found.errors.jacobian for found in drifts]),
        "kernel_drift": column([found.errors.kernel for found in drifts]),
        "rho": column([norm_error(found.displacement, setup.architecture.parameters) for found in drifts]),
        "lambda_min_k": column([error for _, error in run.drift_spectra]),
    }
    return MeasuredMarks(steps, values, errors)
