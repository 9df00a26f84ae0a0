"""Enclosed smallest eigenvalue of a symmetric matrix of balls.

Let Q be the double eigenvectors of the midpoints, M = Q^T A Q and G = Q^T Q in balls. Every Rayleigh quotient bounds lambda_min(A)
from above. From below: H = M - c G is positive definite if its diagonal is positive and, with t_i = H_ii^{-1/2},

    sum_{j != i} |H_ij| t_i t_j < 1   for every i,

since D H D, D = diag(t), is then strictly diagonally dominant with unit diagonal (Gershgorin). H = Q^T (A - c I) Q is positive
definite only if Q is invertible and A - c I is positive definite. The scaling makes what the doubles' rounding costs quadratic:
about (n u |A|)^2/lambda_min.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from theorems.arithmetic import BITS, as_ball, lower, upper, working_precision
from theorems.errors import InputError
from theorems.exact import exactly

RETREATS = 40


def smallest_eigenvalue(matrix: Any) -> tuple[Fraction, Fraction] | None:
    """Bounds of lambda_min(A) for every symmetric A in ``matrix``, shape (n, n), balls or exact numbers; None if none are proved.

    Mirrored entries are one number. Raises InputError for another shape or entries that are not finite.
    """
    entries = np.asarray(matrix, dtype=object)
    if entries.ndim != 2 or entries.shape[0] != entries.shape[1] or entries.size == 0:
        raise InputError(f"matrix must be square with at least one row, got shape {entries.shape}")
    with working_precision(max(ctx.prec, BITS)):
        balls = [[as_ball(entries[max(i, j), min(i, j)]) for j in range(len(entries))] for i in range(len(entries))]
        if not all(x.is_finite() for row in balls for x in row):
            raise InputError("matrix must have finite entries")
        return _bounds(balls)


def _bounds(balls: list[list[Any]]) -> tuple[Fraction, Fraction] | None:
    size = len(balls)
    scale = max(float(abs(row[i]).mid()) for i, row in enumerate(balls))
    if size == 1:
        return lower(balls[0][0]), upper(balls[0][0])
    doubles = np.array([[float(x.mid()) for x in row] for row in balls])
    if not np.isfinite(doubles).all():
        return None
    vectors = np.linalg.eigh(doubles)[1]
    q = arb_mat([[as_ball(exactly(x)) for x in row] for row in vectors])
    transpose = q.transpose()
    product, gram = transpose * arb_mat(balls) * q, transpose * q
    quotients = [upper(product[i, i] / gram[i, i]) for i in range(size)]
    above = min(quotients)
    m = [[product[i, j] for j in range(size)] for i in range(size)]
    g = [[gram[i, j] for j in range(size)] for i in range(size)]
    retreat = max(abs(above) / (1 << 48), exactly(scale) / (1 << 100), Fraction(1, 1 << 1000))
    for _ in range(RETREATS):
        if _definite(m, g, as_ball(above - retreat)):
            for _ in range(2):  # back to within a factor 2 of the least retreat that will do
                if not _definite(m, g, as_ball(above - retreat / 2)):
                    break
                retreat /= 2
            return above - retreat, above
        retreat *= 8
    return None


def _definite(m: list[list[Any]], g: list[list[Any]], shift: Any) -> bool:
    size = len(m)
    diagonal = [m[i][i] - shift * g[i][i] for i in range(size)]
    if not all(x > 0 for x in diagonal):
        return False
    # H is symmetric: each entry is looked at once and counts in two rows.
    scales = [x.rsqrt() for x in diagonal]
    sums = [arb(0)] * size
    for i in range(size):
        for j in range(i):
            term = abs(m[i][j] - shift * g[i][j]) * scales[i] * scales[j]
            sums[i], sums[j] = sums[i] + term, sums[j] + term
    return all(total < 1 for total in sums)
