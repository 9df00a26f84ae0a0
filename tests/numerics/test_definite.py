"""Bounds of extreme eigenvalues: never on the wrong side of the exact ones, and close to them."""

from __future__ import annotations

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numerics.definite import largest_eigenvalue_below, semidefinite_up_to, smallest_eigenvalue_above, spread
from numerics.midrad import MidRad

U = 2.0**-53


def is_positive_definite(matrix: np.ndarray, shift: float) -> bool:
    """Whether matrix - shift I is positive definite, by exact rational elimination."""
    size = len(matrix)
    rows = [[flint.fmpq(*float(x).as_integer_ratio()) for x in row] for row in matrix.tolist()]
    for i in range(size):
        rows[i][i] -= flint.fmpq(*float(shift).as_integer_ratio())
    for k in range(size):
        if rows[k][k] <= 0:
            return False
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return True


def gram(size: int, rank: int, decades: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((size, rank)) * 10.0 ** rng.uniform(-decades, 0, rank)
    matrix = factor @ factor.T
    return (matrix + matrix.T) / 2


@given(st.integers(1, 6), st.integers(1, 8), st.sampled_from([0.0, 1.0, 4.0, 8.0]), st.integers(0, 2**32 - 1))
def test_bounds_are_on_the_right_side_and_tight(size: int, rank: int, decades: float, seed: int) -> None:
    """Against exact elimination: A - c I is positive definite below the bound and stops being so within its stated error."""
    matrix = gram(size, rank, decades, seed)
    low, high = smallest_eigenvalue_above(MidRad(matrix)), largest_eigenvalue_below(MidRad(matrix))
    scale = float(np.abs(matrix).sum())
    # The retreat is at most 4 gamma (trace + ...) a round; the first or second succeeds.
    room = 40 * (size + 9) * U * scale
    assert is_positive_definite(matrix, np.nextafter(low, -np.inf))
    assert not is_positive_definite(matrix, low + room)
    assert is_positive_definite(-matrix, -np.nextafter(high, np.inf))
    assert not is_positive_definite(-matrix, -(high - room))


@given(st.integers(1, 5), st.floats(0.0, 1e-2), st.integers(0, 2**32 - 1))
def test_radii_are_charged(size: int, radius: float, seed: int) -> None:
    """Every symmetric matrix within the radii obeys the bounds; the corners that push eigenvalues outward are tried."""
    rng = np.random.default_rng(seed)
    matrix, radii = gram(size, size + 2, 1.0, seed), radius * rng.uniform(0, 1, (size, size))
    enclosed = MidRad(matrix, radii)
    low, high = smallest_eigenvalue_above(enclosed), largest_eigenvalue_below(enclosed)
    _, vectors = np.linalg.eigh(matrix)
    symmetric = np.tril(radii) + np.tril(radii, -1).T
    for vector in vectors.T:
        push = symmetric * np.sign(np.outer(vector, vector))
        values = [np.linalg.eigvalsh(matrix + sign * push) for sign in (1, -1)]
        noise = 100 * size * U * float(np.abs(matrix).sum())  # of eigvalsh
        assert low <= min(v[0] for v in values) + noise
        assert high >= max(v[-1] for v in values) - noise
    assert spread(radii) >= np.linalg.norm(symmetric, 2)


def test_indefinite_and_singular_matrices_are_not_called_definite() -> None:
    assert semidefinite_up_to(np.diag([1.0, -1e-30])) is None
    assert semidefinite_up_to(np.zeros((2, 2))) is None
    assert semidefinite_up_to(np.array([[1.0, 2.0], [2.0, 1.0]])) is None
    assert smallest_eigenvalue_above(MidRad(np.ones((3, 3)))) <= 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nothing_is_proved_about_what_is_not_finite(bad: float) -> None:
    matrix = np.eye(2)
    matrix[1, 0] = matrix[0, 1] = bad
    assert smallest_eigenvalue_above(MidRad(matrix)) == -np.inf
    assert largest_eigenvalue_below(MidRad(matrix)) == np.inf
    assert smallest_eigenvalue_above(MidRad(np.eye(2), np.full((2, 2), bad))) == -np.inf


def test_tiny_and_huge_matrices_keep_their_bounds() -> None:
    for scale in (2.0**-500, 2.0**90):
        matrix = scale * gram(4, 6, 2.0, 1)
        low, high = smallest_eigenvalue_above(MidRad(matrix)), largest_eigenvalue_below(MidRad(matrix))
        assert is_positive_definite(matrix, low)
        assert is_positive_definite(-matrix, -high)
        assert low > 0
