"""Theorem E at one point: the constants of the recursion for the data set {x_i}, and the Lipschitz constant in the input.

E1 to E4 hold for every finite data set and every measure on it. On the set {x_i} with all the mass at x_i the norm of L2(nu; R^k)
is that of R^k, so ``beta`` of the recursion bounds |df_theta(x_i) - df_theta'(x_i)| / |theta - theta'| on B(R): beta_i. What the
recursion reads there is what it reads at x_i in the whole data set, except for the two numbers that depend on nu: p_l^nu becomes
p_l(i) = (c_l^2 |h_{l-1}(x_i)|^2 + sigma_b^2)^{1/2}, and the Schur constant G_ii = p_1(i)^2.

In the input, |h_l(x) - h_l(x')| <= Lp a_l |h_{l-1}(x) - h_{l-1}(x')| with a_l = c_l (|W_l^0| + R 1[l in T]), hence
Lip_x(f_theta) <= alpha Lp^{L-1} a_1 ... a_L for theta in B(R). A centered network f_theta - f_theta0 needs the sum of the bounds
at R and at 0: phi' can have opposite signs at the two parameters.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np

from theorems.arithmetic import Arithmetic
from theorems.ball import SignalsAtPoint, ball_bounds
from theorems.errors import InputError


def at_point(signals: SignalsAtPoint, point: int, arithmetic: Arithmetic) -> SignalsAtPoint:
    """Return what the recursion reads of the data set {x_i}, i = ``point`` counted from 0.

    signals: of n points, as in ``theorems.ball``. Raises InputError for a point that is not one of them.
    """
    points = np.asarray(signals.forward_norms).shape[1]
    if isinstance(point, bool) or not isinstance(point, int | np.integer) or not 0 <= point < points:
        raise InputError(f"point must be an integer from 0 to {points - 1}, got {point!r}")
    with arithmetic.context():
        forward = np.asarray(signals.forward_norms)[:, [point]]
        squares = [c**2 * forward[layer, 0] ** 2 + signals.bias_scale**2 for layer, c in enumerate(signals.fan_in_scales)]
        return dataclasses.replace(
            signals,
            forward_norms=forward,
            gram_norms=np.array([arithmetic.sqrt(square) for square in squares]),
            schur=squares[0],
            backward_sup=np.asarray(signals.backward_sup)[:, [point]],
            backward_norms=np.asarray(signals.backward_norms)[:, [point]],
        )


def pointwise_betas(signals: SignalsAtPoint, radius: Any, arithmetic: Arithmetic) -> Any:
    """Return beta_1, ..., beta_n: |df_theta(x_i) - df_theta'(x_i)| <= beta_i |theta - theta'| on B(radius), operator norms.

    Each is nondecreasing in the radius. Source: docs/theory.md, E1-E4, for the data sets {x_i}.
    """
    points = np.asarray(signals.forward_norms).shape[1]
    return np.array([ball_bounds(at_point(signals, point, arithmetic), radius, arithmetic).beta for point in range(points)])


def input_gain(signals: SignalsAtPoint, radius: Any, arithmetic: Arithmetic) -> Any:
    """Return Lp^{L-1} a_1 ... a_L with a_l = c_l (|W_l^0| + radius 1[l in T]); times alpha it bounds Lip_x(f_theta) on B(radius).

    Source: docs/theory.md, H2.
    """
    with arithmetic.context():
        gain = arithmetic.constant(Fraction(1))
        per_layer = zip(signals.fan_in_scales, signals.operator_norms, signals.trained, strict=True)
        for layer, (c, norm, moves) in enumerate(per_layer):
            gain = gain * (c * (norm + radius) if moves else c * norm)
            gain = gain * signals.slope if layer < signals.layers - 1 else gain
        return gain
