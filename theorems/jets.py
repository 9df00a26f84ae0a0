"""Second-order jets over balls: a function's value and first two derivatives, enclosed on an interval at once.

A jet over the ball X holds balls that contain g(s), g'(s), g''(s) for every s in X. With them the range on X is
bounded to third order in the width of X (Taylor's formula about the midpoint), and exactly where g is seen to be monotone.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from flint import arb

from theorems.ball_arithmetic import BALL, as_ball
from theorems.functions import FunctionArithmetic, Undefined


class Jet(NamedTuple):
    """Balls containing the value and the first and second derivative with respect to the variable."""

    value: Any
    first: Any
    second: Any


def variable(ball: Any) -> Jet:
    """Return the jet of s -> s on ``ball``."""
    return Jet(ball, arb(1), arb(0))


def _chain(u: Jet, value: Any, first: Any, second: Any) -> Jet:
    """Return the jet of f(u) from f, f', f'' on the range of u (Faa di Bruno to second order)."""
    return Jet(value, first * u.first, first * u.second + second * u.first * u.first)


class JetArithmetic(FunctionArithmetic):
    """Jets of the elementary functions; raises ``Undefined`` where the argument may leave the open domain."""

    def constant(self, value: Fraction) -> Jet:
        return Jet(as_ball(value), arb(0), arb(0))

    def pi(self) -> Jet:
        return Jet(arb.pi(), arb(0), arb(0))

    def add(self, x: Jet, y: Jet) -> Jet:
        return Jet(x.value + y.value, x.first + y.first, x.second + y.second)

    def multiply(self, x: Jet, y: Jet) -> Jet:
        return Jet(
            x.value * y.value,
            x.first * y.value + x.value * y.first,
            x.second * y.value + 2 * x.first * y.first + x.value * y.second,
        )

    def power(self, x: Jet, exponent: int) -> Jet:
        n = exponent
        if n < 0 and x.value.contains(0):
            raise Undefined("division by a quantity that cannot be separated from zero", x.value)
        if n == 0:
            return self.constant(Fraction(1))
        first = n * BALL.power(x.value, n - 1)
        second = n * (n - 1) * BALL.power(x.value, n - 2) if n != 1 else arb(0)
        return _chain(x, BALL.power(x.value, n), first, second)

    def sqrt(self, x: Jet) -> Jet:
        if not x.value > 0:
            raise Undefined("a square root of a quantity that cannot be shown to be positive", x.value)
        root = BALL.sqrt(x.value)
        return _chain(x, root, BALL.power(2 * root, -1), -BALL.power(BALL.power(root, 3) * 4, -1))

    def exp(self, x: Jet) -> Jet:
        value = BALL.exp(x.value)
        return _chain(x, value, value, value)

    def log(self, x: Jet) -> Jet:
        if not x.value > 0:
            raise Undefined("a logarithm of a quantity that cannot be shown to be positive", x.value)
        inverse = BALL.power(x.value, -1)
        return _chain(x, BALL.log(x.value), inverse, -BALL.power(inverse, 2))

    def sin(self, x: Jet) -> Jet:
        sine = BALL.sin(x.value)
        return _chain(x, sine, BALL.cos(x.value), -sine)

    def cos(self, x: Jet) -> Jet:
        cosine = BALL.cos(x.value)
        return _chain(x, cosine, -BALL.sin(x.value), -cosine)

    def tanh(self, x: Jet) -> Jet:
        value = BALL.tanh(x.value)
        slope = 1 - BALL.power(value, 2)
        return _chain(x, value, slope, -2 * value * slope)

    def erf(self, x: Jet) -> Jet:
        slope = 2 * BALL.exp(-BALL.power(x.value, 2)) / arb.pi().sqrt()
        return _chain(x, BALL.erf(x.value), slope, -2 * x.value * slope)

    def arctan(self, x: Jet) -> Jet:
        slope = BALL.power(1 + BALL.power(x.value, 2), -1)
        return _chain(x, BALL.arctan(x.value), slope, -2 * x.value * BALL.power(slope, 2))

    def sinh(self, x: Jet) -> Jet:
        value = BALL.sinh(x.value)
        return _chain(x, value, BALL.cosh(x.value), value)

    def cosh(self, x: Jet) -> Jet:
        value = BALL.cosh(x.value)
        return _chain(x, value, BALL.sinh(x.value), value)


JETS = JetArithmetic()
