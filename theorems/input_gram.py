"""What an infinitely wide network needs to know about its inputs: inner products, and exactly which points are tied.

Float64 inputs are integers over a power of two, so inner products, squared distances and the Gram determinants |x|^2|x'|^2 -
(x.x')^2 are exact: two points are collinear, equal or opposite when they are, not when a rounded correlation says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq, fmpz_mat

from theorems.arithmetic import BITS, BallArithmetic, FloatArithmetic, working_precision
from theorems.errors import InputError
from theorems.exact import exactly


@dataclass(frozen=True)
class InputGram:
    """n points of R^d by their geometry.

    inner: (n, n), x_i.x_j. distance: (n, n), |x_i - x_j|^2. area: (n, n), |x_i|^2 |x_j|^2 - (x_i.x_j)^2. Entries are exact
    rationals, or balls (exact where they decide a tie). rank: the dimension of the span of the points with these indices.
    """

    dimension: int
    inner: Any
    distance: Any
    area: Any
    rank: Callable[[Sequence[int]], int]

    @property
    def points(self) -> int:
        """The number n of points."""
        return len(self.inner)


def gram_of(inputs: Any) -> InputGram:
    """The geometry of points given as rows, shape (n, d), of exact numbers: float64, int or Fraction entries.

    Raises InputError when the shape is wrong, there is no point or no feature, or an entry is not a finite exact number.
    """
    array = np.asarray(inputs)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"inputs must have shape (n, d) with n, d >= 1, got shape {array.shape}")
    exact = [[exactly(x) for x in row] for row in array]
    common = _common_denominator(exact)
    rows = [[int(x * common) for x in row] for row in exact]
    matrix = fmpz_mat(rows)
    product = matrix * matrix.transpose()
    n, scale = len(rows), common * common
    g = [[int(product[i, j]) for j in range(n)] for i in range(n)]

    def table(entry: Callable[[int, int], int], denominator: int) -> Any:
        values = np.empty((n, n), dtype=object)
        for i in range(n):
            for j in range(i + 1):
                values[i, j] = values[j, i] = Fraction(entry(i, j), denominator)
        return values

    return InputGram(
        array.shape[1],
        table(lambda i, j: g[i][j], scale),
        table(lambda i, j: g[i][i] + g[j][j] - 2 * g[i][j], scale),
        table(lambda i, j: g[i][i] * g[j][j] - g[i][j] ** 2, scale * scale),
        lambda indices: int(fmpz_mat([rows[i] for i in indices]).rank()) if len(indices) else 0,
    )


def circle(points: int) -> InputGram:
    """The geometry of ``points`` equispaced points on the unit circle of R^2, exactly so: no doubles are these points."""
    if isinstance(points, bool) or not isinstance(points, int) or points < 1:
        raise InputError(f"points must be a positive integer, got {points!r} ({type(points).__name__})")
    inner, distance, area = (np.empty((points, points), dtype=object) for _ in range(3))
    with working_precision(2 * BITS):
        for i in range(points):
            for j in range(points):
                turn, half = fmpq(2 * (i - j), points), fmpq(i - j, points)
                inner[i, j] = arb.cos_pi_fmpq(turn)
                distance[i, j] = 4 * arb.sin_pi_fmpq(half) * arb.sin_pi_fmpq(half)
                area[i, j] = arb.sin_pi_fmpq(turn) * arb.sin_pi_fmpq(turn)

    def rank(indices: Sequence[int]) -> int:
        lines = {2 * i % points for i in indices}  # i and i + n/2 are on one line
        return min(2, len(lines))

    return InputGram(2, inner, distance, area, rank)


def is_zero(x: Any) -> bool:
    """Whether a rational or a ball is exactly zero."""
    return bool(x.is_zero()) if isinstance(x, arb) else x == 0


def as_numbers(values: Any, arithmetic: Any) -> Any:
    """Rationals and balls in balls or doubles."""
    if isinstance(arithmetic, BallArithmetic):
        return arithmetic.numbers(np.asarray(values, dtype=object))
    if not isinstance(arithmetic, FloatArithmetic):
        raise InputError(f"kernels are computed in balls or in doubles, got {arithmetic!r}")
    convert = np.frompyfunc(lambda x: float(x.mid()) if isinstance(x, arb) else arithmetic.constant(x), 1, 1)
    return convert(np.asarray(values, dtype=object)).astype(np.float64)


def _common_denominator(rows: list[list[Fraction]]) -> int:
    return int(np.lcm.reduce(np.array([x.denominator for row in rows for x in row], dtype=object)))
