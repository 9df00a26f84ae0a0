"""Rational intervals with ends at infinity, and the scale of growth s^p exp(a s + b s^2): the nuts and bolts of tails.

End points are exact rationals, so that constants such as 1 stay exact and cancel exactly; where a number has no short
rational form it is rounded outward to 128 bits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from theorems.ball_arithmetic import BALL, BITS
from theorems.functions import NotEnclosed

End = Fraction | float  # a float end is -inf or inf
INFINITY = math.inf

_HUGE = Fraction(1 << 16384)  # beyond it an end becomes infinite, and below its inverse it becomes zero or that inverse
_EXACT_BITS = 256  # rationals shorter than this stay exact


def _rounded(x: End, outward: int) -> End:
    """Return ``x`` or a number of at most about 128 bits on the side ``outward`` (-1 or 1) of it."""
    if isinstance(x, float) or x.numerator.bit_length() + x.denominator.bit_length() <= _EXACT_BITS:
        return x
    if abs(x) > _HUGE:
        return (INFINITY if x > 0 else -_HUGE) if outward > 0 else (_HUGE if x > 0 else -INFINITY)
    if abs(x) * _HUGE < 1:
        return outward / _HUGE if x * outward > 0 else Fraction(0)
    shift = BITS - (x.numerator.bit_length() - x.denominator.bit_length())
    scaled = x * Fraction(2) ** shift
    return Fraction(math.ceil(scaled) if outward > 0 else math.floor(scaled)) / Fraction(2) ** shift


def _end(ball: Any, outward: int) -> End:
    """Return the end of ``ball`` on the side ``outward``; infinite when the ball is not finite."""
    if not ball.is_finite():
        return outward * INFINITY
    end = ball.upper() if outward > 0 else ball.lower()
    mantissa, exponent = (int(part) for part in end.man_exp())
    if mantissa == 0:
        return Fraction(0)
    size = mantissa.bit_length() + exponent
    if abs(size) > 20_000:  # do not write out 2^(10^12): any number on the same side of the limits above will do
        return _rounded((1 if mantissa > 0 else -1) * Fraction(2) ** (20_000 if size > 0 else -20_000), outward)
    return _rounded(Fraction(mantissa) * Fraction(2) ** exponent, outward)


def _plus(x: End, y: End) -> End:
    # Python would convert a rational to a double, which can overflow, before adding it to an infinity.
    return next((end for end in (x, y) if isinstance(end, float)), None) or x + y


def _times(x: End, y: End) -> End:
    if x == 0 or y == 0:
        return Fraction(0)  # 0 times infinity is 0 for ends of products of intervals
    if isinstance(x, float) or isinstance(y, float):
        return INFINITY if (x > 0) == (y > 0) else -INFINITY
    return x * y


def _shown(x: End) -> str:
    return str(x) if isinstance(x, float) else BALL.constant(x).str(6, radius=False)


@dataclass(frozen=True)
class Range:
    """An interval [low, high] of the extended line; it stands for a function whose values all lie in it."""

    low: End
    high: End

    @property
    def is_point(self) -> bool:
        """Whether it holds exactly one number, so that the function is that constant."""
        return self.low == self.high

    @property
    def is_zero(self) -> bool:
        return self.low == 0 == self.high

    @property
    def magnitude(self) -> End:
        """The largest absolute value in it."""
        return self.high if self.high >= -self.low else -self.low

    def __str__(self) -> str:
        return f"[{_shown(self.low)}, {_shown(self.high)}]"

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low)

    def __add__(self, other: Range) -> Range:
        return outward(_plus(self.low, other.low), _plus(self.high, other.high))

    def __mul__(self, other: Range) -> Range:
        products = [_times(x, y) for x in (self.low, self.high) for y in (other.low, other.high)]
        return outward(min(products), max(products))

    def power(self, exponent: int) -> Range:
        """Return the range of the powers with exponent >= 1."""
        if exponent % 2 or self.low >= 0:
            return outward(self.low**exponent, self.high**exponent)
        if self.high <= 0:
            return outward(self.high**exponent, self.low**exponent)
        return outward(Fraction(0), self.magnitude**exponent)

    def reciprocal(self) -> Range:
        """Return the range of the reciprocals; raises NotEnclosed when zero is in it."""
        if self.low <= 0 <= self.high:
            raise NotEnclosed(f"it contains a reciprocal of a quantity in {self}")
        low, high = (Fraction(0) if isinstance(end, float) else 1 / end for end in (self.high, self.low))
        return outward(low, high)

    def increasing(self, function: Callable[[Any], Any], at_minus_infinity: End, at_infinity: End) -> Range:
        """Return the range of an increasing function of balls, given its limits at both infinities."""
        low = at_minus_infinity if isinstance(self.low, float) else _end(function(self.low), -1)
        high = at_infinity if isinstance(self.high, float) else _end(function(self.high), 1)
        return Range(low, high)


def outward(low: End, high: End) -> Range:
    """Return a range containing [low, high] with ends of bounded length."""
    return Range(_rounded(low, -1), _rounded(high, 1))


def point(value: Fraction | int) -> Range:
    """Return the range holding one number."""
    return Range(Fraction(value), Fraction(value))


def of_ball(ball: Any) -> Range:
    """Return a range containing the ball."""
    return Range(_end(ball, -1), _end(ball, 1))


def hull(x: Range, y: Range) -> Range:
    """Return the smallest range containing both."""
    return Range(min(x.low, y.low), max(x.high, y.high))


class Monomial(NamedTuple):
    """s^power exp(linear s + square s^2); the order of tuples is the order of growth at infinity."""

    square: Fraction
    linear: Fraction
    power: Fraction

    def times(self, other: Monomial) -> Monomial:
        return Monomial(self.square + other.square, self.linear + other.linear, self.power + other.power)

    def to_the(self, exponent: Fraction | int) -> Monomial:
        return Monomial(self.square * exponent, self.linear * exponent, self.power * exponent)

    def __str__(self) -> str:
        rate = [f"{c}*s{e}" for c, e in ((self.square, "^2"), (self.linear, "")) if c]
        factors = ([f"s^{self.power}"] if self.power else []) + ([f"exp({' + '.join(rate)})"] if rate else [])
        return " ".join(factors) or "1"


ONE = Monomial(Fraction(0), Fraction(0), Fraction(0))


def monomial(power: int | Fraction = 0, linear: int | Fraction = 0, square: int | Fraction = 0) -> Monomial:
    """Return s^power exp(linear s + square s^2)."""
    return Monomial(Fraction(square), Fraction(linear), Fraction(power))


@functools.lru_cache(maxsize=4096)
def value_at(m: Monomial, start: int) -> Range:
    """Return an enclosure of the monomial at s = start >= 1."""
    exponent = BALL.add(BALL.multiply(BALL.log(start), m.power), m.linear * start + m.square * start**2)
    return of_ball(BALL.exp(exponent)) if m != ONE else point(1)


@functools.lru_cache(maxsize=4096)
def is_decreasing(m: Monomial, start: int) -> bool:
    """Whether the monomial is shown to be nonincreasing for s >= start.

    Statement. The logarithmic derivative times s is the polynomial Q(s) = p + a s + 2 b s^2. If b < 0, Q is concave, so
    Q(A) <= 0 and Q'(A) = a + 4 b A <= 0 give Q <= 0 on [A, oo). If b = 0, Q is affine and Q(A) <= 0 with a <= 0 suffices.
    """
    at_start = m.power + m.linear * start + 2 * m.square * start**2
    return m.square <= 0 and at_start <= 0 and m.linear + 4 * m.square * start <= 0


def decay(m: Monomial, start: int) -> Range:
    """Return the range of a monomial that vanishes at infinity, over s >= start.

    Raises NotEnclosed when it still increases at ``start``.
    """
    if m == ONE:
        return point(1)
    if not is_decreasing(m, start):
        raise NotEnclosed(f"it contains {m}, not shown to decrease from s = {start} on")
    return Range(Fraction(0), value_at(m, start).high)
