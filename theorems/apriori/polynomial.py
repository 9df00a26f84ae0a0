"""Polynomials in X = |x| with nonnegative coefficients, the form in which signals are bounded for all inputs at once.

A signal is bounded either by a number at each point (an array over points) or by a polynomial in X. The recursions use sums,
products and ``root_of_squares`` alone, so they do not know which of the two they carry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from theorems.arithmetic import Arithmetic


@dataclass(frozen=True)
class Polynomial:
    """coefficients: of 1, X, X^2, ..., nonnegative numbers of one arithmetic; none at all for the polynomial 0."""

    coefficients: tuple[Any, ...] = ()

    # NumPy's numbers leave the product with a polynomial to the polynomial.
    __array_ufunc__ = None

    @property
    def degree(self) -> int:
        """The degree, -1 for the polynomial 0; a leading coefficient that is a number 0 still counts."""
        return len(self.coefficients) - 1

    def __add__(self, other: Polynomial) -> Polynomial:
        pairs = zip_longest(self.coefficients, other.coefficients)
        return Polynomial(tuple(b if a is None else a if b is None else a + b for a, b in pairs))

    def __mul__(self, other: Any) -> Polynomial:
        if not isinstance(other, Polynomial):
            return Polynomial(tuple(a * other for a in self.coefficients))
        if not self.coefficients or not other.coefficients:
            return Polynomial()
        terms: list[Any] = [None] * (self.degree + other.degree + 1)
        for i, a in enumerate(self.coefficients):
            for j, b in enumerate(other.coefficients):
                terms[i + j] = a * b if terms[i + j] is None else terms[i + j] + a * b
        return Polynomial(tuple(terms))

    __rmul__ = __mul__

    def __call__(self, x: Any) -> Any:
        """The value at x, by Horner's rule."""
        value = x * 0
        for coefficient in reversed(self.coefficients):
            value = value * x + coefficient
        return value


Signal = Any
"""A Polynomial, or an array with one number a point."""


def constant_like(signal: Signal, value: Any) -> Signal:
    """The signal that is ``value`` at every point."""
    return Polynomial((value,)) if isinstance(signal, Polynomial) else signal * 0 + value


def zero_like(signal: Signal) -> Signal:
    """The signal 0."""
    return Polynomial() if isinstance(signal, Polynomial) else signal * 0


def root_of_squares(u: Signal, v: Signal, arithmetic: Arithmetic) -> Signal:
    """An upper bound of sqrt(u^2 + v^2): at points the number itself, for polynomials of the same kind coefficient by coefficient.

    (u(X), v(X)) = sum_k X^k (u_k, v_k) in R^2, so by the triangle inequality sqrt(u^2 + v^2) <= sum_k X^k sqrt(u_k^2 + v_k^2):
    never above u + v, and of the larger of the two degrees.
    """
    if not isinstance(u, Polynomial):
        return arithmetic.sqrt(u * u + v * v)
    pairs = zip_longest(u.coefficients, v.coefficients)
    return Polynomial(tuple(_root(a, b, arithmetic) for a, b in pairs))


def _root(a: Any, b: Any, arithmetic: Arithmetic) -> Any:
    if a is None or b is None:
        return b if a is None else a
    if surely_zero(a) or surely_zero(b):  # sqrt(b^2) of a ball would only be wider than b
        return b if surely_zero(a) else a
    return arithmetic.sqrt(a * a + b * b)


def surely_zero(a: Any) -> bool:
    """Whether a number, a ball or an expression is exactly 0; of a symbol nothing is known."""
    return bool(a.is_zero()) if callable(getattr(a, "is_zero", None)) else bool(a == 0)


def mapped(signal: Signal, function: Callable[[int, Any], Any]) -> Signal:
    """A polynomial with ``function(k, coefficient)`` in place of each coefficient; a signal at points as it stands."""
    if not isinstance(signal, Polynomial):
        return signal
    return Polynomial(tuple(function(k, a) for k, a in enumerate(signal.coefficients)))


def mean_from_moments(polynomial: Polynomial, moments: Sequence[Any], arithmetic: Arithmetic) -> Any:
    """An upper bound of the mean of P(|x|) from M_2, M_4, ...: upper bounds of the means of |x|^2, |x|^4, ....

    Even powers have their moments; for odd ones E X^{2j+1} <= sqrt(E X^{2j} E X^{2j+2}) (Cauchy and Schwarz, M_0 = 1). The
    polynomial form of this, X^{2j+1} <= (s X^{2j} + X^{2j+2}/s)/2, is ``with_even_powers``: the best s, sqrt(M_{2j+2}/M_{2j}),
    gives the root, while s = 1 loses a factor of about sqrt(d)/2 where |x| is about sqrt(d).
    """
    even = [arithmetic.numbers(1), *moments]
    total = arithmetic.numbers(0)
    for k, coefficient in enumerate(polynomial.coefficients):
        if surely_zero(coefficient):
            continue
        moment = even[k // 2] if k % 2 == 0 else arithmetic.sqrt(even[k // 2] * even[k // 2 + 1])
        total = total + coefficient * moment
    return total


def with_even_powers(polynomial: Polynomial, scale: Any) -> Polynomial:
    """A polynomial in X^2, as one in X, that is nowhere smaller: X^{2j+1} <= (s X^{2j} + X^{2j+2}/s)/2, any s > 0."""
    terms: list[Any] = [0] * (len(polynomial.coefficients) + len(polynomial.coefficients) % 2 + 1)
    for k, a in enumerate(polynomial.coefficients):
        if k % 2 == 0:
            terms[k] = terms[k] + a
        else:
            terms[k - 1] = terms[k - 1] + a * scale / 2
            terms[k + 1] = terms[k + 1] + a / scale / 2
    while terms and isinstance(terms[-1], int):
        terms.pop()
    return Polynomial(tuple(terms))
