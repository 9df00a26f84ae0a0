"""What would satisfy a hypothesis that failed: the residual, label scale, output scale or width at which q falls below 1.

Label scale and output scale are exact for centered networks with the square loss (the kernel scales, the signals do not); the
width is an estimate from the scaling law of the signals, and is labeled so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from theorems.losses import LossConstants
from verify.certificate import TINY_STEP, Certificate, passes_in_floats
from verify.point import Point

FACTOR_LIMIT = 1e12
RELATIVE = 1e-3


def with_remedies(certificate: Certificate, loss: LossConstants, widths: tuple[int, ...], exact_scaling: bool) -> Certificate:
    """Add to a failed certificate what would make it pass.

    exact_scaling: whether the network is centered and the loss is the square loss, so that scaling labels or outputs is exact.
    """
    point, failure = certificate.point, certificate.failure
    if certificate.certified or failure is None or point is None or failure.hypothesis not in ("q", "sigma", "kappa", "radius"):
        return certificate
    remedies: dict[str, float] = {}
    shrink = _least_factor(lambda f: point.scaled(residual=1 / f), loss)
    if shrink is not None:
        remedies["residual"] = point.residual / shrink
        if exact_scaling:
            remedies["label_scale"] = 1 / shrink
    if exact_scaling:
        scale = _least_factor(lambda f: point.scaled(output_scale=f), loss)
        if scale is not None:
            remedies["output_scale"] = scale * point.signals.output_scale
    growth = _least_factor(lambda f: point.scaled(width=f), loss)
    if growth is not None:
        remedies["width_estimate"] = float(round(growth * min(widths)))
    return dataclasses.replace(certificate, failure=dataclasses.replace(failure, remedies=remedies))


def _least_factor(scaled: Callable[[float], Point], loss: LossConstants) -> float | None:
    """The least factor >= 1, to a relative 1e-3 from above, at which some step is certified; None beyond the limit."""

    def passes(factor: float) -> bool:
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
