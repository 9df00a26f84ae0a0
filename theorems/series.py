"""Power series over balls: all derivatives of a program at once (python-flint's ``arb_series``).

A series about a ball X has coefficients that contain g^(k)(s)/k! for every s in X.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_series, ctx

from theorems.ball_arithmetic import BITS, as_ball, working_precision
from theorems.errors import InputError
from theorems.functions import FunctionArithmetic, Undefined


def variable(center: Any, length: int) -> Any:
    """The series of s -> s about a ball, to ``length`` terms."""
    return arb_series([center, 1], length)


@dataclass(frozen=True)
class SeriesArithmetic(FunctionArithmetic):
    """Series of ``length`` terms; raises ``Undefined`` where the argument may leave the open domain."""

    length: int

    @contextmanager
    def context(self) -> Iterator[None]:
        before, ctx.cap = ctx.cap, self.length
        try:
            with working_precision(BITS):
                yield
        finally:
            ctx.cap = before

    def coefficients(self, series: Any) -> list[Any]:
        """The ``length`` coefficients as balls, trailing zeros included. Raises InputError for a series that was cut shorter."""
        if series.prec < self.length:  # a missing coefficient would read as an exact zero
            raise InputError(f"a series must have {self.length} known terms, got {series.prec}")
        return [series[k] for k in range(self.length)]

    def constant(self, value: Fraction) -> Any:
        return arb_series([as_ball(value)], self.length)

    def pi(self) -> Any:
        return arb_series([arb.pi()], self.length)

    def add(self, x: Any, y: Any) -> Any:
        return x + y

    def multiply(self, x: Any, y: Any) -> Any:
        return x * y

    def power(self, x: Any, exponent: int) -> Any:
        if exponent < 0:
            if x[0].contains(0):
                raise Undefined("division by a quantity that cannot be separated from zero", x[0])
            return self.power(1 / x, -exponent)
        result, base = self.constant(Fraction(1)), x
        while exponent:
            if exponent & 1:
                result = result * base
            base, exponent = base * base, exponent >> 1
        return result

    def sqrt(self, x: Any) -> Any:
        if not x[0] > 0:
            raise Undefined("a square root of a quantity that cannot be shown to be positive", x[0])
        return x.sqrt()

    def exp(self, x: Any) -> Any:
        return x.exp()

    def log(self, x: Any) -> Any:
        if not x[0] > 0:
            raise Undefined("a logarithm of a quantity that cannot be shown to be positive", x[0])
        return x.log()

    def sin(self, x: Any) -> Any:
        return x.sin()

    def cos(self, x: Any) -> Any:
        return x.cos()

    def tanh(self, x: Any) -> Any:
        # 1 - 2 e/(1 + e) with e = exp(-2|x|): e cannot overflow, and 1 + e is never near zero.
        negative = bool(x[0].mid() < 0)
        e = ((2 if negative else -2) * x).exp()
        value = (1 - e) / (1 + e)
        return -value if negative else value

    def erf(self, x: Any) -> Any:
        return x.erf()

    def arctan(self, x: Any) -> Any:
        return x.atan()

    def sinh(self, x: Any) -> Any:
        return (x.exp() - (-x).exp()) / 2

    def cosh(self, x: Any) -> Any:
        return (x.exp() + (-x).exp()) / 2
