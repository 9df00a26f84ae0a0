"""The sigmoid-weighted linear unit, also called swish."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

SILU = Activation("silu", S * (1 + sympy.tanh(S / 2)) / 2, note="s/(1 + e^-s); sup |phi'| about 1.0998, sup |phi''| = 1/2")
