"""Bounds of norms against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from numerics.roundoff import UNIT_ROUNDOFF, norm_between, norm_rounding

EVERY = st.floats(allow_nan=False, allow_infinity=False)
TINY = st.floats(-(2.0**-530), 2.0**-530)
SIZES = st.integers(1, 12)


def square(numbers: list[Fraction]) -> Fraction:
    return sum((x * x for x in numbers), Fraction(0))


def encloses(bounds: tuple[float, float], numbers: list[Fraction]) -> bool:
    low, high = bounds
    return Fraction(low) ** 2 <= square(numbers) and (math.isinf(high) or square(numbers) <= Fraction(high) ** 2)


@given(SIZES.flatmap(lambda n: arrays(np.float64, n, elements=EVERY | TINY)))
def test_the_norm_lies_between_its_bounds(vector) -> None:
    assert encloses(norm_between(vector), [Fraction(x) for x in vector.tolist()])


@given(SIZES.flatmap(lambda n: arrays(np.float64, (2, n), elements=st.floats(-1e150, 1e150) | TINY)))
def test_so_does_that_of_the_exact_differences(pair) -> None:
    exact = [Fraction(x) - Fraction(y) for x, y in zip(*pair.tolist(), strict=True)]
    assert encloses(norm_between(pair[0] - pair[1]), exact)


@given(SIZES.flatmap(lambda n: arrays(np.float64, n, elements=st.floats(2.0**-100, 2.0**100))))
def test_they_are_near_where_nothing_underflows(vector) -> None:
    low, high = norm_between(vector)
    assert high - low <= 2 * (norm_rounding(vector.size) + 4 * UNIT_ROUNDOFF) * high


@pytest.mark.parametrize("count", [1, 2, 1000, 10**6])
def test_equal_entries_that_round_the_most(count) -> None:
    """1/3 as a double, squared and added up a million times."""
    third = np.full(count, 1 / 3)
    low, high = norm_between(third)
    assert Fraction(low) ** 2 <= count * Fraction(1 / 3) ** 2 <= Fraction(high) ** 2


def test_zero_and_what_overflows() -> None:
    assert norm_between(np.zeros((2, 3))) == (0.0, 0.0)
    assert norm_between(np.array([1e200, 1.0])) == (0.0, math.inf)
