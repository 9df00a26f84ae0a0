"""The Gaussian error linear unit."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

GELU = Activation(
    "gelu",
    S * (1 + sympy.erf(S / sympy.sqrt(2))) / 2,
    note="s times the normal distribution function; sup |phi''| = 2/sqrt(2 pi)",
)
