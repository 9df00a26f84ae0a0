"""Slopes against the logarithm of the width, with limits that assume no law.

Every draw of the weights has a least squares line of its own through all widths; weights of different draws are independent, so the
slopes of the lines are independent draws of one law, and order statistics of them bound its median.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.drawn.clopper_pearson import median_limits
from verify.verdict import Verdict

Array = NDArray[np.float64]

CONFIDENCE = Fraction(95, 100)
"""Of each interval that is shown as evidence."""
DRAWS = 6
"""The least number of draws whose smallest and largest slope have this confidence: 1 - 2/2^6."""


@dataclass(frozen=True)
class Slope:
    """The median slope of log value against log width, and its limits."""

    estimate: float
    lower: float
    upper: float

    def holds(self, value: float) -> bool:
        """Whether the value is within the limits."""
        return self.lower <= value <= self.upper

    def __str__(self) -> str:
        return f"{self.estimate:.2f} {shown_limits(self.lower, self.upper)}"


def shown_limits(lower: float, upper: float) -> str:
    """An interval to two places, rounded outward."""
    hundredth = Decimal("0.01")
    ends = []
    for end, rounding in ((lower, ROUND_FLOOR), (upper, ROUND_CEILING)):
        # + 0 because there is no negative zero in a table.
        ends.append(str(Decimal(end).quantize(hundredth, rounding) + 0) if math.isfinite(end) else str(end))
    return f"[{ends[0]}, {ends[1]}]"


def slope_over_draws(
    widths: Sequence[int], values: Array, confidence: Any = CONFIDENCE, log_resolution: float = 0.0
) -> Slope | None:
    """The slope of values of shape (draws, widths), or None where a value is missing or not positive, or there is one width.

    log_resolution: each logarithm of a value is known only up to this; it widens the limits by the most that it can change a slope.
    """
    if len(widths) < 2 or not (np.isfinite(values).all() and (values > 0).all()):
        return None
    x = np.log(np.array(widths, dtype=np.float64))
    coefficients = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    found = median_limits((np.log(values) @ coefficients).tolist(), confidence)
    room = log_resolution * float(np.abs(coefficients).sum())
    return Slope(found.median, found.lower - room, found.upper + room)


def within(slope: Slope | None, low: float, high: float) -> Verdict:
    """Whether the slope lies between ``low`` and ``high``: decided only where its whole interval is on one side."""
    if slope is None:
        return Verdict.UNDECIDED
    if low <= slope.lower and slope.upper <= high:
        return Verdict.HOLDS
    return Verdict.VIOLATED if slope.lower > high or slope.upper < low else Verdict.UNDECIDED


def text_of(slope: Slope | None) -> str:
    """For a table."""
    return "–" if slope is None or not math.isfinite(slope.lower) else str(slope)
