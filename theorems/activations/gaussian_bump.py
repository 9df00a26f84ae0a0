"""The Gaussian bump."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

GAUSSIAN_BUMP = Activation("gaussian_bump", sympy.exp(-(S**2) / 2), note="sup |phi'| = e^(-1/2), sup |phi''| = 1")
