"""The sine."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

SIN = Activation("sin", sympy.sin(S), note="sup |phi'| = sup |phi''| = 1")
