"""A point of a run as the theorems see it: signals, spectrum and residual, each with the error of its measurement."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numerics.network import Architecture
from numerics.rounding import ACTIVATION_ULPS
from numerics.snapshots import Snapshot
from theorems.arithmetic import ball_from_float_with_error
from theorems.ball import SignalsAtPoint


@dataclass(frozen=True)
class PhiBounds:
    """Proved upper bounds of sup|phi'| and sup|phi''|; ulps: the accuracy of the kernel (see ``numerics.rounding``)."""

    slope: Fraction
    curvature: Fraction
    ulps: float = ACTIVATION_ULPS


@dataclass(frozen=True)
class Point:
    """What a certificate at theta_k needs.

    signals: floats for theorems.ball. norm_error: relative error of every norm in it. eigenvalues lambda_min, lambda_max of the
    tangent kernel (1/n included) with the absolute error eigenvalue_error. residual: s_k with the absolute error residual_error.
    newton_step: |DF^+ e|, or None when the kernel is not positive beyond its error.
    """

    step: int
    signals: SignalsAtPoint
    bounds: PhiBounds
    norm_error: float
    lambda_min: float
    lambda_max: float
    eigenvalue_error: float
    residual: float
    residual_error: float
    newton_step: float | None

    def signals_in_balls(self) -> SignalsAtPoint:
        """The same signals as balls that contain the exact values, as far as norm_error is right."""
        given = self.signals

        def enclosed(values: Any) -> Any:
            array = np.asarray(values, dtype=np.float64)
            balls = [ball_from_float_with_error(float(v), float(v) * self.norm_error) for v in array.ravel()]
            out = np.empty(array.size, dtype=object)
            out[:] = balls
            return out.reshape(array.shape) if array.shape else balls[0]

        def exact(value: float | Fraction) -> Any:
            return ball_from_float_with_error(value, 0)

        # c_l = sigma_w/sqrt(m_{l-1}) is rounded in the run: the network trained is the one with the float64 c_l.
        return dataclasses.replace(
            given,
            fan_in_scales=tuple(exact(c) for c in given.fan_in_scales),
            bias_scale=exact(given.bias_scale),
            output_scale=exact(given.output_scale),
            slope=exact(self.bounds.slope),
            curvature=exact(self.bounds.curvature),
            operator_norms=enclosed(given.operator_norms),
            forward_norms=enclosed(given.forward_norms),
            gram_norms=enclosed(given.gram_norms),
            schur=enclosed(given.schur),
            backward_sup=enclosed(given.backward_sup),
            backward_norms=enclosed(given.backward_norms),
        )

    def scaled(self, output_scale: float = 1.0, residual: float = 1.0, width: float = 1.0) -> Point:
        """The point of a hypothetical problem: output scale and residual multiplied, hidden widths multiplied.

        Scaling the output is exact for a centered network (the kernel scales by the square, beta by the factor, the residual
        stays). Scaling the width is an estimate from the signals' scaling law: c_l |W_l|, c_l |h_{l-1}|, |delta_l| and the kernel
        keep their size, c_l for l >= 2 and |eta_l|_inf fall like width^{-1/2}.
        """
        root = width**0.5
        given = self.signals
        first, *rest = given.fan_in_scales
        signals = dataclasses.replace(
            given,
            output_scale=given.output_scale * output_scale,
            fan_in_scales=(first, *(c / root for c in rest)),
            operator_norms=np.asarray(given.operator_norms) * root,
            forward_norms=np.vstack([given.forward_norms[:1], given.forward_norms[1:] * root]),
            backward_sup=given.backward_sup / root,
        )
        return dataclasses.replace(
            self,
            signals=signals,
            lambda_min=self.lambda_min * output_scale**2,
            lambda_max=self.lambda_max * output_scale**2,
            eigenvalue_error=self.eigenvalue_error * output_scale**2,
            residual=self.residual * residual,
            newton_step=None,
        )


def signals_from(architecture: Architecture, snapshot: Snapshot, bounds: PhiBounds) -> SignalsAtPoint:
    """Arrange a floating-point snapshot as the input of the ball recursion."""
    return SignalsAtPoint(
        fan_in_scales=architecture.fan_in_scales,
        bias_scale=architecture.bias_scale,
        output_scale=abs(architecture.output_scale),
        trained=architecture.trained,
        slope=float(bounds.slope),
        curvature=float(bounds.curvature),
        operator_norms=snapshot.operator_norms,
        forward_norms=snapshot.forward_norms,
        gram_norms=snapshot.gram_norms,
        schur=snapshot.schur,
        backward_sup=snapshot.backward_sup,
        backward_norms=snapshot.backward_norms,
    )
