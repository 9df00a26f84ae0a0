"""The softplus."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

SOFTPLUS = Activation("softplus", sympy.log(1 + sympy.exp(S)), note="log(1 + e^s); sup |phi'| = 1, in the limit, sup |phi''| = 1/4")
