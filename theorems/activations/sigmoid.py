"""The logistic sigmoid."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

SIGMOID = Activation("sigmoid", (1 + sympy.tanh(S / 2)) / 2, note="1/(1 + e^-s); sup |phi'| = 1/4, sup |phi''| = 1/(6 sqrt 3)")
