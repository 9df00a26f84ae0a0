"""Ball arithmetic (Arb through python-flint): the arithmetic whose results are proofs.

A ball is a midpoint with a radius and stands for every real number within it; each operation returns a ball containing all
results for all numbers in its arguments. Where an operation is not defined on the whole ball (the logarithm of a ball
reaching zero) the result is the NaN ball, which stands for "anything": it propagates, every comparison with it is false, and
its end points cannot be read.

Functions that are monotone are evaluated at both ends of a wide ball and the hull is taken: Arb encloses them well only on
narrow balls, and its general power returns NaN for the square of a ball around zero.

The working precision of python-flint is a global. Every operation here sets it and restores it, so results do not depend on
who ran before; for the operators of bare balls (``a + b``) use ``with working_precision():``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx, fmpq

from theorems.errors import InputError
from theorems.exact import exactly

BITS = 128

# End points with a larger binary exponent are not written out as rationals: they would fill the memory.
_LARGEST_EXPONENT = 1 << 16


@contextmanager
def working_precision(bits: int = BITS) -> Iterator[None]:
    """Compute with ``bits`` bits inside the block and restore python-flint's global precision afterwards."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def _from_rational(value: Fraction) -> Any:
    return arb(fmpq(value.numerator, value.denominator))


def as_ball(x: Any) -> Any:
    """Return ``x`` as a ball: a ball as it stands, an exact number as the narrowest ball at the current precision."""
    return x if isinstance(x, arb) else _from_rational(exactly(x))


def _end(end: Any, ball_: Any, outward: int) -> Fraction:
    """Return the exact ball ``end`` as a rational, or the nearest simpler one on the side ``outward`` (-1 or 1)."""
    if not ball_.is_finite():
        raise InputError(f"the end points of a ball exist only when it is finite, got {ball_}")
    mantissa, exponent = (int(part) for part in end.man_exp())
    if exponent + mantissa.bit_length() > _LARGEST_EXPONENT:
        raise InputError(f"an end point of a ball must be below 2^{_LARGEST_EXPONENT} to be written out, got {ball_}")
    if exponent < -_LARGEST_EXPONENT:  # far below the smallest double: round outward to zero or to a tiny power of two
        return Fraction(outward, 1 << _LARGEST_EXPONENT) if mantissa * outward > 0 else Fraction(0)
    return Fraction(mantissa) * Fraction(2) ** exponent


def lower(ball_: Any, bits: int = BITS) -> Fraction:
    """Return a rational below every number in the ball (its lower end, rounded down to so many bits).

    Raises InputError when the ball is not finite.
    """
    with working_precision(bits):
        return _end(ball_.lower(), ball_, -1)


def upper(ball_: Any, bits: int = BITS) -> Fraction:
    """Return a rational above every number in the ball (its upper end, rounded up to so many bits).

    Raises InputError when the ball is not finite.
    """
    with working_precision(bits):
        return _end(ball_.upper(), ball_, 1)


def ball(lower: Any, upper: Any) -> Any:
    """Return a ball containing the interval from ``lower`` to ``upper``, two exact numbers (int, Fraction, float)."""
    low, high = exactly(lower), exactly(upper)
    if low > high:
        raise InputError(f"lower must not exceed upper, got lower={lower!r}, upper={upper!r}")
    with working_precision():
        return _hull(_from_rational(low), _from_rational(high))


def ball_from_float_with_error(value: Any, error: Any) -> Any:
    """Return a ball containing every real number within ``error`` >= 0 of ``value``, both exact as given."""
    mid, radius = exactly(value), exactly(error)
    if radius < 0:
        raise InputError(f"error must not be negative, got {error!r}")
    return ball(mid - radius, mid + radius)


def _hull(a: Any, b: Any) -> Any:
    return a if a.is_exact() and b.is_exact() and bool(a == b) else a.union(b)


def _increasing(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Lift an increasing function from points to balls by the hull of its values at the two ends."""

    def enclose(x: Any) -> Any:
        if x.is_exact() or not x.is_finite():
            return function(x)
        return _hull(function(x.lower()), function(x.upper()))

    return enclose


def _cosh(x: Any) -> Any:
    if x.is_exact() or not x.is_finite():
        return x.cosh()
    return _hull(x.abs_lower().cosh(), x.abs_upper().cosh())  # even, and increasing in |x|


def _reciprocal(x: Any) -> Any:
    if x.is_exact() or not x.is_finite() or x.contains(0):
        return 1 / x  # NaN when zero is inside
    return _hull(1 / x.lower(), 1 / x.upper())  # monotone on either side of zero


def _power(x: Any, exponent: Any) -> Any:
    """Integer power; the general power of Arb is used on points only, where it is exact repeated multiplication."""
    if exponent < 0:
        return _power(_reciprocal(x), -exponent)
    if not x.is_finite():
        return x if exponent else arb.nan()
    if x.is_exact():
        return x**exponent
    if exponent % 2:
        return _hull(x.lower() ** exponent, x.upper() ** exponent)
    return _hull(x.abs_lower() ** exponent, x.abs_upper() ** exponent)


def _lift(function: Callable[..., Any], n_arguments: int) -> Any:
    """Return ``function`` of balls as an elementwise function of scalars and object arrays, converting exact numbers."""
    return np.frompyfunc(lambda *arguments: function(*map(as_ball, arguments)), n_arguments, 1)


_CONVERT = _lift(lambda x: x, 1)
_POWER = np.frompyfunc(lambda x, exponent: _power(as_ball(x), int(exponent)), 2, 1)
_UNARY = {
    "sqrt": _lift(_increasing(lambda x: x.sqrt()), 1),
    "exp": _lift(_increasing(lambda x: x.exp()), 1),
    "log": _lift(_increasing(lambda x: x.log()), 1),
    "tanh": _lift(_increasing(lambda x: x.tanh()), 1),
    "erf": _lift(_increasing(lambda x: x.erf()), 1),
    "arctan": _lift(_increasing(lambda x: x.atan()), 1),
    "sinh": _lift(_increasing(lambda x: x.sinh()), 1),
    "cosh": _lift(_cosh, 1),
    "sin": _lift(lambda x: x.sin(), 1),
    "cos": _lift(lambda x: x.cos(), 1),
    "absolute": _lift(abs, 1),
}
_BINARY = {
    "add": _lift(lambda x, y: x + y, 2),
    "subtract": _lift(lambda x, y: x - y, 2),
    "multiply": _lift(lambda x, y: x * y, 2),
    "divide": _lift(lambda x, y: x * _reciprocal(y), 2),
    "maximum": _lift(lambda x, y: x.max(y), 2),
    "minimum": _lift(lambda x, y: x.min(y), 2),
}


@dataclass(frozen=True)
class BallArithmetic:
    """Arithmetic of balls at a fixed precision, for balls, exact numbers and object arrays of them.

    Arguments: ``bits``, the working precision.
    """

    bits: int = BITS

    def context(self) -> AbstractContextManager[None]:
        return working_precision(self.bits)

    def _run(self, function: Any, *arguments: Any) -> Any:
        if ctx.prec == self.bits:
            return function(*arguments)
        with working_precision(self.bits):
            return function(*arguments)

    def numbers(self, values: Any) -> Any:
        """Return exact numbers (a scalar or an array) as the narrowest balls containing them; balls stay."""
        return self._run(_CONVERT, np.asarray(values, dtype=object) if isinstance(values, Sequence) else values)

    def constant(self, value: Fraction) -> Any:
        return self._run(_from_rational, exactly(value))

    def pi(self) -> Any:
        return self._run(arb.pi)

    def add(self, x: Any, y: Any) -> Any:
        return self._run(_BINARY["add"], x, y)

    def subtract(self, x: Any, y: Any) -> Any:
        return self._run(_BINARY["subtract"], x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return self._run(_BINARY["multiply"], x, y)

    def divide(self, x: Any, y: Any) -> Any:
        return self._run(_BINARY["divide"], x, y)

    def power(self, x: Any, exponent: int) -> Any:
        return self._run(_POWER, x, exponent)

    def sqrt(self, x: Any) -> Any:
        return self._run(_UNARY["sqrt"], x)

    def exp(self, x: Any) -> Any:
        return self._run(_UNARY["exp"], x)

    def log(self, x: Any) -> Any:
        return self._run(_UNARY["log"], x)

    def sin(self, x: Any) -> Any:
        return self._run(_UNARY["sin"], x)

    def cos(self, x: Any) -> Any:
        return self._run(_UNARY["cos"], x)

    def tanh(self, x: Any) -> Any:
        return self._run(_UNARY["tanh"], x)

    def erf(self, x: Any) -> Any:
        return self._run(_UNARY["erf"], x)

    def arctan(self, x: Any) -> Any:
        return self._run(_UNARY["arctan"], x)

    def sinh(self, x: Any) -> Any:
        return self._run(_UNARY["sinh"], x)

    def cosh(self, x: Any) -> Any:
        return self._run(_UNARY["cosh"], x)

    def absolute(self, x: Any) -> Any:
        return self._run(_UNARY["absolute"], x)

    def maximum(self, x: Any, y: Any) -> Any:
        return self._run(_BINARY["maximum"], x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        return self._run(_BINARY["minimum"], x, y)

    def maximum_over(self, array: Any, axis: int | None = None) -> Any:
        """Return the largest entry, or the largest along one axis, of a nonempty array."""
        entries = np.asarray(array, dtype=object)
        if entries.size == 0:
            raise InputError(f"the maximum is taken over at least one entry, got an array of shape {entries.shape}")
        over, along = (entries.ravel(), 0) if axis is None else (entries, axis)
        return self._run(lambda: _BINARY["maximum"].reduce(self.numbers(over), axis=along))

    def largest_eigenvalue(self, matrix: Any) -> Any:
        """Return a ball containing the largest eigenvalue of a symmetric matrix with nonnegative entries.

        Statement. Let M >= 0 be symmetric and x a vector with positive entries. Then

            x.Mx / x.x  <=  lambda_max(M)  <=  max_i (Mx)_i / x_i.

        Proof. The left is the Rayleigh quotient. For the right (Collatz-Wielandt) put D = diag(x) and let r be the right
        side: D^-1 M D is nonnegative with row sums (Mx)_i / x_i <= r, so its norm induced by the sup norm is at most r, and
        every eigenvalue of M, being one of D^-1 M D, has modulus at most r. Zero rows contribute 0; M = 0 gives r = 0;
        irreducibility is not needed.

        Hence lambda_max is monotone in the entries of such matrices (put the leading eigenvector of the smaller matrix into
        the left side of the larger), and the bounds are taken at the matrix of lower and of upper ends.

        Any x > 0 proves its bounds, so how x was found needs no trust. It is (mu I - M)^-1 (1, ..., 1) with mu a little
        above lambda_max(M): that vector is positive by the Neumann series, and Mx = mu x - 1 shows that the right side is
        then below mu, M reducible or not, without a spectral gap.

        Arguments: ``matrix``, shape (size, size), balls or exact numbers: entries whose true values are nonnegative and
        symmetric. Raises InputError when the shape is wrong, an entry is surely negative, or two mirrored entries are
        surely different. A ball that is not finite makes the result NaN.

        Source: docs/theory.md, E4; Horn and Johnson, Matrix Analysis, section 8.1.
        """
        return self._run(lambda: _largest_eigenvalue(self.numbers(np.asarray(matrix, dtype=object))))


def _largest_eigenvalue(matrix: Any) -> Any:
    size = _checked_size(matrix)
    if not all(entry.is_finite() for entry in matrix.flat):
        return arb.nan()
    # Mirrored entries are one number, enclosed twice: the smaller end serves both.
    pairs = [[(matrix[i, j], matrix[j, i]) for j in range(size)] for i in range(size)]
    least = [[max(arb(0), first.lower(), second.lower()) for first, second in row] for row in pairs]
    greatest = [[min(first.upper(), second.upper()) for first, second in row] for row in pairs]
    low, high = _eigenvalue_bounds(greatest)
    if least != greatest:
        low, _ = _eigenvalue_bounds(least)
    with working_precision(max(BITS, ctx.prec)):
        return _hull(_from_rational(low), _from_rational(high))


def _checked_size(matrix: Any) -> int:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise InputError(f"matrix must be square with at least one row, got shape {matrix.shape}")
    for i, j in np.ndindex(*matrix.shape):
        if matrix[i, j] < 0:
            raise InputError(f"matrix must have nonnegative entries, got {matrix[i, j]} in row {i}, column {j}")
        if j < i and (matrix[i, j] < matrix[j, i] or matrix[i, j] > matrix[j, i]):
            raise InputError(f"matrix must be symmetric, got {matrix[i, j]} and {matrix[j, i]} at rows {i} and {j}")
    return int(matrix.shape[0])


def _eigenvalue_bounds(matrix: list[list[Any]]) -> tuple[Fraction, Fraction]:
    """Return bounds of the largest eigenvalue of an exact, nonnegative, symmetric matrix, about 2^-50 apart relatively (with more
    than 128 bits by as much closer)."""
    size, finer = len(matrix), max(1, ctx.prec // BITS)
    gap = 1 << max(50, ctx.prec - BITS + 50)
    low, high = _bounds_from(matrix, [arb(1)] * size)
    above = high * (1 + Fraction(1, 1 << 30))  # a shift surely above the eigenvalue
    shift = _just_above_estimate(matrix)
    floor, cut = Fraction(0), 12
    for _ in range(16 * finer):
        if high - low <= high / gap:
            break
        x = _positive_solution(matrix, shift)
        if x is None:  # surely or probably not above the eigenvalue: approach more timidly
            floor, cut = max(floor, min(shift, high)), 1
        else:
            new_low, new_high = _bounds_from(matrix, x)
            low, high, above, cut = max(low, new_low), min(high, new_high), shift, 12 * finer
        target = max(low, floor)
        shift = target + (above - target) / (1 << cut)
    return low, high


def _bounds_from(matrix: list[list[Any]], x: list[Any]) -> tuple[Fraction, Fraction]:
    """Return the Rayleigh and the Collatz-Wielandt bound that the positive vector ``x`` proves."""
    product = [_dot(row, x) for row in matrix]
    bits = max(BITS, ctx.prec)
    below = lower(_dot(x, product) / _dot(x, x), bits)
    return max(Fraction(0), below), max(upper(a / b, bits) for a, b in zip(product, x, strict=True))


def _dot(a: list[Any], b: list[Any]) -> Any:
    return sum(map(operator.mul, a, b), arb(0))


def _just_above_estimate(matrix: list[list[Any]]) -> Fraction:
    """Return a number that lies above the largest eigenvalue, unless rounding in doubles is worse than 2^-30."""
    scale = max(map(max, matrix))  # exact, so that tiny and huge entries survive the conversion to doubles
    if scale.is_zero():
        return Fraction(0)
    scaled = np.array([[float((entry / scale).mid()) for entry in row] for row in matrix])
    return exactly(np.linalg.eigvalsh(scaled)[-1]) * (1 + Fraction(1, 1 << 30)) * upper(scale)


def _positive_solution(matrix: list[list[Any]], shift: Fraction) -> list[Any] | None:
    """Return an exact positive vector near (shift I - matrix)^-1 (1, ..., 1), or None if none is found."""
    size, mu = len(matrix), _from_rational(shift)
    system = arb_mat([[(mu if i == j else 0) - matrix[i][j] for j in range(size)] for i in range(size)])
    try:
        solution = system.solve(arb_mat([[1]] * size))
    except ZeroDivisionError:  # the shift is too close to an eigenvalue to be told apart
        return None
    x = [entry.mid() for entry in solution.entries()]
    return x if all(entry > 0 for entry in x) else None


BALL = BallArithmetic()
