"""Exact vectors and matrices at the door, and affine maps between laws.

Entries pass :func:`theorems.exact.exactly`: ints and doubles are the rational numbers that they are. Products, powers and
characteristic polynomials are those of FLINT, over the rationals; nothing rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from flint import fmpq, fmpq_mat, fmpz_mat

from theorems.errors import InputError
from theorems.exact import exactly

MAX_SIDE = 256
"""The largest number of rows or columns of a covariance or of a map; the characteristic polynomial then takes ten seconds."""

Row = tuple[Fraction, ...]


def number(name: str, value: Any) -> Fraction:
    """Return the rational number that ``value`` is; raises InputError naming the argument."""
    try:
        return exactly(value)
    except InputError as reason:
        raise InputError(f"{name}: {reason}") from None


def is_array(value: Any) -> bool:
    """Whether a value is given entry by entry: a list, an array, a SymPy matrix."""
    return isinstance(value, Iterable | sympy.MatrixBase)


def vector(name: str, values: Any) -> Row:
    """Return the entries of a sequence of numbers (a list, an array, a SymPy column) exactly; raises InputError naming it."""
    if isinstance(values, sympy.MatrixBase) and 1 in values.shape:
        values = values.flat()
    return tuple(number(f"{name}[{i}]", value) for i, value in enumerate(_items(name, values, "a sequence of numbers")))


def matrix(name: str, values: Any) -> tuple[Row, ...]:
    """Return the rows of a matrix exactly, at least one row and one column, rows of one length; raises InputError naming it."""
    if isinstance(values, sympy.MatrixBase):
        values = values.tolist()
    rows = tuple(vector(f"{name}[{i}]", row) for i, row in enumerate(_items(name, values, "a sequence of rows of numbers")))
    ragged = [i for i, row in enumerate(rows) if len(row) != len(rows[0])]
    if ragged:
        first, other = len(rows[0]), len(rows[ragged[0]])
        raise InputError(f"{name} must have rows of one length, got {first} entries in row 0 and {other} in row {ragged[0]}")
    return rows


def limited(name: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Return the rows; raises InputError when there are more than 256 rows or columns."""
    if max(len(rows), len(rows[0])) > MAX_SIDE:
        raise InputError(f"{name} must have at most {MAX_SIDE} rows and columns, got {len(rows)} x {len(rows[0])}")
    return rows


def covariance(name: str, values: Any, dimension: int) -> tuple[Row, ...]:
    """Return the rows of a symmetric positive semidefinite d x d matrix.

    Decided exactly: all eigenvalues of a symmetric matrix are real, so none is negative if and only if the coefficients of its
    characteristic polynomial alternate in sign (Descartes' rule; zeros allowed). Raises InputError otherwise.
    """
    rows = limited(name, matrix(name, values))
    if len(rows) != dimension or len(rows[0]) != dimension:
        raise InputError(f"{name} must be {dimension} x {dimension}, as the dimension says, got {len(rows)} x {len(rows[0])}")
    for i in range(dimension):
        for k in range(i):
            if rows[i][k] != rows[k][i]:
                raise InputError(f"{name} must be symmetric, got {rows[i][k]} at [{i}][{k}] and {rows[k][i]} at [{k}][{i}]")
    integers: fmpz_mat = to_flint(rows).numer_denom()[0]
    if any(coefficient * (-1) ** (dimension - k) < 0 for k, coefficient in enumerate(integers.charpoly().coeffs())):
        raise InputError(f"{name} must be positive semidefinite, got a matrix with a negative eigenvalue")
    return rows


def to_flint(rows: tuple[Row, ...]) -> fmpq_mat:
    """Return rows of rational numbers as a FLINT matrix."""
    return fmpq_mat(len(rows), len(rows[0]), [fmpq(x.numerator, x.denominator) for row in rows for x in row])


def from_flint(entries: fmpq_mat) -> tuple[Row, ...]:
    """Return the rows of a FLINT matrix as rational numbers."""
    return tuple(tuple(Fraction(int(x.p), int(x.q)) for x in row) for row in entries.tolist())


def rational(x: fmpq | Fraction) -> sympy.Rational:
    """Return a rational number as SymPy's."""
    if isinstance(x, Fraction):
        return sympy.Rational(x.numerator, x.denominator)
    return sympy.Rational(int(x.p), int(x.q))


@dataclass(frozen=True)
class AffineMap:
    """x -> A x + b from R^d to R^p. ``rows``, those of A, p of length d; ``shift``, b, of length p."""

    rows: tuple[Row, ...]
    shift: Row

    @property
    def source(self) -> int:
        """The dimension d that the map starts from."""
        return len(self.rows[0])

    @property
    def target(self) -> int:
        """The dimension p that the map leads to."""
        return len(self.rows)

    @property
    def linear(self) -> fmpq_mat:
        """A, p x d."""
        return to_flint(self.rows)

    @property
    def offset(self) -> fmpq_mat:
        """b, as a column."""
        return column(self.shift)

    def after(self, inner: AffineMap) -> AffineMap:
        """Return the composition x -> A (inner x) + b."""
        shift = self.linear * inner.offset + self.offset
        return AffineMap(from_flint(self.linear * inner.linear), tuple(row[0] for row in from_flint(shift)))


def column(entries: Row) -> fmpq_mat:
    """Return a vector as a FLINT matrix with one column."""
    return to_flint(tuple((x,) for x in entries))


def affine_map(rows: Any, shift: Any, source: int) -> AffineMap:
    """Return x -> A x + b for a p x d matrix A (``source`` = d) and a vector b (None: 0); raises InputError naming the argument."""
    exact = limited("matrix", matrix("matrix", rows))
    if len(exact[0]) != source:
        raise InputError(f"matrix must have {source} columns, the dimension of the law, got {len(exact[0])}")
    offset = (Fraction(0),) * len(exact) if shift is None else vector("shift", shift)
    if len(offset) != len(exact):
        raise InputError(f"shift must have {len(exact)} entries, one for each row of matrix, got {len(offset)}")
    return AffineMap(exact, offset)


def _items(name: str, values: Any, wanted: str) -> list[Any]:
    if isinstance(values, str | bytes | dict | set) or not isinstance(values, Iterable):
        raise InputError(f"{name} must be {wanted}, got {values!r}")
    try:
        items = list(values)
    except TypeError:  # an array without dimensions calls itself iterable
        raise InputError(f"{name} must be {wanted}, got {values!r}") from None
    if not items:
        raise InputError(f"{name} must be {wanted}, got none")
    return items
