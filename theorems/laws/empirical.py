"""The empirical measure of a data set."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import sympy

from theorems.errors import InputError
from theorems.laws.matrices import AffineMap, Row, column, from_flint, matrix, rational, to_flint, vector
from theorems.laws.record import Law

MAX_ENTRIES = 2_000_000
"""The largest number of entries of a data set whose moments are computed exactly; some ten seconds."""


def empirical(points: Any, weights: Any = None) -> Law:
    """Return the measure on the rows of a data set; E|x|^{2j} = sum_i nu_i |x_i|^{2j}, a rational number.

    Integers and doubles are exact rational numbers, and sums of their powers are computed as such.

    Arguments: ``points``, n x d numbers. ``weights``, n numbers >= 0 that are not all 0, divided by their exact sum to give nu;
    None: nu_i = 1/n.

    Raises InputError for anything else, and for more than 2 000 000 entries.
    """
    rows = matrix("points", points)
    if len(rows) * len(rows[0]) > MAX_ENTRIES:
        raise InputError(f"points must have at most {MAX_ENTRIES} entries, got {len(rows)} x {len(rows[0])}")
    if weights is None:
        return _measure(rows, None)
    amounts = vector("weights", weights)
    if len(amounts) != len(rows):
        raise InputError(f"weights must have one entry for each of the {len(rows)} points, got {len(amounts)}")
    for i, amount in enumerate(amounts):
        if amount < 0:
            raise InputError(f"weights must be at least 0, got {amount} at [{i}]")
    total = sum(amounts, start=Fraction(0))
    if total == 0:
        raise InputError("weights must not all be 0, got only zeros")
    return _measure(rows, tuple(amount / total for amount in amounts))


def _measure(rows: tuple[Row, ...], shares: Row | None) -> Law:
    # Over one denominator the squared norms are integers, and no sum needs a common divisor.
    denominator = math.lcm(*{entry.denominator for row in rows for entry in row})
    squares = [sum((entry.numerator * (denominator // entry.denominator)) ** 2 for entry in row) for row in rows]

    def formula(j: int) -> sympy.Expr:
        if shares is None:
            total = Fraction(sum(square**j for square in squares), len(rows))
        else:
            total = sum((share * square**j for share, square in zip(shares, squares, strict=True)), start=Fraction(0))
        return rational(total / denominator ** (2 * j))

    return Law(
        name="empirical",
        dimension=sympy.Integer(len(rows[0])),
        parameters=(("points", rows), ("weights", shares)),
        formula=formula,
        push=lambda _, map: _measure(_moved(rows, map), shares),
        note="the empirical measure of a data set",
    )


def _moved(rows: tuple[Row, ...], map: AffineMap) -> tuple[Row, ...]:
    shift = column((Fraction(1),) * len(rows)) * map.offset.transpose()
    return from_flint(to_flint(rows) * map.linear.transpose() + shift)
