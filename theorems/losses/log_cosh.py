"""The log-cosh loss with a ridge."""

from __future__ import annotations

from fractions import Fraction

import sympy

from theorems.grammar import T, Y
from theorems.losses.record import Loss
from theorems.losses.ridged import ridged


def log_cosh(ridge: Fraction) -> Loss:
    """Return log cosh(y - t) + ridge (y - t)^2/2; l'' = 1 - tanh(y - t)^2 + ridge, so mu = ridge and L = 1 + ridge."""
    return ridged(
        "log_cosh",
        sympy.log(sympy.cosh(Y - T)),
        T,
        ridge,
        Fraction(1),
        why="its slope stays bounded while the loss grows without bound",
        note="log cosh(y - t) + ridge (y - t)^2/2; mu = ridge, L = 1 + ridge",
    )
