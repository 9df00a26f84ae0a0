"""One recursion, several arithmetics: what a formula may ask of numbers, and the kinds of numbers that answer.

A bound is written once against ``Arithmetic`` and evaluated over

- ``FLOAT``: doubles, fast, with rounding errors that nobody accounts for;
- ``BALL``: balls of 128 bits (``theorems.ball_arithmetic``), whose results are proofs;
- ``SYMBOLIC``: SymPy expressions, for tables and documents;
- ``INTERVAL``: arrays of intervals of doubles (``theorems.interval_arithmetic``), for checks at every step of a run.

All take scalars and NumPy arrays alike (object arrays for balls and expressions) and never warn: an undefined value is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from typing import Any, Protocol

import mpmath
import numpy as np
import scipy.special
import sympy

from theorems.ball_arithmetic import (
    BALL,
    BITS,
    BallArithmetic,
    as_ball,
    ball,
    ball_from_float_with_error,
    lower,
    upper,
    working_precision,
)
from theorems.errors import InputError
from theorems.exact import exactly
from theorems.interval_arithmetic import (
    INTERVAL,
    Interval,
    IntervalArithmetic,
    as_interval,
    certainly_at_most,
    certainly_exceeds,
)

__all__ = [
    "BALL",
    "BITS",
    "FLOAT",
    "INTERVAL",
    "SYMBOLIC",
    "Arithmetic",
    "BallArithmetic",
    "FloatArithmetic",
    "Interval",
    "IntervalArithmetic",
    "LargestEigenvalue",
    "SymbolicArithmetic",
    "as_ball",
    "as_interval",
    "ball",
    "ball_from_float_with_error",
    "certainly_at_most",
    "certainly_exceeds",
    "exactly",
    "lower",
    "upper",
    "working_precision",
]


class Arithmetic(Protocol):
    """What a formula may ask of its numbers; every method works elementwise on scalars and arrays."""

    def context(self) -> AbstractContextManager[Any]:
        """The surroundings (precision, silence) in which operators of bare numbers agree with the methods."""
        ...

    def numbers(self, values: Any) -> Any:
        """Exact numbers, a scalar or an array, in this arithmetic."""
        ...

    def constant(self, value: Fraction) -> Any: ...
    def pi(self) -> Any: ...
    def add(self, x: Any, y: Any) -> Any: ...
    def subtract(self, x: Any, y: Any) -> Any: ...
    def multiply(self, x: Any, y: Any) -> Any: ...
    def divide(self, x: Any, y: Any) -> Any: ...
    def power(self, x: Any, exponent: int) -> Any: ...
    def sqrt(self, x: Any) -> Any: ...
    def exp(self, x: Any) -> Any: ...
    def log(self, x: Any) -> Any: ...
    def sin(self, x: Any) -> Any: ...
    def cos(self, x: Any) -> Any: ...
    def tanh(self, x: Any) -> Any: ...
    def erf(self, x: Any) -> Any: ...
    def arctan(self, x: Any) -> Any: ...
    def sinh(self, x: Any) -> Any: ...
    def cosh(self, x: Any) -> Any: ...
    def absolute(self, x: Any) -> Any: ...
    def maximum(self, x: Any, y: Any) -> Any: ...
    def minimum(self, x: Any, y: Any) -> Any: ...
    def maximum_over(self, array: Any, axis: int | None = None) -> Any: ...
    def largest_eigenvalue(self, matrix: Any) -> Any: ...


def _nonempty(array: Any, dtype: Any) -> Any:
    entries = np.asarray(array, dtype=dtype)
    if entries.size == 0:
        raise InputError(f"the maximum is taken over at least one entry, got an array of shape {entries.shape}")
    return entries


def _square(matrix: Any, dtype: Any) -> Any:
    entries = np.asarray(matrix, dtype=dtype)
    if entries.ndim != 2 or entries.shape[0] != entries.shape[1] or entries.size == 0:
        raise InputError(f"matrix must be square with at least one row, got shape {entries.shape}")
    return entries


class FloatArithmetic:
    """Doubles. Overflow gives infinities and undefined values give NaN, without a warning."""

    def context(self) -> AbstractContextManager[Any]:
        return np.errstate(all="ignore")

    def _run(self, function: Any, *arguments: Any) -> Any:
        with self.context():
            return function(*arguments)

    def numbers(self, values: Any) -> Any:
        """Return exact numbers (a scalar or an array) as the nearest doubles."""
        array = np.asarray(values)
        if array.dtype.kind != "f":
            array = np.asarray(np.frompyfunc(self.constant, 1, 1)(array.astype(object)))
        return array.astype(np.float64)[()]

    def constant(self, value: Fraction) -> Any:
        exact = exactly(value)
        try:
            return np.float64(float(exact))
        except OverflowError:
            return np.float64(np.inf if exact > 0 else -np.inf)

    def pi(self) -> Any:
        return np.float64(np.pi)

    def add(self, x: Any, y: Any) -> Any:
        return self._run(np.add, x, y)

    def subtract(self, x: Any, y: Any) -> Any:
        return self._run(np.subtract, x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return self._run(np.multiply, x, y)

    def divide(self, x: Any, y: Any) -> Any:
        return self._run(np.divide, x, y)

    def power(self, x: Any, exponent: int) -> Any:
        return self._run(np.float_power, x, exponent)

    def sqrt(self, x: Any) -> Any:
        return self._run(np.sqrt, x)

    def exp(self, x: Any) -> Any:
        return self._run(np.exp, x)

    def log(self, x: Any) -> Any:
        return self._run(np.log, x)

    def sin(self, x: Any) -> Any:
        return self._run(np.sin, x)

    def cos(self, x: Any) -> Any:
        return self._run(np.cos, x)

    def tanh(self, x: Any) -> Any:
        return self._run(np.tanh, x)

    def erf(self, x: Any) -> Any:
        return self._run(scipy.special.erf, x)

    def arctan(self, x: Any) -> Any:
        return self._run(np.arctan, x)

    def sinh(self, x: Any) -> Any:
        return self._run(np.sinh, x)

    def cosh(self, x: Any) -> Any:
        return self._run(np.cosh, x)

    def absolute(self, x: Any) -> Any:
        return self._run(np.abs, x)

    def maximum(self, x: Any, y: Any) -> Any:
        return self._run(np.maximum, x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        return self._run(np.minimum, x, y)

    def maximum_over(self, array: Any, axis: int | None = None) -> Any:
        """Return the largest entry, or the largest along one axis, of a nonempty array."""
        return self._run(np.max, _nonempty(array, np.float64), axis)

    def largest_eigenvalue(self, matrix: Any) -> Any:
        """Return the largest eigenvalue of a symmetric matrix of shape (size, size); NaN when an entry is not finite."""
        entries = _square(matrix, np.float64)
        if not np.all(np.isfinite(entries)):
            return np.float64(np.nan)
        return np.linalg.eigvalsh(entries)[-1]


class LargestEigenvalue(sympy.Function):  # type: ignore[misc]
    """The largest eigenvalue of a symmetric matrix with nonnegative entries, unevaluated until they are numbers.

    Arguments: the size, then the size^2 entries row by row.
    """

    is_real = True
    is_nonnegative = True

    def matrix(self) -> sympy.Matrix:
        """Return the matrix whose largest eigenvalue this is."""
        size = int(self.args[0])
        return sympy.Matrix(size, size, self.args[1:])

    def _eval_evalf(self, prec: int) -> Any:
        entries = [entry.evalf(n=mpmath.libmp.prec_to_dps(prec) + 10) for entry in self.matrix()]
        if not all(entry.is_Float or entry.is_Rational for entry in entries):
            return None
        # A fresh context, so that mpmath's global precision is neither read nor changed. The eigenvalues of a symmetric
        # matrix are as accurate as its entries, and 20 bits cover the solver's own rounding.
        context = mpmath.MPContext()
        context.prec = prec + 20
        size = int(self.args[0])
        numbers = [context.make_mpf(entry._as_mpf_val(context.prec)) for entry in entries]
        rows = [numbers[size * i : size * (i + 1)] for i in range(size)]
        values = context.eigsy(context.matrix(rows), eigvals_only=True)
        return sympy.Float._new(max(values)._mpf_, prec)

    def _latex(self, printer: Any) -> str:
        return rf"\lambda_{{\max}} {printer._print(self.matrix())}"


def _lift(function: Any, n_arguments: int) -> Any:
    return np.frompyfunc(lambda *arguments: function(*map(_as_expression, arguments)), n_arguments, 1)


def _as_expression(x: Any) -> sympy.Expr:
    if isinstance(x, sympy.Expr):
        return x
    exact = exactly(x)
    return sympy.Rational(exact.numerator, exact.denominator)


_SYMBOLIC = {
    "add": _lift(lambda x, y: x + y, 2),
    "subtract": _lift(lambda x, y: x - y, 2),
    "multiply": _lift(lambda x, y: x * y, 2),
    "divide": _lift(lambda x, y: x / y, 2),
    "power": _lift(lambda x, exponent: x**exponent, 2),
    "maximum": _lift(sympy.Max, 2),
    "minimum": _lift(sympy.Min, 2),
    "numbers": _lift(lambda x: x, 1),
    "sqrt": _lift(sympy.sqrt, 1),
    "exp": _lift(sympy.exp, 1),
    "log": _lift(sympy.log, 1),
    "sin": _lift(sympy.sin, 1),
    "cos": _lift(sympy.cos, 1),
    "tanh": _lift(sympy.tanh, 1),
    "erf": _lift(sympy.erf, 1),
    "arctan": _lift(sympy.atan, 1),
    "sinh": _lift(sympy.sinh, 1),
    "cosh": _lift(sympy.cosh, 1),
    "absolute": _lift(sympy.Abs, 1),
}


class SymbolicArithmetic:
    """SymPy expressions; floats that enter become the rationals they are."""

    def context(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def numbers(self, values: Any) -> Any:
        """Return exact numbers and expressions (a scalar or an array) as expressions."""
        return _SYMBOLIC["numbers"](np.asarray(values, dtype=object) if isinstance(values, Sequence) else values)

    def constant(self, value: Fraction) -> Any:
        return _as_expression(exactly(value))

    def pi(self) -> Any:
        return sympy.pi

    def add(self, x: Any, y: Any) -> Any:
        return _SYMBOLIC["add"](x, y)

    def subtract(self, x: Any, y: Any) -> Any:
        return _SYMBOLIC["subtract"](x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return _SYMBOLIC["multiply"](x, y)

    def divide(self, x: Any, y: Any) -> Any:
        return _SYMBOLIC["divide"](x, y)

    def power(self, x: Any, exponent: int) -> Any:
        return _SYMBOLIC["power"](x, int(exponent))

    def sqrt(self, x: Any) -> Any:
        return _SYMBOLIC["sqrt"](x)

    def exp(self, x: Any) -> Any:
        return _SYMBOLIC["exp"](x)

    def log(self, x: Any) -> Any:
        return _SYMBOLIC["log"](x)

    def sin(self, x: Any) -> Any:
        return _SYMBOLIC["sin"](x)

    def cos(self, x: Any) -> Any:
        return _SYMBOLIC["cos"](x)

    def tanh(self, x: Any) -> Any:
        return _SYMBOLIC["tanh"](x)

    def erf(self, x: Any) -> Any:
        return _SYMBOLIC["erf"](x)

    def arctan(self, x: Any) -> Any:
        return _SYMBOLIC["arctan"](x)

    def sinh(self, x: Any) -> Any:
        return _SYMBOLIC["sinh"](x)

    def cosh(self, x: Any) -> Any:
        return _SYMBOLIC["cosh"](x)

    def absolute(self, x: Any) -> Any:
        return _SYMBOLIC["absolute"](x)

    def maximum(self, x: Any, y: Any) -> Any:
        return _SYMBOLIC["maximum"](x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        return _SYMBOLIC["minimum"](x, y)

    def maximum_over(self, array: Any, axis: int | None = None) -> Any:
        """Return the largest entry, or the largest along one axis, of a nonempty array."""
        entries = _nonempty(array, object)
        over, along = (entries.ravel(), 0) if axis is None else (entries, axis)
        return _SYMBOLIC["maximum"].reduce(_SYMBOLIC["numbers"](over), axis=along)

    def largest_eigenvalue(self, matrix: Any) -> Any:
        """Return the largest eigenvalue of a nonnegative symmetric matrix of shape (size, size).

        In closed form for sizes 1 and 2, where [[a, b], [b, d]] has (a + d)/2 + sqrt(((a - d)/2)^2 + b^2); otherwise the
        unevaluated ``LargestEigenvalue``.
        """
        entries = self.numbers(_square(matrix, object))
        if len(entries) == 1:
            return entries[0, 0]
        if len(entries) == 2:
            (a, b), (_, d) = entries
            return (a + d) / 2 + sympy.sqrt(((a - d) / 2) ** 2 + b**2)
        return LargestEigenvalue(sympy.Integer(len(entries)), *entries.ravel())


FLOAT = FloatArithmetic()
SYMBOLIC = SymbolicArithmetic()
