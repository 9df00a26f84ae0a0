"""Operator norms and eigenvalues, as numbers that are still bounds after rounding.

A certificate may not rest on a "spectral norm" that is slightly too small, and a fast iteration gives exactly that.
So an iteration only *proposes* an upper bound c of the largest eigenvalue of a symmetric A; it counts when a Cholesky
factorization of c I - A runs to completion in floating point, which proves positive semidefiniteness up to an
explicit rounding term (Rump, Verification of positive definiteness, BIT 46, 2006). Otherwise c grows. All products
run on one BLAS thread, so that the bits do not depend on the number of threads, and tall or wide matrices are summed
in panels of fixed size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from numerics.blas import single_threaded_blas
from numerics.definite import semidefinite_up_to
from numerics.errors import NumericsError
from numerics.roundoff import SMALLEST_POSITIVE, UNIT_ROUNDOFF, gamma, summation_depth

Array = NDArray[np.float64]

PANEL_ROWS = 4096  # matrices are summed in panels of at most this many rows
DIRECT_DIMENSION = 128  # up to here all eigenvalues cost no more than an iteration for the largest one
LANCZOS_STEPS = 240
LANCZOS_CHECK = 12  # steps between two looks at convergence
LANCZOS_TOLERANCE = 1e-8  # on the residual; the eigenvalue is then accurate to its square over the gap

# eigvalsh is backward stable: what it returns are the exact eigenvalues of A + E with |E| <= p(n) u |A|, and by Weyl
# each is then off by at most |E|. The LAPACK Users' Guide (3rd ed., section 4.7, "Error Bounds for the Symmetric
# Eigenproblem") calls p(n) a "modestly growing function of n" and sets p = 1 in its own code fragments; p(n) = 4 n is
# far above every error found against high precision in the tests.
EIGENVALUE_CONSTANT = 4.0


class SpectralNorm(NamedTuple):
    """lower <= |A|_2 <= upper, and the Frobenius norm (an upper bound as well)."""

    lower: float
    upper: float
    frobenius: float


class LargestEigenvalue(NamedTuple):
    """An estimate of lambda_max and a verified upper bound of it."""

    estimate: float
    upper: float


def gram(matrix: Array) -> Array:
    """A^T A or A A^T, whichever is smaller, summed over panels along the longer side; (s, s), s the shorter side."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    total = np.zeros((tall.shape[1], tall.shape[1]))
    for begin in range(0, tall.shape[0], PANEL_ROWS):
        panel = tall[begin : begin + PANEL_ROWS]
        total += panel.T @ panel  # numpy recognizes the transpose and calls syrk: half the work, exactly symmetric
    return total


def spectral_norm(matrix: Array) -> SpectralNorm:
    """Bounds of the operator norm of a real matrix of any shape (m, n), and of its Frobenius norm.

    The computed Gram matrix differs from the exact one by at most gamma_d |A|^T |A| entrywise (d the depth of the
    summation), in operator norm by at most gamma_d trace; a product that underflows adds at most SMALLEST_POSITIVE
    each time. Raises NumericsError for entries that are not finite.
    """
    if not np.any(matrix[:1]) and not np.any(matrix):  # first row alone first: the second pass is rarely needed
        return SpectralNorm(0.0, 0.0, 0.0)
    longer, shorter = max(matrix.shape), min(matrix.shape)
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):  # refused by largest_eigenvalue
        product = gram(matrix)
        trace = float(np.trace(product)) * (1.0 + gamma(shorter))
        underflow = shorter * longer * SMALLEST_POSITIVE
        error = gamma(summation_depth(longer, PANEL_ROWS)) * trace * (1.0 + 2.0**-10) + underflow
        largest = largest_eigenvalue(product)
    slack = error + EIGENVALUE_CONSTANT * shorter * UNIT_ROUNDOFF * abs(largest.estimate)
    outward = 1.0 + 4.0 * UNIT_ROUNDOFF
    return SpectralNorm(
        lower=math.sqrt(max(largest.estimate - slack, 0.0)) / outward,
        upper=math.sqrt(largest.upper + error) * outward,
        frobenius=math.sqrt(trace + error) * outward,
    )


def largest_eigenvalue(symmetric: Array) -> LargestEigenvalue:
    """lambda_max of a symmetric matrix, (n, n): an estimate, and an upper bound verified by a Cholesky factorization.

    If B = c I - A plus e I is proved positive semidefinite (``numerics.definite``), then lambda_max(A) <= c + e + what forming
    b_ii = c - a_ii costs, u |b_ii|. The negative of the bound of -A is a verified *lower* bound of lambda_min. Raises
    NumericsError for entries that are not finite.
    """
    if symmetric.ndim != 2 or symmetric.shape[0] != symmetric.shape[1] or symmetric.shape[0] == 0:
        raise NumericsError(f"a symmetric matrix must be square and not empty, got shape {symmetric.shape}")
    if not np.isfinite(symmetric).all():
        raise NumericsError("a matrix whose largest eigenvalue is wanted has entries that are not finite")
    size = symmetric.shape[0]
    with single_threaded_blas():
        if size <= DIRECT_DIMENSION:
            estimate = float(scipy.linalg.eigvalsh(symmetric, check_finite=False)[-1])
        else:
            estimate = _lanczos(symmetric)
        return LargestEigenvalue(estimate, _verified_upper_bound(symmetric, estimate))


def _verified_upper_bound(symmetric: Array, estimate: float) -> float:
    size = symmetric.shape[0]
    scale = max(abs(estimate), float(np.abs(symmetric).max()))
    if scale == 0.0:
        return 0.0
    excess = 4.0 * size * UNIT_ROUNDOFF * scale + SMALLEST_POSITIVE
    for _ in range(60):  # ends far earlier: c = n max|a_ij| always dominates, after at most 13 sixteenfold steps
        candidate = estimate + excess
        shifted = -symmetric
        diagonal = candidate - np.diagonal(symmetric)
        np.fill_diagonal(shifted, diagonal)
        error = semidefinite_up_to(shifted)
        if error is not None:
            rounding = 4.0 * UNIT_ROUNDOFF * (float(np.abs(diagonal).max()) + abs(candidate))
            return float(candidate + error + rounding)
        excess *= 16.0
    raise NumericsError(f"no multiple of the identity dominates the matrix of size {size}: its entries are too large")


def _lanczos(symmetric: Array) -> float:
    """The largest Ritz value of a Krylov space with full reorthogonalization, from a fixed start.

    Written out rather than ARPACK's because that one draws random vectors when the space becomes invariant, as it
    does for low rank, and then its bits depend on earlier calls. A value too small is harmless: the caller verifies.
    """
    size = symmetric.shape[0]
    steps = min(size, LANCZOS_STEPS)
    basis = np.empty((steps, size))
    diagonal, off_diagonal = np.zeros(steps), np.zeros(steps)
    vector = np.asarray(np.random.default_rng(0).standard_normal(size), dtype=np.float64)
    vector = vector / _length(vector)
    ritz = 0.0
    for step in range(steps):
        basis[step] = vector
        image = symmetric @ vector
        diagonal[step] = vector @ image
        for _ in range(2):  # twice is enough (Parlett, The Symmetric Eigenvalue Problem, section 6.9)
            image -= basis[: step + 1].T @ (basis[: step + 1] @ image)
        length = _length(image)
        off_diagonal[step] = length
        invariant = length <= size * UNIT_ROUNDOFF * max(abs(ritz), abs(diagonal[0]))
        if invariant or step == steps - 1 or step % LANCZOS_CHECK == LANCZOS_CHECK - 1:
            values, vectors = scipy.linalg.eigh_tridiagonal(diagonal[: step + 1], off_diagonal[:step], check_finite=False)
            ritz = float(values[-1])
            if invariant or length * abs(vectors[-1, -1]) <= LANCZOS_TOLERANCE * abs(ritz):
                break
        vector = image / length
    return ritz


def _length(vector: Array) -> float:
    return math.sqrt(float(vector @ vector))


def symmetric_eigenvalues(symmetric: Array) -> tuple[Array, float]:
    """All eigenvalues of a symmetric matrix, ascending, shape (n,), and a bound of the absolute error of each.

    The error is EIGENVALUE_CONSTANT n u |A|, from backward stability (see the constant). Only the lower triangle is
    read. Raises NumericsError for entries that are not finite.
    """
    if not np.isfinite(symmetric).all():
        raise NumericsError("a matrix whose eigenvalues are wanted has entries that are not finite")
    with single_threaded_blas():
        values = np.asarray(scipy.linalg.eigvalsh(symmetric, check_finite=False), dtype=np.float64)
    magnitude = max(abs(float(values[0])), abs(float(values[-1])))
    return values, EIGENVALUE_CONSTANT * symmetric.shape[0] * UNIT_ROUNDOFF * magnitude
