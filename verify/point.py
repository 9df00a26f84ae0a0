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
from theorems.arithmetic import BALL, ball_from_float_with_error
from theorems.ball import SignalsAtPoint
from verify.enclosed_point import ExactBounds
from verify.rigor import Rigor


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
    newton_step: |DF^+ e|, or None when the kernel is not positive beyond its error. fan_in_squares: c_1^2..c_L^2 =
    sigma_w^2/m_{l-1}, exact. exact: for a point whose every number is proved, the decimals that are stated about it; the floats
    above are then only what the search for a radius looks at, and the errors are zero.
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
    fan_in_squares: tuple[Fraction, ...]
    exact: ExactBounds | None = None

    @property
    def rigor(self) -> Rigor:
        """Whether every number of this point is enclosed."""
        return Rigor.RIGOROUS if self.exact is not None else Rigor.FLOATING_POINT

    def signals_in_balls(self) -> SignalsAtPoint:
        """The same signals as balls: around the measured norms, as far as norm_error is right, or the stated decimals
        themselves.
        """
        given = self.signals

        def measured(values: Any) -> Any:
            array = np.asarray(values, dtype=np.float64)
            balls = [ball_from_float_with_error(float(v), float(v) * self.norm_error) for v in array.ravel()]
            out = np.empty(array.size, dtype=object)
            out[:] = balls
            return out.reshape(array.shape) if array.shape else balls[0]

        norms = {name: measured(getattr(given, name)) for name in NORMS}
        suprema = {"slope": self.bounds.slope, "curvature": self.bounds.curvature}
        if self.exact is not None:
            norms = {name: as_balls(getattr(self.exact, name)) for name in NORMS}
            suprema = {name: Fraction(getattr(self.exact, name)) for name in suprema}
        return dataclasses.replace(
            given,
            fan_in_scales=tuple(BALL.sqrt(BALL.constant(square)) for square in self.fan_in_squares),
            bias_scale=ball_from_float_with_error(given.bias_scale, 0),
            output_scale=ball_from_float_with_error(given.output_scale, 0),
            **{name: BALL.constant(value) for name, value in suprema.items()},
            **norms,
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


NORMS = ("operator_norms", "forward_norms", "gram_norms", "schur", "backward_sup", "backward_norms")


def as_balls(decimals: Any) -> Any:
    """Nested tuples of decimals as an object array of balls, or a single ball."""
    if not isinstance(decimals, tuple):
        return BALL.constant(Fraction(decimals))
    shape = (len(decimals), len(decimals[0])) if decimals and isinstance(decimals[0], tuple) else (len(decimals),)
    out = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        entry = decimals[index[0]] if len(shape) == 1 else decimals[index[0]][index[1]]
        out[index] = BALL.constant(Fraction(entry))
    return out


def fan_in_squares(architecture: Architecture) -> tuple[Fraction, ...]:
    """c_l^2 = sigma_w^2/m_{l-1}, exact for the double sigma_w."""
    return tuple(Fraction(architecture.weight_scale) ** 2 / size for size in architecture.sizes[:-1])


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


def exact_point(architecture: Architecture, stated: ExactBounds, bounds: PhiBounds, step: int) -> Point:
    """The point whose numbers are the stated decimals; the floats in it serve the search for a radius only."""

    def floats(decimals: Any) -> Any:
        return np.array(decimals, dtype=np.float64)

    signals = SignalsAtPoint(
        fan_in_scales=architecture.fan_in_scales,
        bias_scale=architecture.bias_scale,
        output_scale=abs(architecture.output_scale),
        trained=architecture.trained,
        slope=float(stated.slope),
        curvature=float(stated.curvature),
        operator_norms=floats(stated.operator_norms),
        forward_norms=floats(stated.forward_norms),
        gram_norms=floats(stated.gram_norms),
        schur=float(stated.schur),
        backward_sup=floats(stated.backward_sup),
        backward_norms=floats(stated.backward_norms),
    )
    return Point(
        step=step,
        signals=signals,
        bounds=bounds,
        norm_error=0.0,
        lambda_min=float(stated.lambda0),
        lambda_max=float(stated.lambda_max),
        eigenvalue_error=0.0,
        residual=float(stated.residual),
        residual_error=0.0,
        newton_step=None if stated.newton_step is None else float(stated.newton_step),
        fan_in_squares=fan_in_squares(architecture),
        exact=stated,
    )
