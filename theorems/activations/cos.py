"""The cosine."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

COS = Activation("cos", sympy.cos(S), note="sup |phi'| = sup |phi''| = 1")
