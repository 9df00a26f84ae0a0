"""Networks with hidden widths r_l m whose points all have one norm, as the a-priori theorems see them: m is still free."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from theorems.apriori.blueprint import Blueprint, blueprint


def plan_of_unit_width(network: Any) -> Blueprint:
    """The plan at m = 1, of 3 points in the plane and one output.

    network: an instance with ratios (the r_l), trained, gaussian, sigma_w, sigma_b, slope and curvature.
    """
    return blueprint(
        (2, *network.ratios, 1),
        slope=Fraction(network.slope),
        curvature=Fraction(network.curvature),
        points=3,
        weight_scale=Fraction(network.sigma_w),
        bias_scale=Fraction(network.sigma_b),
        trained=network.trained,
        output_layer="gaussian" if network.gaussian else "signs",
    )


def moments_of_size(size: float, count: int) -> tuple[float, ...]:
    """M_2, M_4, ..., so many, of points of norm ``size``."""
    return tuple(size ** (2 * j) for j in range(1, count + 1))
