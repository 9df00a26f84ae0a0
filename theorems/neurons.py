"""How far gradient descent can move one neuron: the constants C_l with which |grad_w| <= C_l |u|_nu on a ball.

The part of DF(theta)^* u at neuron j of layer l is alpha sum_i nu_i <delta_{l,j}(i), u(i)> (c_l h_{l-1}(i), sigma_b). With
|delta_{l,j}(i)| <= Lp E_l(i) for a hidden neuron, 1 for an output, and phat_l^nu the norm of [c_l H_{l-1}, sigma_b] in L2(nu) on
B(R), it is at most C_l |u|_nu: C_l = alpha Lp max_i E_l(i) phat_l^nu, C_L = alpha phat_L^nu.
"""

from __future__ import annotations

from typing import Any

from theorems.arithmetic import Arithmetic
from theorems.ball import SignalsAtPoint, ball_bounds


def neuron_constants(signals: SignalsAtPoint, radius: Any, arithmetic: Arithmetic) -> tuple[Any, ...]:
    """C_1, ..., C_L on B(radius) about the point where ``signals`` were taken; of a layer that is not trained too, where nothing
    moves.

    Source: docs/theory.md, E1, E3 and L1 (Cauchy and Schwarz in L2(nu)).
    """
    bounds = ball_bounds(signals, radius, arithmetic)
    with arithmetic.context():
        drift = (0, *bounds.forward_drift_nu)  # of h_0 = x, which does not move, and of z_1, ..., z_L
        found = []
        for index, c in enumerate(signals.fan_in_scales):
            reach = signals.output_scale * (signals.gram_norms[index] + c * signals.slope * radius * drift[index])
            if index < signals.layers - 1:
                reach = reach * signals.slope * arithmetic.maximum_over(bounds.backward_sup[index])
            found.append(reach)
    return tuple(found)
