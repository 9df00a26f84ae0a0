"""Abstract numbers on which the source of a floating-point kernel is run: what a variable stands for, and how far it can be off.

While the argument z runs over a box, a ``Number`` encloses two things: the real quantity that a variable stands for, by

    exact = g base^p + a K + b r,

g a ball, base a positive quantity of the path that varies over the box (|z|, or the power of two 2^K) and p an integer; K and r
are the integer and the rest of an argument reduction x = period K + r where K is not one known integer; and the rounding error
so far, |computed - exact| <= e base^p + t. Powers of base keep relative accuracy where a quantity vanishes or grows with z; t
collects what gradual underflow can add. Every operation has one rounding, fl(v) = v (1 + d), |d| <= 2^-53, plus at most 2^-1075
(IEEE 754, to nearest), unless it is exact for a reason checked here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flint import arb

from numerics.roundoff import UNIT_ROUNDOFF
from verify.kernel_accuracy_paths import ONE, ZERO, Infeasible, NotProved, Path, Reduction, hull, narrowed

UNIT = arb(UNIT_ROUNDOFF)
TINY = arb(2) ** -1074
NORMAL, HUGE = arb(2) ** -1022, arb(2) ** 1023
MOST_INTEGERS = 8  # candidates of a rounding to integers that are tried one by one
VANISHING = arb(2) ** -100  # a coefficient of K this small is zero up to the working precision; its size is kept all the same
LARGEST_ROUNDED = 2.0**20  # ROUND + y rounds y to an integer below 2^51; here doubles hold the ends well


class Number:
    """g base^p + a K + b r with the error e base^p + t; see the module.

    linear: (a, b, reduction), or None when both vanish. period: of which reduction this is the reciprocal constant. origin:
    (argument, period) when this is an argument divided by a period.
    """

    __slots__ = ("e", "g", "linear", "origin", "p", "path", "period", "residual", "square_of", "t")

    def __init__(self, path: Path, g: Any, p: int = 0, e: Any = ZERO, t: Any = ZERO, linear: Any = None) -> None:
        self.path, self.g, self.p, self.e, self.t, self.linear = path, g, p, e, t, linear
        self.origin: tuple[Number, Any] | None = None
        self.period: Any = None
        self.residual = False  # whether this is what the rounding of a square left off
        self.square_of: Number | None = None  # x for the rounded x x, and for its negative

    def wrap(self, other: Any) -> Number:
        """A float as the exact number that it is."""
        return other if isinstance(other, Number) else Number(self.path, arb(other))

    def is_exactly(self, value: Any) -> bool:
        """Whether the variable is known to hold this value."""
        return self._is_point() and self.p == 0 and bool(self.g == value)

    def _is_point(self) -> bool:
        return bool(self.g.is_exact() and self.e.is_zero() and self.t.is_zero() and self.linear is None)

    def _is_power_of_two(self) -> bool:
        return self._is_point() and self.p == 0 and not self.g.is_zero() and abs(int(self.g.man_exp()[0])) == 1

    def plain(self) -> Any:
        """The exact quantity as a ball."""
        ball = self.g * self.path.power(self.p) if self.p else self.g
        return ball if self.linear is None else ball + self._linear_part()

    def _linear_part(self) -> Any:
        assert self.linear is not None
        a, b, reduction = self.linear
        return a * hull(arb(reduction.first), arb(reduction.last)) + b * reduction.rest

    def collapsed(self) -> Number:
        """The same number with a ball in the place of a K + b r."""
        return Number(self.path, self.plain(), 0, self.error()) if self.linear is not None else self

    def _size(self) -> Any:
        """A bound of |exact|/base^p."""
        return self.g.abs_upper() if self.linear is None else (abs(self.g) + abs(self._linear_part())).abs_upper()

    def error(self) -> Any:
        """A bound of |computed - exact|."""
        return (self.e * self.path.power(self.p)).abs_upper() + self.t

    def computed(self) -> tuple[Any, Any]:
        """Ends (exact balls) between which the computed value lies."""
        ball, error = self.plain(), self.error()
        return (ball - error).lower(), (ball + error).upper()

    def to_power(self, p: int) -> Number:
        """The same number with another power of base."""
        if p == self.p:
            return self
        factor = self.path.power(self.p - p)
        return Number(self.path, self.g * factor, p, (self.e * factor).abs_upper(), self.t)

    def rounded(self) -> Number:
        """After one rounding of a value with these errors."""
        if self._is_point() and self.p == 0 and _representable(self.g):
            return self
        size = self._size() + self.e
        if not size * self.path.power(self.p) < HUGE:
            raise NotProved("a value that may overflow")
        e = (self.e + UNIT * size).abs_upper()
        t = (self.t * (1 + UNIT)).abs_upper()
        if self.linear is not None or not self._surely_normal():
            t = t + TINY
        return Number(self.path, self.g, self.p, e, t, self.linear)

    def _surely_normal(self) -> bool:
        return bool((self.g.abs_lower() - self.e) * self.path.power(self.p) - self.t >= NORMAL)

    def times(self, other: Number) -> Number:
        """The product before rounding."""
        a, b = (self, other) if other.linear is None else (other, self)
        linear = None
        if a.linear is not None:
            if b.linear is not None or a.p or b.p:
                return a.collapsed().times(b.collapsed())
            linear = (a.linear[0] * b.g, a.linear[1] * b.g, a.linear[2])
        g, size = a.g * b.g if a is not b else hull(a.g.abs_lower() ** 2, a.g.abs_upper() ** 2), a._size()
        e = (size * b.e + b.g.abs_upper() * a.e + a.e * b.e).abs_upper()
        t = ZERO
        if not (a.t.is_zero() and b.t.is_zero()):
            here, there = size + a.e, b.g.abs_upper() + b.e
            t = (here * a.path.power(a.p) * b.t + there * b.path.power(b.p) * a.t + a.t * b.t).abs_upper()
        return Number(self.path, g, a.p + b.p, e, t, linear)

    def _common_power(self, other: Number) -> int:
        """The lower of two powers; on a wide box the higher one where its term is the larger."""
        low, high = (self, other) if self.p < other.p else (other, self)
        if self.path.wide and abs(high.g).lower() >= abs(low.to_power(high.p).g).upper():
            return high.p
        return low.p

    def plus(self, other: Number) -> Number:
        """The sum before rounding."""
        a, b = self, other
        if a.is_exactly(0) or b.is_exactly(0):
            return b if a.is_exactly(0) else a
        if a.p != b.p:
            p = a._common_power(b)
            a, b = a.to_power(p), b.to_power(p)
        if a.linear is not None and b.linear is not None and a.linear[2] is not b.linear[2]:
            a, b = a.collapsed(), b.collapsed()
        total = Number(self.path, a.g + b.g, a.p, (a.e + b.e).abs_upper(), (a.t + b.t).abs_upper(), a.linear or b.linear)
        if a.linear is not None and b.linear is not None:
            total.linear = (a.linear[0] + b.linear[0], a.linear[1] + b.linear[1], a.linear[2])
        if total.linear is not None and abs(total.linear[0]) < VANISHING:  # x - K period, up to the width of the balls
            total.g, total.linear = total.plain(), None
        return total

    def __neg__(self) -> Number:
        linear = None if self.linear is None else (-self.linear[0], -self.linear[1], self.linear[2])
        result = Number(self.path, -self.g, self.p, self.e, self.t, linear)
        result.residual, result.square_of = self.residual, self.square_of
        return result

    def __abs__(self) -> Number:
        if self.linear is None and self.g >= 0:
            return self
        if self.linear is None and self.g <= 0:
            return -self
        if self.linear is not None:
            return Number(self.path, abs(self.plain()), 0, self.error())
        return Number(self.path, abs(self.g), self.p, self.e, self.t)

    def sqrt(self) -> Number:
        """The square root, correctly rounded; numpy's root of an object calls this."""
        x = self.to_power(0)
        smallest = x.g.abs_lower() - x.e - x.t
        if x.linear is not None or not (x.g > 0 and smallest > 0):
            raise NotProved("a square root near 0")
        return Number(self.path, x.g.sqrt(), 0, ((x.e + x.t) / (2 * smallest.sqrt())).abs_upper()).rounded()

    def copysign(self, signed: Number) -> Number:
        """This number, an odd function T of |signed| with T <= 1.2 |signed| for |signed| <= 1, with the sign of ``signed``.

        Where rounding may have turned the sign of ``signed``, both sizes are within T of its error.
        """
        if signed.linear is None and signed.g.abs_lower() >= signed.e and (signed.g >= 0 or signed.g <= 0):
            result = self if signed.g >= 0 else -self  # as the computed argument, unless that is all underflow
            return Number(self.path, result.g, result.p, result.e, (result.t + 3 * signed.t).abs_upper(), result.linear)
        error = signed.error()
        if not error <= 1:
            raise NotProved("a sign that is not known")
        largest = self.plain().abs_upper()
        return Number(self.path, hull(-largest, largest), 0, (self.error() + 3 * error).abs_upper())

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Rounder):
            return other.add(self)
        if isinstance(other, ExponentRange):
            raise NotProved("a sum with an exponent")
        return fma(1.0, self, other)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, ExponentRange):  # K - half, where half is K/2 rounded
            return other
        return fma(1.0, self, -other)

    def __rsub__(self, other: Any) -> Number:
        difference: Number = self.wrap(other) + (-self)
        return difference

    def __mul__(self, other: Any) -> Number:
        b = self.wrap(other)
        if self.is_exactly(0) or b.is_exactly(0):
            return Number(self.path, ZERO)
        product = self.times(b)
        scaling = self if self._is_power_of_two() else (b if b._is_power_of_two() else None)
        if scaling is not None:
            if not abs(scaling.g) >= 1:
                product.t = product.t + TINY
            product.residual = self.residual or b.residual
        else:
            product = product.rounded()
        if self is b:
            product.square_of = self
        argument, constant = (self, b) if b.period is not None else (b, self)
        if constant.period is not None:
            product.origin = (argument, constant.period)
        return product

    def __truediv__(self, other: Any) -> Number:
        b = self.wrap(other)
        if self.linear is not None or b.linear is not None:
            return self.collapsed() / b.collapsed()
        smallest = b.g.abs_lower() - b.e
        if not smallest > 0:
            raise NotProved("a quotient by a quantity that may vanish")
        g = self.g / b.g
        e = ((self.e + g.abs_upper() * b.e) / smallest).abs_upper()
        t = ZERO
        if not (self.t.is_zero() and b.t.is_zero()):
            p = self.p - b.p
            least = (smallest * self.path.power(b.p)).abs_lower() - b.t
            if not least > 0:
                raise NotProved("a quotient by a quantity that may underflow")
            t = ((self.t + (g.abs_upper() + e) * self.path.power(p) * b.t) / least).abs_upper()
        return Number(self.path, g, self.p - b.p, e, t).rounded()

    def __rtruediv__(self, other: Any) -> Number:
        return self.wrap(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def _exceeds(self, constant: float, strictly: bool) -> bool:
        """computed > constant (or >=), by a choice where the box does not decide."""
        low, high = self.computed()
        value = arb(constant)
        if (low > value) if strictly else (low >= value):
            return True
        if (high <= value) if strictly else (high < value):
            return False
        # g base^p, and base >= 0 whatever the lower end of its ball.
        if constant == 0.0 and self._is_point() and (self.g > 0) != strictly:
            return not strictly
        answer = self.path.choose(2) == 1
        if self.p in (1, 2) and not self.path.exponent_base:
            end = hull(value - self.t, value + self.t) / (self.g + hull(-self.e, self.e))
            above = answer == bool(self.g > 0)
            if end.is_finite():
                self.path.narrow_power(self.p, end.lower() if above else None, None if above else end.upper())
        elif self.p == 0 and self.e.is_zero() and self.t.is_zero() and self.linear is None:
            self.g = narrowed(self.g, value if answer else None, None if answer else value)
        return answer

    def _exact(self, other: Any) -> float:
        """A constant, or a maximum or minimum with a number that is one, by a choice that narrows base."""
        if not isinstance(other, Number):
            return float(other)
        if not (self._is_point() and self.p and other._is_point() and other.p == 0):
            raise NotProved("a maximum or minimum of two quantities that rounding may exchange")
        return float(other.g)

    def __gt__(self, constant: Any) -> bool:
        return self._exceeds(constant, strictly=True)

    def __ge__(self, constant: Any) -> bool:
        if isinstance(constant, Number) and self._is_point() and not self.p:
            return constant <= float(self.g)
        return self._exceeds(self._exact(constant), strictly=False)

    def __lt__(self, constant: float) -> bool:
        return not self._exceeds(constant, strictly=False)

    def __le__(self, constant: Any) -> bool:
        if isinstance(constant, Number) and self._is_point() and not self.p:
            return constant >= float(self.g)
        return not self._exceeds(self._exact(constant), strictly=True)


def _representable(ball: Any) -> bool:
    mantissa, exponent = (int(part) for part in ball.man_exp())
    return mantissa.bit_length() <= 53 and exponent >= -1074 and exponent + mantissa.bit_length() <= 1024


def fma(x: Any, y: Any, z: Any) -> Any:
    """x y + z with one rounding; none where x y or z vanishes and the other operand passes unchanged."""
    path = next((operand.path for operand in (x, y, z) if isinstance(operand, Number)), None)
    if path is None:
        raise NotProved("a fused operation on floats alone")
    a, b, c = (operand if isinstance(operand, Number) else Number(path, arb(operand)) for operand in (x, y, z))
    if a.is_exactly(0) or b.is_exactly(0):
        return c
    if x is y and c.square_of is x and c.g <= 0:  # x x - fl(x x): exact, barring underflow
        error = c.error()
        rest = Number(path, hull(-error, error), t=TINY)
        rest.residual = True
        return rest
    product = a.times(b)
    if c.is_exactly(0) and (a._is_power_of_two() or b._is_power_of_two()):
        product.t = product.t + TINY if not (a.is_exactly(1) or b.is_exactly(1)) else product.t
        return product
    return product.plus(c).rounded()


@dataclass(frozen=True)
class ExponentRange:
    """An exponent between two numbers, of which 2^exponent alone is asked."""

    low: float
    high: float

    def __neg__(self) -> ExponentRange:
        return ExponentRange(-self.high, -self.low)


@dataclass(frozen=True)
class Rounded:
    """y + ROUND, an integer in disguise: a float, the linear number K, or an exponent."""

    integer: Any

    def __sub__(self, other: Any) -> Any:
        assert isinstance(other, Rounder)
        return self.integer


class Rounder:
    """The constant ROUND = 1.5 2^52: adding and subtracting it rounds to the nearest integer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, y: Any) -> Rounded:
        """y + ROUND."""
        if isinstance(y, float):
            return Rounded(float(round(y)))
        low, high = y.computed()
        if not (abs(low) < LARGEST_ROUNDED and abs(high) < LARGEST_ROUNDED):
            raise NotProved("an argument too large for the reduction")
        if y._is_point() and y.p == 0 and y.g.is_integer():
            return Rounded(float(y.g))
        if y.origin is None:
            return Rounded(ExponentRange(float(low) - 0.5, float(high) + 0.5))
        reduced = y.origin[0].linear
        if reduced is not None and reduced[0] is y.origin[1] and y.origin[0].g.is_zero():  # reduced before: the same K again
            return Rounded(Number(self.path, ZERO, linear=(ONE, ZERO, reduced[2])))
        first, last = math.ceil(float(low) - 0.5 - 1e-9), math.floor(float(high) + 0.5 + 1e-9)
        argument, period = y.origin
        slack = (arb(1) / 2 + y.error()).abs_upper()
        if last - first >= MOST_INTEGERS:
            return Rounded(self._unknown(argument, period, slack, first, last))
        k = first + self.path.choose(last - first + 1)
        if not (k - slack <= high and k + slack >= low):
            raise Infeasible
        low, high = ((k - slack) * period).lower(), ((k + slack) * period).upper()
        if argument.linear is None and argument.p == 0:
            argument.g = narrowed(argument.g, low, high)
        elif argument.g.is_exact() and argument.p in (1, 2) and not self.path.exponent_base:
            low, high = (low, high) if argument.g > 0 else (high, low)
            self.path.narrow_power(argument.p, (low / argument.g).lower(), (high / argument.g).upper())
        if k and period > 1:  # r is subtracted from itself there: it must stay one symbol
            rest = narrowed(argument.plain() - k * period, (-slack * period).lower(), (slack * period).upper())
            return Rounded(self._reduce(argument, period, Reduction(k, k, rest)))
        return Rounded(float(k))

    def _reduce(self, argument: Number, period: Any, reduction: Reduction) -> Number:
        """K, once the argument has become period K + r."""
        argument.e, argument.t = argument.error(), ZERO
        argument.g, argument.p, argument.linear = ZERO, 0, (period, ONE, reduction)
        return Number(self.path, ZERO, linear=(ONE, ZERO, reduction))

    def _unknown(self, argument: Number, period: Any, slack: Any, first: int, last: int) -> Number:
        """The integer K of an argument that reaches over many periods; the argument becomes period K + reduced."""
        reach = (period * slack).abs_upper()
        rest = hull(-reach, reach)
        if self.path.reduced is not None:
            if not reach <= self.path.covered:
                raise NotProved("a reduced argument beyond what is covered")
            rest = narrowed(rest, self.path.reduced.lower(), self.path.reduced.upper())
        if self.path.exponent_base:
            self.path.base = hull(arb(2) ** first, arb(2) ** last)
        return self._reduce(argument, period, Reduction(first, last, rest))

    __radd__ = add
