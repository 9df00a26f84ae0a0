"""The pseudo-Huber loss with a ridge."""

from __future__ import annotations

from fractions import Fraction

import sympy

from theorems.grammar import T, Y
from theorems.losses.record import Loss
from theorems.losses.ridged import ridged


def pseudo_huber(ridge: Fraction) -> Loss:
    """Return sqrt(1 + (y - t)^2) - 1 + ridge (y - t)^2/2; l'' = (1 + (y - t)^2)^(-3/2) + ridge, so mu = ridge, L = 1 + ridge."""
    return ridged(
        "pseudo_huber",
        sympy.sqrt(1 + (Y - T) ** 2) - 1,
        T,
        ridge,
        Fraction(1),
        why="its slope stays bounded while the loss grows without bound",
        note="sqrt(1 + (y - t)^2) - 1 + ridge (y - t)^2/2; mu = ridge, L = 1 + ridge",
    )
