"""The largest eigenvalue of nonnegative symmetric matrices, against closed forms and exact root counts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import (
    BALL,
    FLOAT,
    INTERVAL,
    SYMBOLIC,
    LargestEigenvalue,
    as_ball,
    ball,
    ball_from_float_with_error,
    exactly,
    lower,
    upper,
)
from theorems.errors import InputError

ORACLE_ERROR = Fraction(1, 10**55)  # of values that SymPy gives to 60 digits


def _relative_width(result) -> Fraction:
    return (upper(result) - lower(result)) / upper(result)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.data())
def test_largest_eigenvalue_against_the_characteristic_polynomial(size, data):
    entries = data.draw(st.lists(st.integers(0, 9), min_size=size * size, max_size=size * size))
    matrix = np.array(entries).reshape(size, size)
    matrix = np.triu(matrix) + np.triu(matrix, 1).T
    result = BALL.largest_eigenvalue(matrix)
    low, high = (sympy.Rational(end.numerator, end.denominator) for end in (lower(result), upper(result)))
    polynomial = sympy.Matrix(matrix.tolist()).charpoly().as_poly()
    # Sturm sequences count real roots exactly: one within the enclosure, none above it.
    assert polynomial.count_roots(low, high) >= 1
    assert polynomial.count_roots(high, None) == (1 if polynomial.eval(high) == 0 else 0)
    assert high == 0 or (high - low) / high < sympy.Rational(1, 2**50)
    assert abs(FLOAT.largest_eigenvalue(matrix) - float(high)) <= 1e-13 * max(1.0, float(high))  # LAPACK: size * eps * norm


def test_largest_eigenvalue_in_closed_form():
    v = np.array([Fraction(1, 3), Fraction(0), Fraction(2), Fraction(5, 7)], dtype=object)
    rank_one = BALL.largest_eigenvalue(np.outer(v, v))
    assert lower(rank_one) <= sum(v * v) <= upper(rank_one)
    assert _relative_width(rank_one) < Fraction(1, 2**50)
    for size in (2, 3, 10, 40):  # the path: 2 cos(pi/(size + 1))
        path = np.eye(size, k=1) + np.eye(size, k=-1)
        cosine = sympy.cos(sympy.pi / (size + 1)).evalf(60)
        wanted = 2 * Fraction(int(cosine._mpf_[1])) * Fraction(2) ** cosine._mpf_[2]
        result = BALL.largest_eigenvalue(path)
        assert lower(result) - ORACLE_ERROR <= wanted <= upper(result) + ORACLE_ERROR
        assert _relative_width(result) < Fraction(1, 2**50)


def test_largest_eigenvalue_of_reducible_and_degenerate_matrices():
    for matrix, wanted in [
        (np.zeros((3, 3)), 0),
        ([[0]], 0),
        ([[7]], 7),
        (np.eye(4), 1),
        (np.diag([1, 0, 3, 2]), 3),
        (np.kron(np.diag([1, 3]), np.ones((2, 2))), 6),  # two blocks
        (np.pad(np.ones((2, 2)), 1), 2),  # zero rows
        ([[1, 0], [0, 1 + 2**-50]], 1 + Fraction(1, 2**50)),  # a gap at the limit of doubles
    ]:
        result = BALL.largest_eigenvalue(matrix)
        assert lower(result) <= wanted <= upper(result)
        assert upper(result) - lower(result) <= Fraction(wanted) / 2**50


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e300])
def test_largest_eigenvalue_does_not_depend_on_the_scale(scale):
    result = BALL.largest_eigenvalue(np.array([[2.0, 1.0], [1.0, 2.0]]) * scale)
    exact = 3 * Fraction(scale)
    assert lower(result) <= exact <= upper(result)
    assert _relative_width(result) < Fraction(1, 2**50)


def test_weak_coupling_does_not_blow_up_the_bound():
    matrix = np.array([[1.0, 1e-30, 0.0], [1e-30, 0.5, 1e-200], [0.0, 1e-200, 0.0]])
    result = BALL.largest_eigenvalue(matrix)
    assert lower(result) >= 1 - Fraction(1, 2**50)
    assert upper(result) <= 1 + Fraction(1, 2**50)


def test_wide_entries_enclose_every_matrix_within():
    rng = np.random.default_rng(7)
    radius = 0.05
    for size in (2, 3, 6):
        middle = rng.uniform(0.1, 1, (size, size))
        middle = (middle + middle.T) / 2
        result = BALL.largest_eigenvalue(np.frompyfunc(ball_from_float_with_error, 2, 1)(middle, radius))
        for _ in range(20):
            change = rng.uniform(-radius, radius, (size, size)) * 0.999
            eigenvalue = np.linalg.eigvalsh(middle + (change + change.T) / 2)[-1]
            assert float(lower(result)) <= eigenvalue <= float(upper(result))
        # No wider than the perturbation allows, |change of lambda| <= |change of M| <= size * radius, up and down.
        assert upper(result) - lower(result) <= Fraction(2 * size * radius) * (1 + Fraction(1, 2**20))
    # A tiny uncertainty that couples two blocks changes little, although the leading eigenvector jumps.
    coupled = np.array([[as_ball(1), ball(0, exactly(1e-10))], [ball(0, exactly(1e-10)), as_ball(Fraction(1, 2))]])
    assert upper(BALL.largest_eigenvalue(coupled)) < 1 + Fraction(1, 2**49)
    around_zero = np.full((2, 2), ball(Fraction(-1, 10**9), Fraction(1, 10**9)))
    assert lower(BALL.largest_eigenvalue(around_zero)) <= 0 < upper(BALL.largest_eigenvalue(around_zero)) < Fraction(1, 10**8)


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([[1, 2, 3], [2, 1, 0]], "square"),
        ([1, 2], "square"),
        (np.zeros((0, 0)), "square"),
        ([[1, -1], [-1, 1]], "nonnegative"),
        ([[1, 2], [3, 1]], "symmetric"),
    ],
)
def test_largest_eigenvalue_refuses(matrix, reason):
    with pytest.raises(InputError, match=reason):
        BALL.largest_eigenvalue(matrix)
    if reason == "square":
        for other in (FLOAT, SYMBOLIC):
            with pytest.raises(InputError, match=reason):
                other.largest_eigenvalue(matrix)


def test_largest_eigenvalue_of_what_is_not_known():
    unknown = np.array([[BALL.log(0), as_ball(1)], [as_ball(1), as_ball(1)]], dtype=object)
    assert not BALL.largest_eigenvalue(unknown).is_finite()
    assert np.isnan(FLOAT.largest_eigenvalue([[np.nan, 1], [1, 1]]))
    with pytest.raises(InputError, match="balls"):
        INTERVAL.largest_eigenvalue(np.eye(2))


def test_symbolic_largest_eigenvalue():
    a, b, d = sympy.symbols("a b d", nonnegative=True)
    assert SYMBOLIC.largest_eigenvalue([[a]]) == a
    two = SYMBOLIC.largest_eigenvalue([[a, b], [b, d]])
    assert sympy.expand((two - a) * (two - d) - b**2) == 0  # a root of the characteristic polynomial
    assert two.subs({a: 2, b: 1, d: 2}) == 3
    path = SYMBOLIC.largest_eigenvalue([[0, a, 0], [a, 0, a], [0, a, 0]])
    assert isinstance(path, LargestEigenvalue)
    assert path.is_nonnegative
    assert path.subs(a, 1).evalf(80) == sympy.sqrt(2).evalf(80)
    assert abs(path.subs(a, sympy.pi / 3).evalf(40) / sympy.pi - sympy.sqrt(2) / 3) < 1e-38
    assert path.evalf() == path  # entries that are no numbers leave it alone
    assert "lambda" in sympy.latex(path)
