"""Midpoint-radius matrices against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from numerics.errors import NumericsError
from numerics.midrad import BLOCK, MidRad, Scalar, added, column_norms, exact, hadamard, product, scaled, square_root, subtracted

U = 2.0**-53
ENTRIES = st.floats(-(2.0**30), 2.0**30) | st.sampled_from([0.0, 1.0, 2.0**-1074, 2.0**-600, -(2.0**-540), 1e-300, 1 / 3])
RADII = st.floats(0.0, 2.0**10) | st.sampled_from([0.0, 0.0, 2.0**-1074, 1e-17])


def pairs(rows: int, columns: int) -> st.SearchStrategy[MidRad]:
    shape = (rows, columns)
    return st.builds(MidRad, arrays(np.float64, shape, elements=ENTRIES), st.none() | arrays(np.float64, shape, elements=RADII))


def corners(a: MidRad) -> list[list[tuple[Fraction, Fraction]]]:
    """For every entry the least and the largest number that it may stand for."""
    return [
        [(Fraction(m) - Fraction(r), Fraction(m) + Fraction(r)) for m, r in zip(row, radii, strict=True)]
        for row, radii in zip(a.mid.tolist(), a.radius.tolist(), strict=True)
    ]


def contains(result: MidRad, i: int, j: int, low: Fraction, high: Fraction) -> bool:
    mid, rad = Fraction(float(result.mid[i, j])), Fraction(float(result.radius[i, j]))
    return mid - rad <= low and high <= mid + rad


def times(x: tuple[Fraction, Fraction], y: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
    every = [a * b for a in x for b in y]
    return min(every), max(every)


@given(pairs(2, 3), pairs(3, 2))
def test_a_product_contains_every_product(a: MidRad, b: MidRad) -> None:
    found, left, right = product(a, b), corners(a), corners(b)
    for i in range(2):
        for j in range(2):
            terms = [times(left[i][k], right[k][j]) for k in range(3)]
            assert contains(found, i, j, sum((t[0] for t in terms), Fraction(0)), sum((t[1] for t in terms), Fraction(0)))


@given(pairs(2, 2), pairs(2, 2), st.floats(-(2.0**40), 2.0**40), st.sampled_from([0.0, 2 * U, 1e-3]))
def test_entrywise_operations_contain_every_result(a: MidRad, b: MidRad, factor: float, relative: float) -> None:
    left, right = corners(a), corners(b)
    spread = Fraction(relative) * abs(Fraction(factor))
    span = (Fraction(factor) - spread, Fraction(factor) + spread)
    for i in range(2):
        for j in range(2):
            x, y = left[i][j], right[i][j]
            assert contains(hadamard(a, b), i, j, *times(x, y))
            assert contains(added(a, b), i, j, x[0] + y[0], x[1] + y[1])
            assert contains(subtracted(a, b), i, j, x[0] - y[1], x[1] - y[0])
            assert contains(scaled(a, Scalar(factor, relative)), i, j, *times(x, span))


@given(pairs(4, 2))
def test_column_norms_are_above(a: MidRad) -> None:
    for j, norm in enumerate(column_norms(a).tolist()):
        largest = sum(max(abs(x) for x in row[j]) ** 2 for row in corners(a))
        assert Fraction(norm) ** 2 >= largest


@given(st.lists(st.floats(0.0, 1e300), min_size=1, max_size=5))
def test_roots_are_enclosed(values: list[float]) -> None:
    found = square_root(np.array(values))
    for value, mid, rad in zip(values, found.mid.tolist(), found.radius.tolist(), strict=True):
        low, high = max(Fraction(mid) - Fraction(rad), Fraction(0)), Fraction(mid) + Fraction(rad)
        assert low**2 <= Fraction(value) <= high**2


def test_long_products_are_summed_in_blocks_and_stay_tight() -> None:
    """The radius is that of a block's roundings plus one for each block, not of the whole length."""
    rng = np.random.default_rng(0)
    length = 40 * BLOCK + 3
    a, b = rng.standard_normal((2, length)), rng.standard_normal((length, 2))
    found = product(MidRad(a), MidRad(b))
    truth = [
        [sum(Fraction(x) * Fraction(y) for x, y in zip(row, column, strict=True)) for column in b.T.tolist()] for row in a.tolist()
    ]
    size = np.abs(a) @ np.abs(b)
    for i in range(2):
        for j in range(2):
            assert contains(found, i, j, truth[i][j], truth[i][j])
    assert (found.radius <= 1.01 * (BLOCK + 41 + 2) * U * size).all()


@pytest.mark.parametrize("bad", [np.inf, np.nan, 2.0**101])
def test_what_cannot_be_bounded_is_refused(bad: float) -> None:
    with pytest.raises(NumericsError, match=r"2\^100"):
        exact(np.array([1.0, bad]))
    with pytest.raises(NumericsError, match=r"2\^100"):
        scaled(exact(np.ones((1, 1))), Scalar(bad))


def test_a_large_left_factor_is_refused_where_underflow_would_be_magnified() -> None:
    """fl(gamma |b|) is 0 for b = 2^-1040; times 2^960 the lost part would be far above TINY."""
    with pytest.raises(NumericsError, match=r"2\^100"):
        product(MidRad(np.array([[2.0**960]])), MidRad(np.array([[1.1 * 2.0**-1040]])))


def test_what_is_not_finite_stays_not_finite() -> None:
    wild = MidRad(np.ones((1, 1)), np.full((1, 1), np.inf))
    with np.errstate(invalid="ignore"):
        for found in (product(wild, wild), added(wild, wild), hadamard(wild, wild)):
            assert not np.isfinite(found.radius).any()
