"""The constants and counting rules of rounding-error analysis that every bound here uses."""

from __future__ import annotations

import math

UNIT_ROUNDOFF = 2.0**-53
SMALLEST_POSITIVE = 2.0**-1074  # a product that underflows is wrong by at most half of this


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
