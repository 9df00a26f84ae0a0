"""The hyperbolic tangent."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

TANH = Activation("tanh", sympy.tanh(S), note="sup |phi'| = 1, sup |phi''| = 4/(3 sqrt 3)")
