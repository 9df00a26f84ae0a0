"""The square loss."""

from __future__ import annotations

from theorems.enclosures import Enclosure
from theorems.losses.record import SQUARE as EXPRESSION
from theorems.losses.record import Loss, LossConstants

ONE = Enclosure.exact(1)

SQUARE = Loss(
    "square",
    EXPRESSION,
    declared=LossConstants(mu=ONE, smoothness=ONE),
    minimizer_is_target=True,
    note="(y - t)^2/2; mu = L = 1",
)
