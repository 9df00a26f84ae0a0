"""The rectifier: in the catalogue so that it can be trained and measured."""

from __future__ import annotations

import sympy

from theorems.activations.record import Activation
from theorems.grammar import S

RELU = Activation(
    "relu",
    sympy.Max(S, 0),
    smooth=False,
    note="it is not differentiable at 0, so its derivative has no Lipschitz constant and the bounds on a ball do not exist",
)
