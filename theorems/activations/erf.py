"""The error function."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

ERF = Activation("erf", sympy.erf(S), note="sup |phi'| = 2/sqrt(pi), sup |phi''| = sqrt(8/(pi e))")
