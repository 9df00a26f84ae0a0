"""Table look-up: Horner's rule within its bound, cells found, what is missing or too large refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics.errors import NumericsError
from numerics.midrad import MidRad
from numerics.taylor import TaylorTable, cells_of, evaluate, horner_error

COEFFICIENTS = st.lists(st.floats(-100, 100), min_size=4, max_size=4)


def table(values: list[float], slopes: list[float], exponent: int, cell: int, errors: tuple[float, float]) -> TaylorTable:
    one = np.array
    return TaylorTable(exponent, one([cell]), one(values)[:, None], one([errors[0]]), one(slopes)[:, None], one([errors[1]]))


def polynomial(coefficients: list[float], x: Fraction) -> Fraction:
    return sum((Fraction(c) * x**k for k, c in enumerate(coefficients)), Fraction(0))


@given(COEFFICIENTS, COEFFICIENTS, st.integers(0, 8), st.integers(-50, 50), st.floats(-0.499, 0.499), st.floats(0, 1e-3))
def test_evaluation_contains_the_polynomial(
    values: list[float], slopes: list[float], exponent: int, cell: int, share: float, radius: float
) -> None:
    z = (cell + share) * 2.0**-exponent
    enclosed = MidRad(np.array([z]), np.array([radius]))
    found, slope = evaluate(table(values, slopes, exponent, cell, (1e-12, 2e-12)), enclosed, 3.0, 5.0)
    x = Fraction(z) - Fraction(cell, 2**exponent)
    for given_, coefficients, error, rate in ((found, values, 1e-12, 3.0), (slope, slopes, 2e-12, 5.0)):
        distance = abs(polynomial(coefficients, x) - Fraction(float(given_.mid[0])))
        needed = distance + Fraction(error) + Fraction(rate) * Fraction(radius)
        assert needed <= Fraction(float(given_.radius[0]))


def test_the_rounding_of_horner_is_bounded_tightly() -> None:
    """At most a few u of the largest partial sum: here of 1 + x + x^2 + x^3 on |x| <= 1/2."""
    (error,) = horner_error(np.ones((4, 1)), 0)
    assert 2.0**-53 < error < 8 * 2.0**-53


def test_a_missing_cell_is_refused() -> None:
    known = table([0.0] * 4, [0.0] * 4, 2, 3, (0.0, 0.0))
    with pytest.raises(NumericsError, match="lacks a cell"):
        evaluate(known, MidRad(np.array([0.0])), 1.0, 1.0)
    with pytest.raises(NumericsError, match="lacks a cell"):
        evaluate(known, MidRad(np.array([5.0])), 1.0, 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_arguments_too_large_for_a_table_are_refused(bad: float) -> None:
    with pytest.raises(NumericsError, match="too large"):
        cells_of(np.array([bad]), 6)
