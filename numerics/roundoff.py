"""The constants and counting rules of rounding-error analysis that every bound here uses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNIT_ROUNDOFF = 2.0**-53
SMALLEST_POSITIVE = 2.0**-1074  # a product that underflows is wrong by at most half of this
UNDERFLOWN = (
    2.0**-500
)  # of a norm of up to 2^37 numbers, what squares that underflow, each below 2^-1074, can take: 2^-537 for each


def gamma(count: float) -> float:
    """gamma_m = m u/(1 - m u): the relative error of m roundings in a row, or of a sum of m products in any order.

    Source: N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Lemma 3.1 and section 3.1. Infinite
    once m u >= 1.
    """
    spread = count * UNIT_ROUNDOFF
    return spread / (1.0 - spread) if spread < 1.0 else math.inf


def summation_depth(length: int, panel: int) -> int:
    """Roundings a term can meet when ``length`` terms are summed in panels (in any order inside) and the panels in a row."""
    return min(length, panel) + -(-length // panel)


def norm_rounding(count: int) -> float:
    """The relative error of the Euclidean norm of ``count`` stored differences, taken in any order of summation.

    A difference is right to u, the sum of squares to gamma_count, the root to half of that and u. An inner product of two such
    vectors errs by this times the product of their norms. Where squares underflow see ``norm_error``.
    """
    return gamma(count + 4)


def norm_error(size: Any, count: int) -> Any:
    """The absolute error of a norm, or of an array of norms, of ``count`` stored differences, that came out as ``size``."""
    return norm_rounding(count) * size + UNDERFLOWN


def norm_between(stored: NDArray[np.float64]) -> tuple[float, float]:
    """Bounds of the Euclidean norm of all entries, or of the differences whose nearest doubles they are, from below and above."""
    with np.errstate(over="ignore"):
        size, relative = float(np.linalg.norm(stored)), norm_rounding(stored.size)
    if not stored.any():
        return 0.0, 0.0
    if not math.isfinite(size):  # a square that overflows says nothing
        return 0.0, math.inf
    low = math.nextafter(size * (1.0 - relative), 0.0) - UNDERFLOWN
    return max(math.nextafter(low, 0.0), 0.0), math.nextafter(size * (1.0 + relative) + UNDERFLOWN, math.inf)
