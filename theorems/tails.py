"""What a function does for all s >= A, proved: expansions in s^p exp(a s + b s^2) with enclosed coefficients.

A tail is a finite sum of terms c_j(s) M_j(s), where M_j is a monomial s^p exp(a s + b s^2) and c_j a function of which only a
range is known, valid for every s >= A. A range of one point is a constant, and constants cancel exactly: that is how
1 - tanh(s)^2 or s (1 + erf(-s)) comes out small instead of of order one. Sums and products of tails are plain algebra; for
every other operation the leading term is factored out, u = c M (1 + r), and what r does is enclosed, for instance
1/(1 + r) = 1 - r/(1 + r) with 1/(1 + r) in the reciprocal of the range of 1 + r.

The rules either prove an enclosure or raise ``NotEnclosed`` with the reason; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theorems.ball_arithmetic import BALL, ball
from theorems.functions import FunctionArithmetic, NotEnclosed, Unbounded
from theorems.growth import (
    INFINITY,
    ONE,
    Monomial,
    Range,
    decay,
    hull,
    monomial,
    of_ball,
    outward,
    point,
)

# More terms only sharpen a tail that is negligible already; the smallest are absorbed into their neighbors.
MAX_TERMS = 10

_LARGEST_RATE = Fraction(1 << 20)  # of decay, in what is kept of a still faster one

SMALLEST_START = 8  # log(s)/sqrt(s) decreases from e^2 = 7.39 on


@dataclass(frozen=True)
class Tail:
    """The sum of coefficient times monomial over its terms, fastest growing first; no terms means zero."""

    terms: tuple[tuple[Monomial, Range], ...]

    def __neg__(self) -> Tail:
        return Tail(tuple((m, -c) for m, c in self.terms))


ZERO = Tail(())


def single(m: Monomial, c: Range) -> Tail:
    """Return the tail with one term."""
    return Tail(()) if c.is_zero else Tail(((m, c),))


def variable(sign: int) -> Tail:
    """Return the tail of s (sign 1) or of -s (sign -1)."""
    return single(monomial(power=1), point(sign))


_UNIT = single(ONE, point(1))


class TailArithmetic(FunctionArithmetic):
    """The operations on tails valid for s >= start.

    Arguments: ``start``, an integer >= 8.
    """

    def __init__(self, start: int) -> None:
        assert start >= SMALLEST_START
        self.start = start

    # Reading a tail

    def leading(self, u: Tail) -> tuple[Monomial, Range]:
        """Return M and a range of u/M, M the fastest growing monomial of the nonzero tail ``u``."""
        m, total = u.terms[-1]
        # From the smallest term up, so that a sum of terms of opposite signs keeps the sign of the larger one.
        for n, c in reversed(u.terms[:-1]):
            m, total = n, c + self._ratio(m, n, total)
        return m, total

    def _ratio(self, n: Monomial, m: Monomial, c: Range) -> Range:
        """Return a range of c n/m, n growing more slowly than m."""
        return c * decay(n.times(m.to_the(-1)), self.start)

    def range(self, u: Tail) -> Range:
        """Return a finite range of the values of ``u``; raises Unbounded when it has none, NotEnclosed when in doubt."""
        if not u.terms:
            return point(0)
        m, c = self.leading(u)
        if m > ONE:
            if c.low > 0 or c.high < 0:
                raise Unbounded(f"it grows like {m} with a factor in {c}")
            raise NotEnclosed(f"its size is only known to be at most {m} times a factor in {c}")
        total = self._ratio(m, ONE, c)
        if isinstance(total.low, float) or isinstance(total.high, float):
            raise NotEnclosed(f"its size is only known to lie in {total}")
        return total

    def _vanishes(self, u: Tail) -> bool:
        return not u.terms or (u.terms[0][0] < ONE and self.range(u) is not None)

    # Algebra

    def constant(self, value: Fraction) -> Tail:
        return single(ONE, point(value))

    def pi(self) -> Tail:
        return single(ONE, of_ball(BALL.pi()))

    def add(self, x: Tail, y: Tail) -> Tail:
        return self._collect((*x.terms, *y.terms))

    def multiply(self, x: Tail, y: Tail) -> Tail:
        return self._collect(tuple((m.times(n), c * d) for m, c in x.terms for n, d in y.terms))

    def _collect(self, terms: tuple[tuple[Monomial, Range], ...]) -> Tail:
        """Sort, merge equal monomials, drop exact zeros, absorb the smallest terms when there are too many."""
        merged: dict[Monomial, Range] = {}
        for m, c in terms:
            merged[m] = merged[m] + c if m in merged else c
        kept = sorted(((m, c) for m, c in merged.items() if not c.is_zero), key=lambda term: term[0], reverse=True)
        while len(kept) > MAX_TERMS:
            m, c = kept.pop()
            n, d = kept.pop()
            kept.append((n, d + self._ratio(m, n, c)))
        return Tail(tuple(kept))

    def power(self, x: Tail, exponent: int) -> Tail:
        if exponent == 0:
            return _UNIT
        if exponent < 0:
            return self.power(self._reciprocal(x), -exponent)
        if len(x.terms) == 1:
            ((m, c),) = x.terms
            return single(m.to_the(exponent), c.power(exponent))
        half = self.power(x, exponent // 2)
        square = self.multiply(half, half)
        return self.multiply(square, x) if exponent % 2 else square

    def _factored(self, u: Tail, operation: str) -> tuple[Monomial, Range, Tail, Range]:
        """Return M, c, r and a range of 1 + r with u = c M (1 + r), c and 1 + r shown to keep one sign."""
        if not u.terms:
            raise NotEnclosed(f"it contains {operation} of a quantity that is zero")
        m, c = u.terms[0]
        if c.low <= 0 <= c.high:
            raise NotEnclosed(f"it contains {operation} of a quantity like {m} times a factor in {c}, which may vanish")
        inverse = c.reciprocal()
        rest = tuple((n.times(m.to_the(-1)), d * inverse) for n, d in u.terms[1:])
        remainder = Tail(rest)
        near_one = self.range(self.add(_UNIT, remainder))
        if near_one.low <= 0:
            raise NotEnclosed(f"it contains {operation} of a quantity whose leading term {m} does not yet dominate")
        return m, c, remainder, near_one

    def _corrected(self, remainder: Tail, slope: Range) -> Tail:
        """Return 1 + slope * remainder."""
        return self.add(_UNIT, self.multiply(single(ONE, slope), remainder))

    def _reciprocal(self, u: Tail) -> Tail:
        floor = self._floor(u)
        if floor > 0 and u.terms[0][1].low == 0:
            return single(ONE, outward(Fraction(0), 1 / floor))
        m, c, remainder, near_one = self._factored(u, "a reciprocal")
        correction = self._corrected(remainder, -near_one.reciprocal())
        return self.multiply(single(m.to_the(-1), c.reciprocal()), correction)

    def _floor(self, u: Tail) -> Fraction:
        """Return the constant in a sum of nonnegative terms, a lower bound of the sum; 0 when some may be negative."""
        if any(c.low < 0 for _, c in u.terms):
            return Fraction(0)
        return sum((Fraction(c.low) for m, c in u.terms if m == ONE), Fraction(0))

    def sqrt(self, x: Tail) -> Tail:
        m, c, remainder, near_one = self._factored(x, "a square root")
        if c.low <= 0:
            raise NotEnclosed(f"it contains a square root of a quantity like {m} times a factor in {c}, which is not positive")
        root = near_one.increasing(BALL.sqrt, Fraction(0), INFINITY)
        correction = self._corrected(remainder, (point(1) + root).reciprocal())  # sqrt(1+r) - 1 = r/(1 + sqrt(1+r))
        return self.multiply(single(m.to_the(Fraction(1, 2)), c.increasing(BALL.sqrt, Fraction(0), INFINITY)), correction)

    # Exponential and logarithm

    def exp(self, x: Tail) -> Tail:
        exact = {m.power: c.low for m, c in x.terms if _is_quadratic_term(m, c)}
        rest = Tail(tuple((m, c) for m, c in x.terms if not _is_quadratic_term(m, c)))
        if rest.terms and rest.terms[0][0] > ONE:
            return self._exp_of_unbounded(x)
        offset = sum((c for m, c in rest.terms if m == ONE), point(Fraction(exact.get(Fraction(0), Fraction(0)))))
        small = Tail(tuple((m, c) for m, c in rest.terms if m != ONE))
        growth = monomial(0, Fraction(exact.get(Fraction(1), 0)), Fraction(exact.get(Fraction(2), 0)))
        bound = self.range(small)
        # 1 + r/2 <= (exp(r) - 1)/r <= 1 for r < 0, and 1 <= (exp(r) - 1)/r <= exp(r) for r > 0.
        slope = Range(
            max(Fraction(0), 1 + min(Fraction(bound.low), Fraction(0)) / 2),
            _exp(point(max(Fraction(bound.high), Fraction(0)))).high,
        )
        factor = point(1) if offset.is_zero else _exp(offset)
        return self.multiply(single(growth, factor), self._corrected(small, slope))

    def _exp_of_unbounded(self, u: Tail) -> Tail:
        """Bound exp(u) on one side when u is no quadratic polynomial up to a bounded function."""
        m, c = self.leading(u)
        if c.high < 0:
            return single(self._rate(m, c.high), Range(Fraction(0), Fraction(1)))
        if c.low > 0:
            return single(self._rate(m, c.low), Range(Fraction(1), INFINITY))
        if c.high <= 0:
            return single(ONE, Range(Fraction(0), Fraction(1)))
        if c.low >= 0:
            return single(ONE, Range(Fraction(1), INFINITY))
        raise NotEnclosed(f"it contains an exponential of a quantity like {m} times a factor in {c}, of either sign")

    def _rate(self, m: Monomial, c: Any) -> Monomial:
        """Return exp(k s^j), j in {0, 1, 2}, with |k| s^j <= |c| m(s) for s >= start and k of the sign of c."""
        degree = 2 if m.linear or m.square else min(2, int(m.power))  # int() rounds down: s^p >= s^degree as s >= 1
        ratio = monomial(power=degree).times(m.to_the(-1))
        excess = 1 / Fraction(decay(ratio, self.start).high)  # m(s) >= excess s^degree, since s^degree/m(s) decreases
        k = _toward_zero(Fraction(max(-_LARGEST_RATE, min(_LARGEST_RATE, c))) * min(excess, _LARGEST_RATE))
        return monomial(0, k if degree == 1 else 0, k if degree == 2 else 0)

    def log(self, x: Tail) -> Tail:
        m, c, remainder, near_one = self._factored(x, "a logarithm")
        if c.low <= 0:
            raise NotEnclosed(f"it contains a logarithm of a quantity like {m} times a factor in {c}, which is not positive")
        # log(1 + r)/r lies between 1/(1 + r) and 1.
        slope = hull(point(1), near_one.reciprocal())
        growth = [single(monomial(power=2), point(m.square)), single(monomial(power=1), point(m.linear))]
        if m.power:  # 0 < log s <= sqrt(s) log(A)/sqrt(A)
            ceiling = of_ball(BALL.divide(BALL.log(self.start), BALL.sqrt(self.start)))
            growth.append(single(monomial(power=Fraction(1, 2)), point(m.power) * Range(Fraction(0), ceiling.high)))
        constant = point(0) if c == point(1) else c.increasing(BALL.log, -INFINITY, INFINITY)
        terms = (*(term for tail in growth for term in tail.terms), *single(ONE, constant).terms)
        return self.add(self._collect(terms), self.multiply(single(ONE, slope), remainder))

    # Odd saturating functions, oscillating functions

    def tanh(self, x: Tail) -> Tail:
        def from_above(u: Tail) -> Tail:  # tanh u = 1 - 2 w/(1 + w), w = exp(-2u)
            w = self.exp(self.multiply(self.constant(Fraction(-2)), u))
            quotient = self.multiply(w, self._reciprocal(self.add(_UNIT, w)))
            return self.add(_UNIT, self.multiply(self.constant(Fraction(-2)), quotient))

        return self._saturating(x, BALL.tanh, from_above, point(1), point(1))

    def erf(self, x: Tail) -> Tail:
        def from_above(u: Tail) -> Tail:  # 0 < erfc(u) <= exp(-u^2) for u >= 0
            decay_of_square = self.exp(-self.power(u, 2))
            return self.add(_UNIT, self.multiply(single(ONE, Range(Fraction(-1), Fraction(0))), decay_of_square))

        slope = of_ball(BALL.divide(2, BALL.sqrt(BALL.pi())))
        return self._saturating(x, BALL.erf, from_above, slope, point(1))

    def arctan(self, x: Tail) -> Tail:
        def from_above(u: Tail) -> Tail:  # arctan u = pi/2 - arctan(1/u)
            return self.add(single(ONE, quarter), -self.arctan(self._reciprocal(u)))

        quarter = of_ball(BALL.divide(BALL.pi(), 2))
        return self._saturating(x, BALL.arctan, from_above, point(1), quarter)

    def _saturating(
        self, x: Tail, function: Callable[[Any], Any], from_above: Callable[[Tail], Tail], slope: Range, limit: Range
    ) -> Tail:
        """Return f(x) for f odd, increasing to ``limit``, with slope (1 - u^2/3) u <= f(u) <= slope u for u >= 0."""
        if not x.terms:
            return ZERO
        if x.terms[0][0] > ONE:
            _, c = self.leading(x)
            if c.low > 0:
                return from_above(x)
            if c.high < 0:
                return -from_above(-x)
            everything = Range(-INFINITY, INFINITY)
        else:
            everything = self.range(x)
        if self._vanishes(x):
            smallest = 1 - Fraction(everything.magnitude) ** 2 / 3
            return self.multiply(x, single(ONE, slope * Range(smallest if smallest > 0 else Fraction(0), Fraction(1))))
        return single(ONE, everything.increasing(function, -limit.high, limit.high))

    def sin(self, x: Tail) -> Tail:
        if self._vanishes(x):  # (1 - u^2/6) u <= sin u <= u for u >= 0
            smallest = max(Fraction(-1), 1 - Fraction(self.range(x).magnitude) ** 2 / 6)
            return self.multiply(x, single(ONE, Range(smallest, Fraction(1))))
        return self._oscillating(x, BALL.sin)

    def cos(self, x: Tail) -> Tail:
        if self._vanishes(x):  # 1 - u^2/2 <= cos u <= 1 - u^2/2 + u^4/24
            square = Fraction(self.range(x).magnitude) ** 2
            slope = Range(Fraction(-1, 2), -max(Fraction(0), Fraction(1, 2) - square / 24))
            return self._corrected(self.power(x, 2), slope)
        return self._oscillating(x, BALL.cos)

    def _oscillating(self, x: Tail, function: Callable[[Any], Any]) -> Tail:
        if x.terms[0][0] > ONE:
            return single(ONE, Range(Fraction(-1), Fraction(1)))
        bound = self.range(x)
        image = of_ball(function(ball(bound.low, bound.high)))
        return single(ONE, Range(max(Fraction(-1), image.low), min(Fraction(1), image.high)))

    def sinh(self, x: Tail) -> Tail:
        return self.multiply(self.constant(Fraction(1, 2)), self.add(self.exp(x), -self.exp(-x)))

    def cosh(self, x: Tail) -> Tail:
        return self.multiply(self.constant(Fraction(1, 2)), self.add(self.exp(x), self.exp(-x)))


def _is_quadratic_term(m: Monomial, c: Range) -> bool:
    return not m.square and not m.linear and m.power in (0, 1, 2) and c.is_point


def _toward_zero(x: Fraction) -> Fraction:
    """Return a simpler rational between 0 and ``x``, so that rates of decay stay short."""
    scaled = int(x * (1 << 40))
    return Fraction(scaled, 1 << 40)


def _exp(c: Range) -> Range:
    return point(1) if c.is_zero else c.increasing(BALL.exp, Fraction(0), INFINITY)
