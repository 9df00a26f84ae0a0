"""The square loss with weights of samples."""

from __future__ import annotations

from theorems.enclosures import Enclosure
from theorems.losses.record import SQUARE, Loss, LossConstants

ONE = Enclosure.exact(1)

WEIGHTED_SQUARE = Loss(
    "weighted_square",
    SQUARE,
    declared=LossConstants(mu=ONE, smoothness=ONE),
    minimizer_is_target=True,
    weighted=True,
    note="(y - t)^2/2 with weights of samples, which are the measure nu; mu = L = 1",
)
