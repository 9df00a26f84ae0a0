"""Enclosed smallest eigenvalues against spectra known in closed form and against mpmath."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import BALL, ball
from theorems.errors import InputError
from theorems.smallest_eigenvalue import smallest_eigenvalue

ORACLE = mpmath.MPContext()
ORACLE.dps = 60


def smallest(rows: list[list[Fraction]]) -> Fraction:
    matrix = ORACLE.matrix([[ORACLE.mpf(x.numerator) / x.denominator for x in row] for row in rows])
    return Fraction(int(ORACLE.floor(min(ORACLE.eigsy(matrix, eigvals_only=True)) * 10**50)), 10**50)


def test_path_graph() -> None:
    """Tridiagonal (-1, 2, -1) of size n has smallest eigenvalue 2 - 2 cos(pi/(n+1))."""
    n = 30
    low, high = smallest_eigenvalue(2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)) or (0, 0)
    exact = 2 - 2 * math.cos(math.pi / (n + 1))
    assert low - Fraction(1, 10**15) <= exact <= high + Fraction(1, 10**15)
    assert 0 < high - low <= Fraction(1, 10**13) * high


@pytest.mark.parametrize("size", [2, 4, 7])
def test_hilbert(size: int) -> None:
    rows = [[Fraction(1, i + j + 1) for j in range(size)] for i in range(size)]
    low, high = smallest_eigenvalue(np.array(rows, dtype=object)) or (0, 0)
    exact = smallest(rows)
    assert low <= exact + Fraction(1, 10**49)
    assert exact <= high
    assert high - low <= Fraction(1, 10**9) * high


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_low_rank_and_indefinite(size: int, rank: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    factor = generator.integers(-4, 5, (size, rank))
    rows = [[Fraction(int(x)) for x in row] for row in factor @ factor.T - seed % 2 * np.diag(np.arange(size))]
    low, high = smallest_eigenvalue(np.array(rows, dtype=object)) or (0, 0)
    exact, slack = smallest(rows), Fraction(1, 10**45)
    assert low <= exact + slack
    assert exact <= high + slack
    assert high - low <= Fraction(1, 10**9)


def test_every_matrix_within_the_balls_is_covered() -> None:
    generator = np.random.default_rng(1)
    mid = generator.standard_normal((6, 9))
    mid = mid @ mid.T
    radius = Fraction(1, 10**3)
    balls = np.array([[ball(Fraction(x) - radius, Fraction(x) + radius) for x in row] for row in mid], dtype=object)
    low, high = smallest_eigenvalue(balls) or (0, 0)
    for _ in range(50):
        noise = generator.uniform(-1e-3, 1e-3, mid.shape)
        value = np.linalg.eigvalsh(mid + (noise + noise.T) / 2)[0]
        assert low <= value <= high
    assert high - low <= 20 * radius  # Weyl would give 2 * 6 * radius


def test_one_entry_and_zero() -> None:
    assert smallest_eigenvalue([[Fraction(3, 4)]]) == (Fraction(3, 4), Fraction(3, 4))
    low, high = smallest_eigenvalue(np.zeros((3, 3))) or (1, 1)
    assert low <= 0 <= high
    assert high - low < Fraction(1, 10**25)


@pytest.mark.parametrize("matrix", [[[1, 2]], np.zeros((0, 0)), [1.0], [[BALL.constant(Fraction(1)) / 0]]])
def test_refused(matrix: Any) -> None:
    with pytest.raises(InputError):
        smallest_eigenvalue(matrix)
