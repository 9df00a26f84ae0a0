"""Moments from cumulants and back, and the quadratic forms whose moments are known through them.

With moments m_r = E Y^r and cumulants k_r of a random variable Y: m_j = sum_{r=1}^{j} C(j-1, r-1) k_r m_{j-r}, m_0 = 1. Only sums
and products occur, so entries may be of any commutative ring: rational numbers, polynomials, rational functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import sympy
from flint import fmpq, fmpq_mat

from theorems.errors import InputError

MAX_SYMBOLIC_INDEX = 16
"""The largest j for E|x|^{2j} with symbols in the moments of a coordinate: some seconds, and growing fast."""


def moments_from_cumulants(cumulants: Sequence[Any], one: Any) -> list[Any]:
    """Return [m_0, ..., m_J] for cumulants [k_1, ..., k_J]; ``one``, the 1 of their ring."""
    moments = [one]
    for j in range(1, len(cumulants) + 1):
        terms = (math.comb(j - 1, r - 1) * (cumulants[r - 1] * moments[j - r]) for r in range(1, j + 1))
        moments.append(sum(terms, start=0 * one))
    return moments


def cumulants_from_moments(moments: Sequence[Any]) -> list[Any]:
    """Return [k_1, ..., k_J] for moments [m_0 = 1, m_1, ..., m_J]: the recursion solved for k_j."""
    cumulants: list[Any] = []
    for j in range(1, len(moments)):
        known = (math.comb(j - 1, r - 1) * (cumulants[r - 1] * moments[j - r]) for r in range(1, j))
        cumulants.append(moments[j] - sum(known, start=0 * moments[0]))
    return cumulants


def gaussian_form_parts(spread: fmpq_mat, mean: fmpq_mat, count: int) -> list[tuple[fmpq, fmpq]]:
    """Return (tr S^r, mu^T S^{r-1} mu) for r = 1, ..., count; ``spread``, S, p x p; ``mean``, mu, a column."""
    parts = []
    power, moved = spread, mean
    for r in range(1, count + 1):
        trace = sum((power[i, i] for i in range(power.nrows())), start=fmpq(0))
        parts.append((trace, (mean.transpose() * moved)[0, 0]))
        if r < count:
            power, moved = power * spread, spread * moved
    return parts


def gaussian_form_cumulants(parts: Sequence[tuple[Any, Any]], scale: Any = 1) -> list[Any]:
    """Return the cumulants k_1, ..., k_J of |z|^2, z ~ N(mu, t S): k_r = 2^{r-1} (r-1)! (t^r tr S^r + r t^{r-1} mu^T S^{r-1} mu).

    Arguments: ``parts``, the pairs (tr S^r, mu^T S^{r-1} mu), of any ring; ``scale``, t. (The cumulant generating function of
    |z|^2 is -(1/2) ln det(1 - 2 u t S) + u mu^T (1 - 2 u t S)^{-1} mu: expand in u.)
    """
    return [
        2 ** (r - 1) * math.factorial(r - 1) * (scale**r * trace + r * (scale ** (r - 1) * form))
        for r, (trace, form) in enumerate(parts, 1)
    ]


def gaussian_norm_moment(dimension: sympy.Expr, j: int) -> sympy.Expr:
    """Return E|g|^{2j} = d (d+2) ... (d+2j-2) for a standard normal g of R^d."""
    return sympy.Mul(*(dimension + 2 * i for i in range(j)))


def independent_norm_moment(coordinate: Callable[[int], sympy.Expr], dimension: sympy.Expr, j: int) -> sympy.Expr:
    """Return E|x|^{2j} for x with d independent coordinates of one law, E x_1^{2k} = ``coordinate(k)``.

    |x|^2 is a sum of d independent copies of x_1^2, so its cumulants are d times those of x_1^2. The moments of the coordinate and
    d are rational functions of symbols with rational coefficients; the result is factored.

    Raises InputError for j above ``MAX_SYMBOLIC_INDEX`` where moments of the coordinate hold symbols.
    """
    if j > MAX_SYMBOLIC_INDEX and coordinate(2).free_symbols:
        raise InputError(
            f"E|x|^{2 * j} with a symbol in the law of the coordinates is computed up to order {2 * MAX_SYMBOLIC_INDEX} only"
        )
    moments = [coordinate(k) for k in range(j + 1)]
    symbols = sorted(set().union(dimension.free_symbols, *(moment.free_symbols for moment in moments)), key=str)
    field = sympy.QQ.frac_field(*symbols) if symbols else sympy.QQ
    cumulants = cumulants_from_moments([field.from_sympy(moment) for moment in moments])
    d = field.from_sympy(dimension)
    total = moments_from_cumulants([d * cumulant for cumulant in cumulants], field.one)
    expression = field.to_sympy(total[j])
    return sympy.factor(expression) if symbols else expression
