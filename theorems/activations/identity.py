"""The identity, which makes a deep linear network."""

from __future__ import annotations

from theorems.activations.record import Activation
from theorems.grammar import S

IDENTITY = Activation("identity", S, note="sup |phi'| = 1, phi'' = 0")
