"""The arctangent."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

ARCTAN = Activation("arctan", sympy.atan(S), note="sup |phi'| = 1, sup |phi''| = 3 sqrt(3)/8")
