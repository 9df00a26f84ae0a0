"""Norms and eigenvalues against closed forms, scipy's singular values and high precision."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.linalg
import threadpoolctl

from numerics import norms
from numerics.errors import NumericsError
from numerics.norms import largest_eigenvalue, spectral_norm, symmetric_eigenvalues
from numerics.roundoff import gamma, summation_depth

U = 2.0**-53


def svd_error(matrix: np.ndarray) -> float:
    """Relative error granted to LAPACK's singular values: (m + n) u with the constant that norms grants eigenvalues."""
    return norms.EIGENVALUE_CONSTANT * sum(matrix.shape) * U


def width_of_enclosure(matrix: np.ndarray) -> float:
    """How wide, relative to |A|, the enclosure may be: Gram rounding + Cholesky proof + solver.

    A proof by Cholesky costs gamma_{s+8} trace(c I - G) <= gamma_{s+8} s |A|^2, and the first c lies 4 s u above the estimate.
    """
    short, long = min(matrix.shape), max(matrix.shape)
    return (summation_depth(long, norms.PANEL_ROWS) + 2 * short + 64) * short * U


SHAPES = [(1, 1), (1, 7), (7, 1), (3, 5), (64, 64), (200, 130), (130, 400), (5000, 3), (2, 9000), (300, 300)]


@pytest.mark.parametrize("shape", SHAPES)
def test_encloses_the_largest_singular_value(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).standard_normal(shape)
    reference = float(scipy.linalg.svdvals(matrix)[0])
    bounds = spectral_norm(matrix)
    assert bounds.lower <= reference * (1 + svd_error(matrix))
    assert bounds.upper >= reference * (1 - svd_error(matrix))
    assert bounds.upper - bounds.lower <= width_of_enclosure(matrix) * reference
    exact_squares = math.fsum(float(x) ** 2 for x in matrix.ravel())
    assert math.sqrt(exact_squares) <= bounds.frobenius * (1 + 4 * U)


@pytest.mark.parametrize("size", [1, 2, 16, 128, 256, 1024])
def test_hadamard_matrices_have_norm_root_of_their_size(size: int) -> None:
    matrix = scipy.linalg.hadamard(size).astype(float)
    bounds = spectral_norm(matrix)
    assert bounds.lower <= math.sqrt(size) * (1 + U)
    assert bounds.upper >= math.sqrt(size) * (1 - U)
    assert bounds.upper - bounds.lower <= width_of_enclosure(matrix) * math.sqrt(size)


@pytest.mark.parametrize("size", [5, 128, 129, 500])
def test_second_differences(size: int) -> None:
    matrix = scipy.linalg.toeplitz([2.0, -1.0] + [0.0] * (size - 2))
    exact = 2 + 2 * math.cos(math.pi / (size + 1))  # a clustered end of the spectrum: the gap is about 3 (pi/size)^2
    found = largest_eigenvalue(matrix)
    assert found.upper >= exact
    # Krylov spaces do not resolve 500 of these; c then grows sixteenfold from below the error of the estimate
    proof = (2 * size + 64) * size * 4 * U
    assert found.upper - exact <= 16 * abs(exact - found.estimate) + proof
    if size <= norms.LANCZOS_STEPS:
        assert abs(found.estimate - exact) <= norms.LANCZOS_TOLERANCE * exact


def test_negative_definite_and_low_rank() -> None:
    factor = np.random.default_rng(2).standard_normal((400, 3))
    gram = factor @ factor.T
    exact = float(scipy.linalg.svdvals(factor)[0]) ** 2
    assert largest_eigenvalue(gram).upper >= exact * (1 - svd_error(factor))
    shifted = gram - 2 * exact * np.eye(400)
    found = largest_eigenvalue(shifted)
    assert -exact * (1 + 1e-12) <= found.upper < 0  # 1e-12: well above 400 u = 4.4e-14
    # the negative of the bound of -A is a lower bound of lambda_min, here 0
    assert -largest_eigenvalue(-gram).upper <= 400 * 4 * U * exact


@pytest.mark.parametrize("factor", [0.0, 0.5, 1 - 1e-7, 1 - 1e-13])
@pytest.mark.parametrize("size", [40, 200])
def test_a_bound_stays_a_bound_when_the_iteration_is_wrong(size: int, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(3).standard_normal((size, size))
    gram = matrix @ matrix.T
    exact = float(scipy.linalg.svdvals(matrix)[0]) ** 2
    assert norms._verified_upper_bound(gram, factor * exact) >= exact * (1 - svd_error(matrix))


def test_scales_far_from_one() -> None:
    matrix = np.random.default_rng(4).standard_normal((20, 30))
    reference = float(scipy.linalg.svdvals(matrix)[0])
    for exponent in (-530, -300, 300, 500):  # 2^-530: squares underflow
        scaled = matrix * 2.0**exponent
        assert spectral_norm(scaled).upper >= reference * 2.0**exponent * (1 - svd_error(matrix))
    with pytest.raises(NumericsError, match="finite"):
        spectral_norm(matrix * 2.0**600)


def test_zero_and_invalid() -> None:
    assert spectral_norm(np.zeros((3, 5000))) == (0.0, 0.0, 0.0)
    assert largest_eigenvalue(np.zeros((300, 300))).upper == 0.0
    for bad in (np.nan, np.inf):
        matrix = np.eye(3)
        matrix[1, 2] = bad
        with pytest.raises(NumericsError, match="finite"):
            spectral_norm(matrix)
        with pytest.raises(NumericsError, match="finite"):
            largest_eigenvalue(matrix)
        with pytest.raises(NumericsError, match="finite"):
            symmetric_eigenvalues(matrix)
    with pytest.raises(NumericsError, match="square"):
        largest_eigenvalue(np.ones((2, 3)))


@pytest.mark.parametrize("size", [1, 4, 12, 24])
def test_eigenvalues_against_fifty_digits(size: int) -> None:
    matrix = np.random.default_rng(size).standard_normal((size, size))
    for symmetric in (matrix @ matrix.T, matrix + matrix.T, scipy.linalg.hilbert(size)):
        symmetric = (symmetric + symmetric.T) / 2
        values, error = symmetric_eigenvalues(symmetric)
        with mpmath.workdps(50):
            exact = mpmath.eigsy(mpmath.matrix(symmetric.tolist()), eigvals_only=True)
            assert max(abs(mpmath.mpf(float(v)) - e) for v, e in zip(values, sorted(exact), strict=True)) <= error
        assert error <= norms.EIGENVALUE_CONSTANT * size * U * np.abs(values).max()


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    matrix = np.random.default_rng(6).standard_normal((700, 600))
    results = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            results.append((spectral_norm(matrix), symmetric_eigenvalues(matrix[:500, :500] + matrix[:500, :500].T)))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1][0], results[1][1][0])


def test_gamma() -> None:
    assert gamma(3) == pytest.approx(3 * U, rel=8 * U)  # 3 u/(1 - 3 u) = 3 u (1 + 3 u + ...)
    assert gamma(2.0**53) == math.inf
    assert summation_depth(10, 4096) == 11
    assert summation_depth(10000, 4096) == 4096 + 3


@pytest.mark.parametrize("size", [1e-155, 1e-160])
def test_matrices_whose_gram_is_subnormal_have_a_norm_too(size: float) -> None:
    matrix = np.full((3, 3), size)
    found = spectral_norm(matrix)
    assert found.upper >= 3 * size
    # Nine products and a factorization of size 3 hide at most 64 eta by underflow, the root of which is 8 2^-537.
    assert found.upper <= 3 * size * (1 + 1e-12) + 16 * 2.0**-537
