"""Slopes against log width: exact powers, limits that cover, and verdicts that an undecided interval never passes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from verify.evidence.slopes import DRAWS, Slope, shown_limits, slope_over_draws, within
from verify.verdict import Verdict

WIDTHS = [16, 64, 128, 512]


def powers(exponents: list[float]) -> np.ndarray:
    return np.array([[3.0 * width**p for width in WIDTHS] for p in exponents])


def test_a_power_of_the_width_has_its_exponent_as_slope() -> None:
    found = slope_over_draws(WIDTHS, powers([-0.5] * DRAWS))
    assert found is not None
    assert (found.estimate, found.lower, found.upper) == pytest.approx((-0.5,) * 3, abs=1e-12)


def test_six_draws_give_the_smallest_and_the_largest_slope() -> None:
    exponents = [-0.9, -0.1, -0.4, -0.6, -0.3, -0.2]
    found = slope_over_draws(WIDTHS, powers(exponents))
    assert (found.lower, found.upper) == pytest.approx((-0.9, -0.1), abs=1e-12)
    assert found.estimate == pytest.approx(-0.35, abs=1e-12)
    few = slope_over_draws(WIDTHS, powers(exponents[:5]))  # 1 - 2/2^5 is below 95%
    assert (few.lower, few.upper) == (-math.inf, math.inf)


def test_the_limits_cover_the_median_as_often_as_they_say() -> None:
    """All sign patterns of six symmetric slopes are equally likely: the limits miss in 2 of 64."""
    missed = 0
    for signs in itertools.product((-1, 1), repeat=6):
        found = slope_over_draws(WIDTHS, powers([sign * (0.1 + 0.01 * i) for i, sign in enumerate(signs)]))
        missed += not found.holds(0.0)
    assert missed == 2


def test_resolution_widens_by_the_most_it_can_change() -> None:
    values = powers([-0.5] * DRAWS)
    room = math.log(2) / 4
    found = slope_over_draws(WIDTHS, values, log_resolution=room)
    x = np.log(WIDTHS)
    moved = [np.polyfit(x, np.log(values[0]) + room * np.array(signs), 1)[0] for signs in itertools.product((-1, 1), repeat=4)]
    assert (found.lower, found.upper) == pytest.approx((min(moved), max(moved)), abs=1e-12)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_value_that_has_no_logarithm_has_no_slope(bad: float) -> None:
    values = powers([-0.5] * DRAWS)
    values[2, 1] = bad
    assert slope_over_draws(WIDTHS, values) is None
    assert slope_over_draws([16], np.ones((DRAWS, 1))) is None


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [
        (Slope(0.0, -0.1, 0.2), Verdict.HOLDS),
        (Slope(0.0, -0.25, 0.25), Verdict.HOLDS),
        (Slope(0.0, -0.1, 0.3), Verdict.UNDECIDED),
        (Slope(0.0, -0.9, 0.9), Verdict.UNDECIDED),
        (Slope(0.4, 0.3, 0.5), Verdict.VIOLATED),
        (Slope(-0.5, -0.7, -0.3), Verdict.VIOLATED),
        (Slope(0.0, -math.inf, math.inf), Verdict.UNDECIDED),
        (None, Verdict.UNDECIDED),
    ],
)
def test_a_slope_is_decided_by_its_whole_interval(slope, verdict) -> None:
    assert within(slope, -0.25, 0.25) is verdict


def test_limits_are_shown_rounded_outward() -> None:
    assert str(Slope(0.006, -0.19375, 0.151)) == "0.01 [-0.20, 0.16]"
    assert shown_limits(-0.001, -0.001) == "[-0.01, 0.00]"
    assert shown_limits(-math.inf, 0.25) == "[-inf, 0.25]"
