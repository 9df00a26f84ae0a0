"""The logistic loss with a ridge on the prediction."""

from __future__ import annotations

from fractions import Fraction

import sympy

from theorems.grammar import T, Y
from theorems.losses.record import Loss
from theorems.losses.ridged import ridged


def logistic(ridge: Fraction) -> Loss:
    """Return log(1 + exp(-t y)) + ridge y^2/2 for targets -1, +1.

    l'' = p (1 - p) + ridge with p = 1/(1 + exp(-t y)), so mu = ridge and L = 1/4 + ridge. The minimizer is not the target.
    """
    return ridged(
        "logistic",
        sympy.log(1 + sympy.exp(-T * Y)),
        sympy.Integer(0),
        ridge,
        Fraction(1, 4),
        why="as t y grows its curvature tends to 0 and its slope vanishes as fast as the loss itself, not as its root",
        allowed_targets=(-1, 1),
        note="log(1 + exp(-t y)) + ridge y^2/2, targets -1 and +1; mu = ridge, L = 1/4 + ridge",
    )
