"""How far the polynomials of ``numerics.elementary`` are from the functions they stand for: suprema enclosed with balls.

For each table of coefficients the difference D = P - f is expanded about the centers of small pieces of the named interval. On
a piece, |D| is at most the sum of |coefficient| h^j, h the half width, plus what the expansion of f leaves off. For all tables
but one f is a power series whose terms, on the named interval, fall at least geometrically with ratio 1/4 from the cut on (or
alternate), so the rest is at most twice the first term left off. For ERFC_Q,

    f(t) = (1 + 2x) w(x),   w(x) = exp(x^2) erfc(x) = (2/sqrt(pi)) int_0^inf exp(-s^2 - 2 x s) ds,   x = 3 (1 + t)/(1 - t),

w is entire and |w| <= 1 where Re x >= 0, that is for |t| < 1. On the disc of radius rho = (1 - |t_c|)/2 about a center t_c, |x|
<= 6/(1 - |t|) <= 12/(1 - |t_c|), so Cauchy bounds the j-th coefficient by M rho^-j with M = 1 + 24/(1 - |t_c|).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_poly, arb_series, ctx

from numerics import elementary as el
from theorems.ball_arithmetic import as_ball, working_precision

PIECES = 256
TERMS = 40  # of the power series; the last are below 1e-25 on every interval
TERMS_ERFC = 34
BITS = 320  # the Taylor coefficients of exp(x^2) erfc(x) lose some 130 bits at x = 28


@dataclass(frozen=True)
class Approximation:
    """A table: its interval [low, high] and a proved bound of |P - f| on it, as an exact ball."""

    name: str
    low: Fraction
    high: Fraction
    error: Any


def _exponential(j: int) -> Any:
    return 1 / arb(j + 2).gamma() / (j + 2)  # 1/(j+2)!


def _logarithm(j: int) -> Any:
    return arb(2) / (2 * j + 3)


def _sine(j: int) -> Any:
    return (-1) ** (j + 1) / arb(2 * j + 4).gamma()


def _cosine(j: int) -> Any:
    return (-1) ** j / arb(2 * j + 5).gamma()


def _arctangent(j: int) -> Any:
    return arb((-1) ** (j + 1)) / (2 * j + 3)


def _error_function(j: int) -> Any:
    return 2 * (-1) ** j / arb.pi().sqrt() / arb(j + 1).gamma() / (2 * j + 1)


#: Table -> (an interval that contains the one named there, the coefficients of f; None for ERFC_Q). Enclosures of squares may reach
#: a little below 0.
TABLES: dict[str, tuple[Fraction, Fraction, Callable[[int], Any] | None]] = {
    "EXP_Q": (Fraction("-0.3466"), Fraction("0.3466"), _exponential),
    "LOG_Q": (Fraction("-1e-6"), Fraction("0.02945"), _logarithm),
    "SIN_Q": (Fraction("-1e-6"), Fraction("0.6172"), _sine),
    "COS_Q": (Fraction("-1e-6"), Fraction("0.6172"), _cosine),
    "ATAN_Q": (Fraction("-1e-6"), Fraction("0.1717"), _arctangent),
    "ERF_Q": (Fraction("-1e-6"), Fraction("0.251"), _error_function),
    "ERFC_Q": (Fraction("-0.715"), Fraction("0.807"), None),
}


@functools.cache
def approximation(name: str) -> Approximation:
    """The named table of ``numerics.elementary`` with the proved bound of its approximation error."""
    return approximation_of(name, getattr(el, name))


def approximation_of(name: str, coefficients: tuple[float, ...]) -> Approximation:
    """The bound for any coefficients put in the place of the named table's."""
    low, high, series = TABLES[name]
    with working_precision(BITS):
        polynomial = arb_poly([arb(c) for c in coefficients])
        half = as_ball((high - low) / (2 * PIECES))
        worst = arb(0)
        for piece in range(PIECES):
            center = as_ball(low + (2 * piece + 1) * (high - low) / (2 * PIECES))
            shift = arb_poly([center, 1])
            if series is None:
                expansion, rest = _scaled_erfc(center, half)
            else:
                expansion, rest = _power_series(series, shift, max(abs(low), abs(high)))
            difference = polynomial(shift) - expansion
            bound = sum((abs(c) * half**j for j, c in enumerate(difference.coeffs())), arb(0)) + rest
            worst = worst.max(bound.abs_upper())
        return Approximation(name, low, high, worst.abs_upper())


def _power_series(series: Callable[[int], Any], shift: Any, largest: Fraction) -> tuple[Any, Any]:
    """The first TERMS terms about the center, and a bound of the others on |x| <= largest."""
    return arb_poly([arb(series(j)) for j in range(TERMS)])(shift), 2 * abs(series(TERMS)) * as_ball(largest) ** TERMS


def _scaled_erfc(center: Any, half: Any) -> tuple[Any, Any]:
    """The Taylor polynomial of (1 + 2x) exp(x^2) erfc(x) about t = center, and its rest for |t - center| <= half."""
    before, ctx.cap = ctx.cap, TERMS_ERFC
    try:
        t = arb_series([center, 1])
        x = 3 * (1 + t) / (1 - t)
        coefficients = ((1 + 2 * x) * (x * x).exp() * x.erfc()).coeffs()
    finally:
        ctx.cap = before
    gap = 1 - abs(center)
    ratio = half / (gap / 2)
    return arb_poly(coefficients), (1 + 24 / gap) * ratio**TERMS_ERFC / (1 - ratio)
