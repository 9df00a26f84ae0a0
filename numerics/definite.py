"""Bounds of extreme eigenvalues that are proofs: a Cholesky factorization that runs to completion.

Let B be symmetric with float64 entries and let the factorization of B run to completion in float64 with a finite factor R. Then
R^T R = B + E with |E| <= g |R|^T |R|, g = gamma_{n+1}, in any order of the sums (Higham, Accuracy and Stability, Theorem 10.3;
eight spare roundings cover libraries that multiply by reciprocals). The columns of R satisfy |r_i|^2 = b_ii + e_ii <= b_ii/(1 - g),
so |E| <= g/(1 - g) (b_ii b_jj)^{1/2} entrywise and |E|_2 <= g/(1 - g) trace B. As R^T R is positive semidefinite,

    lambda_min(B) >= -(g/(1 - g) trace B + underflow),

an underflowing product or quotient costing at most eta (1 + max r_ii) an operation (Rump, Verification of positive
definiteness, BIT 46, 2006, where the bound is sharpened and underflow treated). Forming B = fl(A - c I) costs u |b_ii| on the
diagonal, and a matrix within entrywise radii of A has eigenvalues within the largest row sum of the radii (Weyl).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf

from numerics.blas import single_threaded_blas
from numerics.errors import NumericsError
from numerics.midrad import INFLATION, MidRad
from numerics.roundoff import SMALLEST_POSITIVE, UNIT_ROUNDOFF, gamma

Array = NDArray[np.float64]

ATTEMPTS = 60
REFINEMENTS = 12
WANTED = 0.01  # of the eigenvalue: a bound that close is not refined


def semidefinite_up_to(symmetric: Array) -> float | None:
    """An e >= 0 with symmetric + e I positive semidefinite, proved by a factorization; None where it breaks down.

    symmetric: (n, n); the matrix meant is the one of the lower triangle. Never accepts a factor that is not finite.
    """
    size = len(symmetric)
    factor, failed_at = dpotrf(np.array(symmetric, order="F"), lower=1, overwrite_a=1, clean=1)
    if failed_at != 0 or not np.isfinite(factor).all() or not (np.diagonal(factor) > 0.0).all():
        return None
    relative = gamma(size + 9)
    trace = float(np.diagonal(symmetric).sum())
    underflow = size**2 * (size + 1.0 + float(np.diagonal(factor).max())) * SMALLEST_POSITIVE
    error = (relative / (1.0 - relative) * trace + underflow) * INFLATION
    return error if error < np.inf else None


def spread(radii: Array) -> float:
    """A bound of the 2-norm of every symmetric matrix whose lower triangle is within the radii of zero: the largest row sum."""
    low = np.tril(radii)
    rows = low.sum(axis=1) + np.tril(radii, -1).sum(axis=0)
    return float(rows.max()) * INFLATION


def smallest_eigenvalue_above(symmetric: MidRad) -> float:
    """A number c with lambda_min(A) >= c for every symmetric A within the radii; -inf where nothing can be proved.

    (n, n). The shift starts below the float64 eigenvalue by twice the proof's own error, about gamma_n trace(A - c I), and is
    lowered until a factorization succeeds; where the first does not, it is bisected back until it is within 1 % of the eigenvalue.
    So the bound is within 1 % of lambda_min, or about three times that error and the radii below it.
    """
    return _above(symmetric.mid, spread(symmetric.radius))


def largest_eigenvalue_below(symmetric: MidRad) -> float:
    """A number c with lambda_max(A) <= c for every symmetric A within the radii; inf where nothing can be proved."""
    return -_above(-symmetric.mid, spread(symmetric.radius))


def _above(mid: Array, radius: float) -> float:
    if not (np.isfinite(mid).all() and radius < np.inf):
        return -np.inf
    size, diagonal = len(mid), np.diagonal(mid).copy()
    with single_threaded_blas():
        estimate = float(scipy.linalg.eigvalsh(mid, subset_by_index=[0, 0], check_finite=False)[0])
        scale = float(np.abs(diagonal).max()) + abs(estimate)
        retreat, refused = 2.0 * gamma(size + 9) * (float(np.abs(diagonal - estimate).sum()) + scale), 0.0
        for _ in range(ATTEMPTS):
            found = _proved(mid, diagonal, estimate - retreat, radius)
            if found is not None:
                break
            retreat, refused = 4.0 * retreat + SMALLEST_POSITIVE, retreat
        else:
            raise NumericsError(f"no shift makes the matrix of size {size} positive definite: its entries are too large")
        for _ in range(REFINEMENTS):
            if refused == 0.0 or retreat - refused <= WANTED * abs(estimate):
                break
            middle = (retreat + refused) / 2.0
            better = _proved(mid, diagonal, estimate - middle, radius)
            if better is None:
                refused = middle
            else:
                retreat, found = middle, max(found, better)
        return found


def _proved(mid: Array, diagonal: Array, shift: float, radius: float) -> float | None:
    """What a factorization of A - shift I proves about lambda_min, or None where it breaks down."""
    shifted = mid.copy()
    np.fill_diagonal(shifted, diagonal - shift)
    error = semidefinite_up_to(shifted)
    if error is None:
        return None
    rounding = UNIT_ROUNDOFF * (1.0 + 2.0 * UNIT_ROUNDOFF) * float(np.abs(diagonal - shift).max())
    cost = (error + rounding + radius) * INFLATION
    return float(np.nextafter(shift - cost, -np.inf))
